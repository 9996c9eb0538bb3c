"""The largest eigenpairs of a symmetric matrix that changes a little from step to step."""

import numpy as np
import scipy.linalg

SPARE = (
    10  # vectors more than eigenvalues above the threshold: they make the last of these converge
)


class LargestEigenpairs:
    """Warm-started subspace iteration: the vectors of the last matrix, multiplied once with the new
    one, span nearly the same space as its own (Rayleigh-Ritz).

    They converge while the matrix does. An eigenvector at right angles to all of them would not be
    seen, so a result needs a last look at the complete decomposition. Not `warm`: always that.
    """

    def __init__(self, warm: bool) -> None:
        self.warm = warm
        self._basis: np.ndarray | None = None  # [n, k], orthonormal columns
        self.smallest = -np.inf  # eigenvalue, of the last complete decomposition

    def find(self, matrix: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """About the eigenvalues [k] above the threshold, and their vectors as columns [n, k]."""
        if self._basis is None or not self.warm:
            return self.complete(matrix, threshold)
        moved = matrix @ self._basis.astype(matrix.dtype, copy=False)
        basis = scipy.linalg.qr(moved, mode="economic", overwrite_a=True, check_finite=False)[0]
        values, turn = np.linalg.eigh(basis.T @ (matrix @ basis))
        self._basis = basis @ turn
        above = values > threshold
        if np.count_nonzero(above) > len(values) - SPARE // 2:  # others may be above it, too
            return self.complete(matrix, threshold)
        return values[above], self._basis[:, above]

    def complete(self, matrix: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """The same by a complete decomposition, from which `find` goes on."""
        values, vectors = np.linalg.eigh(matrix)
        self.smallest = float(values[0])
        first = int(np.searchsorted(values, threshold, side="right"))
        self._basis = vectors[:, max(first - SPARE, 0) :]
        return values[first:], vectors[:, first:]
