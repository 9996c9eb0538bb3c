"""Low-rank factorization of a symmetric matrix by principal component pursuit (Zhu et al. 2021, eq.
4)."""

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from utils.method.anderson import Anderson
from utils.method.eigenpairs import LargestEigenpairs
from utils.method.subspace import Subspace

# When to stop, for a matrix of norm 1.
ERROR_LIMIT = 1e-5  # of L
# Of its principal space, in radians, over that of L: the bound is 3 to 50 times the true one.
ROTATION_LIMIT = 300
DUAL_LIMIT = 1e-4
CHECK_EVERY = 5  # steps
ROUNDING = 1e-11  # an error that cannot be told from rounding ends it in any case
TINY = 1e-30
# A residual above which single precision is good enough, and much faster.
ROUGH = 3e-6
# With fewer rows a complete eigendecomposition costs no more than one that is carried over.
SMALL = 128
# Steps by eigenpairs that are carried over. Where rank and multiplier are hard to tell apart, they
# may not converge, as the few that are carried over are not the largest.
WARM_STEPS = 500
# Steps after which the threshold for S becomes its median / 0.7.
SCALE_STEPS, SCALE = (5, 10, 20, 40, 80), 0.7
# Steps after which the residuals may not be farther apart than the limit.
BALANCE_EVERY, BALANCE_LIMIT = 20, 3.0


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


# Threads that share matrices this small wait for each other longer than they work.
@threadpool_limits.wrap(limits=1, user_api="blas")
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
    residual is small too, of a step with a complete eigendecomposition. Steps before it carry
    eigenpairs over; if that does not end in WARM_STEPS, it begins anew without them. `converged` is
    False after max_iter steps.
    """
    norm = norm_of(matrix)
    # With Y = sign(M) / lamb of a spectral norm of at most 1, L = 0 and S = M are the solution.
    if np.linalg.norm(np.sign(matrix), 2) <= lamb:
        empty = np.empty(0), np.empty((0, len(matrix)))
        names = ("primal_residual", "dual_residual", "error_bound", "rotation_bound")
        stats = {"steps": 0, **dict.fromkeys(names, 0.0)}
        return _subspace(*empty, True, stats), np.array(matrix, float)
    scaled = matrix.astype(np.float64) / norm  # the solution scales with M
    iteration = _Iteration(scaled, lamb, warm=len(matrix) >= SMALL)
    converged, bounds = False, {}
    for step in range(1, max_iter + 1):
        is_last = step == max_iter
        if step > WARM_STEPS and iteration.eigenpairs.warm:
            iteration = _Iteration(scaled, lamb, warm=False)
        if is_last or iteration.primal <= ROUGH:
            iteration.refine()
        iteration.advance(complete=is_last)
        is_near = iteration.is_fine and 2 * iteration.primal <= error_limit
        if is_last or (is_near and step % CHECK_EVERY == 0):
            bounds = iteration.bounds()
            if _are_small(bounds, error_limit) and not is_last:
                iteration.advance(complete=True)
                bounds = iteration.bounds()
            converged = _are_small(bounds, error_limit) and iteration.check_signs()
            if converged:
                break
        if step in SCALE_STEPS:
            factor = iteration.factor_of_scale()
        elif step % BALANCE_EVERY == 0:  # ever more gentle, so that mu settles
            factor = iteration.factor_of_balance() ** (1 / (1 + step / 1000))
        else:
            factor = 1.0
        if 0.9 < factor < 1.1 or not iteration.rescale(factor):
            iteration.accelerate()
    stats = {"steps": step, **bounds}
    return (
        _subspace(iteration.shrunk * norm, iteration.vectors.T, converged, stats),
        (iteration.v - iteration.y) * norm,
    )


class _Iteration:
    """The point V = S + Y / mu, and the step from it.

    Arrays [n, n] are written in place, and of single precision at first: that is most of the speed.
    """

    def __init__(self, matrix: np.ndarray, lamb: float, warm: bool) -> None:
        """`warm`: eigenpairs are carried over from step to step."""
        self.whole, self.lamb = matrix, lamb
        self.mu = matrix.size / (2 * np.abs(matrix).sum())
        self.anderson, self.eigenpairs = Anderson(matrix.size), LargestEigenpairs(warm)
        # As M is: then L too, most likely, and only the largest eigenvalues are needed.
        self.is_definite = True
        self.primal = np.inf
        self._allocate(np.zeros_like(matrix), np.float32)

    def _allocate(self, v: np.ndarray, dtype: type) -> None:
        self.m: np.ndarray = self.whole.astype(dtype)
        self.v: np.ndarray = v.astype(dtype)
        self.y, self.image, self.target, self.low, self.difference = (
            np.empty_like(self.m) for _ in range(5)
        )

    @property
    def is_fine(self) -> bool:
        """Whether it has double precision."""
        return self.m.dtype == np.float64

    def refine(self) -> None:
        """Go on in double precision."""
        if not self.is_fine:
            self._allocate(self.v, np.float64)

    def advance(self, complete: bool) -> None:
        """L of V, and the next V; `complete`: by a complete eigendecomposition."""
        self._clip(self.v, out=self.y)  # Y / mu; the rest of V is S
        np.add(self.m, self.y, out=self.image)
        np.subtract(self.image, self.v, out=self.target)
        self.target += self.y  # M - S + Y / mu
        if not self.is_definite:
            values, self.vectors = np.linalg.eigh(self.target)
        elif complete:
            values, self.vectors = self.eigenpairs.complete(self.target, 1 / self.mu)
        else:
            values, self.vectors = self.eigenpairs.find(self.target, 1 / self.mu)
        self.shrunk = soft_threshold(values, 1 / self.mu).astype(self.m.dtype, copy=False)
        np.matmul(self.vectors * self.shrunk, self.vectors.T, out=self.low)
        self.image -= self.low  # the next V
        np.subtract(self.image, self.v, out=self.difference)  # M - L - S
        self.primal = norm_of(self.difference)

    def _clip(self, v: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        threshold = v.dtype.type(1 / (self.lamb * self.mu))
        return np.clip(v, -threshold, threshold, out=out)

    def _dual(self, next_y: np.ndarray) -> float:
        """|next S - S| / |next Y / mu|."""
        moved = self.difference - next_y
        moved += self.y
        return norm_of(moved) / max(norm_of(next_y), TINY)

    def bounds(self) -> dict[str, float]:
        """The residuals, and the bounds that they give."""
        amplification = 2 * self.anderson.amplification()  # doubled, to be on the safe side
        rotation = _rotation(self.difference, self.vectors, self.shrunk)
        return {
            "primal_residual": self.primal,
            "dual_residual": self._dual(self._clip(self.image)),
            "error_bound": amplification * self.primal if self.primal else 0.0,
            "rotation_bound": amplification * rotation if rotation else 0.0,
        }

    def check_signs(self) -> bool:
        """Whether L has all eigenvalues that it should, after a step with a complete decomposition.
        If not, later steps take those below 0, too."""
        if self.is_definite and self.eigenpairs.smallest <= -1 / self.mu:
            self.is_definite = False
            return False
        return True

    def factor_of_scale(self) -> float:
        """By how much mu is too small for the typical entries of S."""
        typical = np.median(np.abs(self.m - self.low))
        return float(np.clip(SCALE / max(self.lamb * self.mu * typical, TINY), 0.1, 10))

    def factor_of_balance(self) -> float:
        """By how much mu is too small for residuals of one size."""
        next_y = self._clip(self.image)
        moved = norm_of(self.image - next_y) * self._dual(next_y)
        balance = self.primal / max(moved, TINY)
        is_even = 1 / BALANCE_LIMIT < balance < BALANCE_LIMIT
        return 1.0 if is_even else float(np.clip(balance**0.5, 0.1, 10))

    def rescale(self, factor: float) -> bool:
        """Go on with mu times the factor, from the same S and Y. False: as S is 0, it stays."""
        next_y = self._clip(self.image)
        next_s = self.image - next_y
        if not next_s.any():
            return False
        self.mu *= factor
        np.add(next_s, next_y / self.m.dtype.type(factor), out=self.v)
        self.anderson.restart()
        return True

    def accelerate(self) -> None:
        """Go on from where the last steps lead."""
        next_point = self.anderson.next_point(self.image.ravel(), self.difference.ravel())
        self.v = next_point.reshape(self.m.shape)


def _are_small(bounds: dict[str, float], error_limit: float) -> bool:
    """Whether the iteration may end."""
    error = max(bounds["error_bound"], bounds["rotation_bound"] / ROTATION_LIMIT)
    is_settled = error <= error_limit and bounds["dual_residual"] <= DUAL_LIMIT
    return is_settled or bounds["error_bound"] <= ROUNDING


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
