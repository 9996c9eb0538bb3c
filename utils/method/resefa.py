"""Region-Based Semantic Factorization in GANs (Zhu et al. 2022): directions of a region in closed
form."""

import numpy as np
import scipy.linalg

from utils.method.subspace import Subspace

TAU = 1e-3  # of the trace of M_b, so that what moves nothing does not divide by zero
# Inside over outside, of squared changes: a pixel inside changes twice as much as one outside.
LEAST_EIGENVALUE = 4.0


def resefa(foreground: np.ndarray, background: np.ndarray, tau: float = TAU) -> Subspace:
    """The v that make v^T M_f v largest relative to v^T (M_b + tau trace(M_b) I) v, for Gram
    matrices [n, n].

    The scores are those quotients, the eigenvalues. The rank counts those of 4 or more, and always
    the first (unless M_f is 0). In closed form, so always converged.
    """
    n = len(foreground)
    scale = max(np.trace(background), 1e-12 * np.trace(foreground))
    if not foreground.any():
        return _subspace(np.eye(n), np.zeros(n), 0, tau)
    values, vectors = scipy.linalg.eigh(foreground, background + tau * scale * np.eye(n))
    values, vectors = values[::-1], vectors.T[::-1]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return _subspace(
        vectors, values, max(1, int(np.count_nonzero(values >= LEAST_EIGENVALUE))), tau
    )


def _subspace(vectors: np.ndarray, values: np.ndarray, rank: int, tau: float) -> Subspace:
    stats = {"tau": tau, "least_eigenvalue": LEAST_EIGENVALUE}
    return Subspace(vectors, values, "eigenvalue", rank, True, stats)
