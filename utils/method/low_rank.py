"""Low-rank factorization of a symmetric matrix by principal component pursuit (Zhu et al. 2021, eq.
4)."""

import numpy as np
import scipy.linalg

from utils.method.anderson import Anderson
from utils.method.subspace import Subspace

# When to stop, for a matrix of norm 1.
ERROR_LIMIT = 1e-5  # of L
# Of its principal space, in radians, over that of L: the bound is 3 to 50 times the true one.
ROTATION_LIMIT = 300
DUAL_LIMIT = 1e-4
CHECK_EVERY = 5  # steps
ROUNDING = 1e-11  # an error that cannot be told from rounding ends it in any case
TINY = 1e-30
# A residual above which single precision is good enough for the eigenvectors, and much faster.
ROUGH = 1e-5
SCALE_STEPS, SCALE = (
    (5, 10, 20, 40, 80),
    0.7,
)  # steps after which the threshold for S becomes its median / 0.7
BALANCE_EVERY, BALANCE_LIMIT = (
    20,
    3.0,
)  # steps after which the residuals may not be farther apart than the limit


def factorize(
    matrix: np.ndarray, lamb: float, max_iter: int = 10000, error_limit: float = ERROR_LIMIT
) -> Subspace:
    """The singular vectors of the low-rank part L of a symmetric matrix [n, n]: see `split`.

    Its scores are the singular values of L, 0 from the rank on, and the vectors from there on span
    the null space of L. Its stats: `steps`; `primal_residual` |M - L - S| / |M|; `dual_residual`
    mu |next S - S| / |Y|; `error_bound` of |L - true L| / |M|; `rotation_bound` of the angle
    between the principal space and the true one, in radians.
    """
    return split(matrix, lamb, max_iter, error_limit)[0]


def split(
    matrix: np.ndarray, lamb: float, max_iter: int = 10000, error_limit: float = ERROR_LIMIT
) -> tuple[Subspace, np.ndarray]:
    """A symmetric matrix M [n, n] as low rank and sparse, min |L|_* + |S|_1 / lamb subject to
    L + S = M: the subspace of L, as `factorize` gives it, and S [n, n].

    Alternating directions: L by soft-thresholding the eigenvalues, S by soft-thresholding the
    entries, then the multiplier Y, seen as the fixed-point iteration of V = S + Y / mu and
    accelerated. The penalty mu puts the threshold for S among its typical entries, which a sweep
    found best from 64 to 512 dimensions.

    L is no farther from the true one than V, and V no farther than the residual M - L - S (one
    plain step) times 1 / (1 - rate), the `amplification` that the last steps show. It stops when
    that bound is below error_limit |M|, the principal space has settled as well, and the dual
    residual is small too. `converged` is False after max_iter steps.
    """
    norm = norm_of(matrix)
    # With Y = sign(M) / lamb of a spectral norm of at most 1, L = 0 and S = M are the solution.
    if np.linalg.norm(np.sign(matrix), 2) <= lamb:
        empty = np.empty(0), np.empty((0, len(matrix)))
        return _subspace(*empty, True, _stats(0, 0.0, 0.0, 0.0, 0.0)), np.array(matrix, float)
    m = matrix.astype(np.float64) / norm  # the solution scales with M
    mu = m.size / (2 * np.abs(m).sum())
    v, s, next_s, difference, image, target = np.zeros(
        (6, *m.shape)
    )  # written in place: that is most of the speed
    anderson = Anderson(m.size)
    definite = True  # as M is: then L too, most likely, and only the largest eigenvalues are needed
    primal = 1.0
    for step in range(1, max_iter + 1):
        soft_threshold(v, 1 / (lamb * mu), out=s)
        np.subtract(m, s, out=difference)
        np.add(difference, np.subtract(v, s, out=target), out=target)  # M - S + Y / mu
        rough = primal > ROUGH and step < max_iter
        values, vectors = _large_eigenpairs(
            target.astype(np.float32) if rough else target, 1 / mu, definite
        )
        shrunk = soft_threshold(values, 1 / mu)
        difference -= np.matmul(vectors * shrunk, vectors.T, out=next_s)
        np.add(v, difference, out=image)
        soft_threshold(image, 1 / (lamb * mu), out=next_s)

        y = np.subtract(image, next_s, out=target)  # Y / mu
        primal = norm_of(difference)
        dual = norm_of(np.subtract(next_s, s, out=v)) / max(norm_of(y), TINY)
        near = (
            step % CHECK_EVERY == 0 and not rough and 2 * primal <= error_limit
        )  # the bound is no smaller
        if near or step == max_iter:
            amplification = 2 * anderson.amplification()  # doubled, to be on the safe side
            error_bound = amplification * primal if primal else 0.0
            rotation = _rotation(difference, vectors, shrunk)
            rotation_bound = amplification * rotation if rotation else 0.0
            settled = (
                max(error_bound, rotation_bound / ROTATION_LIMIT) <= error_limit
                and dual <= DUAL_LIMIT
            )
            converged = bool(settled or error_bound <= ROUNDING)
            if converged and definite and not _all_above(m - 2 * s + image - difference, -1 / mu):
                converged = definite = False
            if converged:
                break

        factor = 1.0
        if step in SCALE_STEPS:
            typical = np.median(np.abs(s + difference))  # of M - L
            factor = np.clip(SCALE / max(lamb * mu * typical, TINY), 0.1, 10)
        elif step % BALANCE_EVERY == 0:
            balance = primal / max(norm_of(next_s) * dual, TINY)
            if (
                not 1 / BALANCE_LIMIT < balance < BALANCE_LIMIT
            ):  # ever more gentle, so that mu settles
                factor = np.clip(balance**0.5, 0.1, 10) ** (1 / (1 + step / 1000))
        if not 0.9 < factor < 1.1 and next_s.any():
            mu *= factor
            np.add(next_s, y / factor, out=v)  # S and Y stay
            anderson.restart()
            continue
        v = anderson.next_point(image.ravel(), difference.ravel()).reshape(m.shape)

    stats = _stats(step, primal, dual, error_bound, rotation_bound)
    return _subspace(shrunk * norm, vectors.T, converged, stats), s * norm


def _stats(
    steps: int, primal: float, dual: float, error_bound: float, rotation_bound: float
) -> dict[str, float]:
    return {
        "steps": steps,
        "primal_residual": primal,
        "dual_residual": dual,
        "error_bound": error_bound,
        "rotation_bound": rotation_bound,
    }


def _subspace(
    values: np.ndarray, vectors: np.ndarray, converged: bool, stats: dict[str, float]
) -> Subspace:
    """That of L: from some of its eigenvalues [k], all that are not 0 among them, and eigenvectors
    [k, n]."""
    rank, n = int(np.count_nonzero(values)), vectors.shape[1]
    order = np.argsort(-np.abs(values), kind="stable")[:rank]
    principal = vectors[order]
    return Subspace(
        vectors=np.concatenate([principal, scipy.linalg.null_space(principal).T])
        if rank
        else np.eye(n),
        scores=np.pad(np.abs(values[order]), (0, n - rank)),
        score_name="singular value",
        rank=rank,
        converged=converged,
        stats=stats,
    )


def _large_eigenpairs(
    matrix: np.ndarray, threshold: float, definite: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors (as columns): all that are larger than threshold, if `definite`,
    else all."""
    span = (threshold, np.inf) if definite else None
    return scipy.linalg.eigh(matrix, subset_by_value=span, driver="evr", check_finite=False)


def _all_above(matrix: np.ndarray, limit: float) -> bool:
    """Whether all eigenvalues are larger than limit: whether a Cholesky factor exists."""
    try:
        scipy.linalg.cholesky(matrix - limit * np.eye(len(matrix)), check_finite=False)
    except scipy.linalg.LinAlgError:
        return False
    return True


def _rotation(error: np.ndarray, vectors: np.ndarray, values: np.ndarray) -> float:
    """To first order, the angle by which `error` turns the space of the eigenvectors whose values
    are not 0."""
    kept = values != 0
    moved = error @ vectors[:, kept]
    moved -= vectors[:, kept] @ (vectors[:, kept].T @ moved)
    return float(np.linalg.norm(moved / values[kept], 2)) if kept.any() else 0.0


def norm_of(matrix: np.ndarray) -> float:
    """|matrix|, of Frobenius."""
    return float(np.linalg.norm(matrix))


def soft_threshold(x: np.ndarray, threshold: float, out: np.ndarray | None = None) -> np.ndarray:
    """x moved towards 0 by threshold, and 0 within it."""
    return np.subtract(x, np.clip(x, -threshold, threshold), out=out)
