"""Region-Based Semantic Factorization in GANs (Zhu et al. 2022): directions of a region in closed
form."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

TAU = 1e-3  # of the trace of M_b, so that what moves nothing does not divide by zero
# Inside over outside, of squared changes: a pixel inside changes twice as much as one outside.
LEAST_EIGENVALUE = 4.0


@dataclass(frozen=True)
class Resefa:
    """Generalized eigenvectors of length 1, row i belonging to `eigenvalues[i]`, largest first;
    `rank` are kept."""

    vectors: np.ndarray  # [n, n]
    eigenvalues: np.ndarray  # [n]
    rank: int
    converged: bool = True  # in closed form


def resefa(foreground: np.ndarray, background: np.ndarray, tau: float = TAU) -> Resefa:
    """The v that make v^T M_f v largest relative to v^T (M_b + tau trace(M_b) I) v, for Gram
    matrices [n, n].

    Kept are those whose eigenvalue, that quotient, is 4 or more, but always the first (unless M_f
    is 0).
    """
    n = len(foreground)
    scale = max(np.trace(background), 1e-12 * np.trace(foreground))
    if not foreground.any():
        return Resefa(np.eye(n), np.zeros(n), 0)
    values, vectors = scipy.linalg.eigh(foreground, background + tau * scale * np.eye(n))
    values, vectors = values[::-1], vectors.T[::-1]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Resefa(vectors, values, max(1, int(np.count_nonzero(values >= LEAST_EIGENVALUE))))
