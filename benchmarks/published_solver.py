"""The factorization as the published program computes it: the baseline of the benchmark, not used
by the toolkit."""

import numpy as np


def published_solver(
    matrix: np.ndarray, lamb: float, max_steps: int = 10000, full_svd: bool = True
) -> tuple[np.ndarray, int, int]:
    """L of L + S = M by alternating directions with full SVDs and a fixed penalty: L [n, n], its
    rank, the steps.

    It stops on the primal residual alone, 1e-7 of the norm of M. Without full_svd the
    same steps are made by symmetric eigendecompositions, in half the time: to count them, not to
    time them.
    """
    n = len(matrix)
    mu = n**2 / (4 * np.abs(matrix).sum(axis=0).max())
    sparse, multiplier = np.zeros_like(matrix), np.zeros_like(matrix)
    for step in range(1, max_steps + 1):  # noqa: B007, returned
        target = matrix - sparse + multiplier / mu
        if full_svd:
            u, values, vt = np.linalg.svd(target)
        else:
            values, u = np.linalg.eigh(target)
            vt = u.T
        shrunk = np.sign(values) * np.maximum(np.abs(values) - 1 / mu, 0)
        low = (u * shrunk) @ vt
        target = matrix - low + multiplier / mu
        sparse = np.sign(target) * np.maximum(np.abs(target) - 1 / (lamb * mu), 0)
        residual = matrix - low - sparse
        multiplier += mu * residual
        if np.linalg.norm(residual) <= 1e-7 * np.linalg.norm(matrix):
            break
    return low, int(np.count_nonzero(shrunk)), step
