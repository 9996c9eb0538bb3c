"""Low-rank factorization of a symmetric matrix by principal component pursuit (Zhu et al. 2021, eq. 4)."""

from dataclasses import dataclass

import numpy as np

from .anderson import Anderson

TOLERANCE = 1e-7  # of both relative residuals
BALANCE_EVERY = 50  # steps
BALANCE_LIMIT = 10.0  # how far apart the residuals may drift before the penalty changes


@dataclass(frozen=True)
class LowRank:
    """M = L + S. Row i of `vectors` belongs to `singular_values[i]`, largest first; L is the first `rank` of them."""

    vectors: np.ndarray  # [n, n]: orthonormal singular vectors of L, then those of its null space
    singular_values: np.ndarray  # [n], 0 from `rank` on
    sparse: np.ndarray  # [n, n]: S
    rank: int
    steps: int
    primal_residual: float  # |M - L - S| / |M|
    dual_residual: float  # mu |next S - S| / |Y|
    converged: bool


def factorize(matrix: np.ndarray, lamb: float, max_iter: int = 10000) -> LowRank:
    """Split a symmetric matrix [n, n] into low rank and sparse: min |L|_* + |S|_1 / lamb subject to L + S = M.

    Alternating directions: L by soft-thresholding the eigenvalues, S by soft-thresholding the entries, then the
    multiplier Y, seen as the fixed-point iteration of V = S + Y / mu and accelerated. It stops when both the primal and
    the dual residual are below 1e-7, since the primal one alone certifies nothing; the penalty mu keeps the two in
    balance. `converged` is False after max_iter steps.
    """
    norm = np.linalg.norm(matrix)
    if norm == 0:  # nothing changes there
        return LowRank(np.eye(len(matrix)), np.zeros(len(matrix)), np.zeros_like(matrix), 0, 0, 0.0, 0.0, True)
    m = matrix.astype(np.float64) / norm  # the solution scales with M
    mu = m.size / (2 * np.abs(m).sum())
    v = np.zeros_like(m)
    anderson, next_balance = Anderson(), BALANCE_EVERY
    for step in range(1, max_iter + 1):
        s = soft_threshold(v, 1 / (lamb * mu))
        values, vectors = np.linalg.eigh(m - s + (v - s))
        shrunk = soft_threshold(values, 1 / mu)
        difference = m - (vectors * shrunk) @ vectors.T - s
        image = v + difference
        next_s = soft_threshold(image, 1 / (lamb * mu))
        primal = float(np.linalg.norm(difference))
        dual = float(np.linalg.norm(next_s - s) / max(np.linalg.norm(image - next_s), 1e-30))
        if primal <= TOLERANCE and dual <= TOLERANCE:
            break
        v = anderson.next_point(image, difference)
        unbalanced = max(primal, dual) > BALANCE_LIMIT * min(primal, dual)
        if step >= next_balance and unbalanced and primal == anderson.best_norm:
            # Ever more gentle, so that mu settles. S and Y = mu (V - S) stay.
            factor = 2 ** (np.sign(primal - dual) / (1 + step / 500))
            mu *= factor
            v = next_s + (image - next_s) / factor
            anderson.restart()
            next_balance = step + BALANCE_EVERY
    order = np.argsort(-np.abs(shrunk), kind="stable")
    return LowRank(
        vectors=vectors.T[order], singular_values=np.abs(shrunk[order]) * norm, sparse=s * norm,
        rank=int(np.count_nonzero(shrunk)), steps=step, primal_residual=primal, dual_residual=dual,
        converged=primal <= TOLERANCE and dual <= TOLERANCE,
    )


def soft_threshold(x: np.ndarray, threshold: float) -> np.ndarray:
    """x moved towards 0 by threshold, and 0 within it."""
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)
