"""Low-rank factorization of a symmetric matrix by principal component pursuit (Zhu et al. 2021, eq. 4)."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

TOLERANCE = 1e-7  # of both relative residuals
BALANCE_EVERY = 10  # steps
BALANCE_LIMIT = 5.0  # how far apart the residuals may drift before the penalty changes


@dataclass(frozen=True)
class LowRank:
    """M = L + S. Row i of `vectors` belongs to `singular_values[i]`, largest first; L is the first `rank` of them."""

    vectors: np.ndarray  # [n, n]: orthonormal singular vectors of L, then those of its null space
    singular_values: np.ndarray  # [n], 0 from `rank` on
    sparse: np.ndarray  # [n, n]: S
    rank: int
    steps: int
    primal_residual: float  # |M - L - S| / |M|
    dual_residual: float  # mu |S - previous S| / |Y|
    converged: bool


def factorize(matrix: np.ndarray, lamb: float, max_iter: int = 10000) -> LowRank:
    """Split a symmetric matrix [n, n] into low rank and sparse: min |L|_* + |S|_1 / lamb subject to L + S = M.

    Alternating directions: L by soft-thresholding the eigenvalues, S by soft-thresholding the entries, then the
    multiplier Y. It stops when both the primal and the dual residual are below 1e-7, since the primal one alone
    certifies nothing; the penalty mu moves to keep the two in balance. `converged` is False after max_iter steps.
    """
    norm = np.linalg.norm(matrix)
    m = matrix.astype(np.float64) / norm  # the solution scales with M
    n = len(m)
    mu = n**2 / (4 * np.abs(m).sum(axis=0).max())  # the published penalty, as a start
    s, y = np.zeros_like(m), np.zeros_like(m)
    primal = dual = np.inf
    for step in range(1, max_iter + 1):
        values, vectors = scipy.linalg.eigh(m - s + y / mu, driver="evd", overwrite_a=True, check_finite=False)
        shrunk = soft_threshold(values, 1 / mu)
        low = (vectors * shrunk) @ vectors.T
        previous = s
        s = soft_threshold(m - low + y / mu, 1 / (lamb * mu))
        difference = m - low - s
        y += mu * difference
        primal = float(np.linalg.norm(difference))
        dual = float(mu * np.linalg.norm(s - previous) / np.linalg.norm(y))
        if primal <= TOLERANCE and dual <= TOLERANCE:
            break
        if step % BALANCE_EVERY == 0:
            # Ever more gentle, so that mu settles and the iteration converges.
            factor = 2 ** (1 / (1 + step / 500))
            if primal > BALANCE_LIMIT * dual:
                mu *= factor
            elif dual > BALANCE_LIMIT * primal:
                mu /= factor
    order = np.argsort(-np.abs(shrunk), kind="stable")
    return LowRank(
        vectors=vectors.T[order], singular_values=np.abs(shrunk[order]) * norm, sparse=s * norm,
        rank=int(np.count_nonzero(shrunk)), steps=step, primal_residual=primal, dual_residual=dual,
        converged=primal <= TOLERANCE and dual <= TOLERANCE,
    )


def soft_threshold(x: np.ndarray, threshold: float) -> np.ndarray:
    """x moved towards 0 by threshold, and 0 within it."""
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)
