"""Spectral norms as BigGAN's programs estimate them, each in its own way.

A matrix is stored raw and used divided by an estimate sigma of its largest singular value, made of
vectors that are stored beside it. The estimate is off by percents, but it is what the network was
trained with. Miyato et al. 2018, "Spectral Normalization for GANs", section 3.
"""

import numpy as np

from dnnlib.errors import InputError

_ROWS = 256  # of a matrix that are multiplied in float64 at once


def power_iteration(weight: np.ndarray, u: np.ndarray, epsilon: float = 0.0) -> float:
    """sigma of a weight [out, ...] and its vector u [out], from one step of power iteration.

    v = M^T u / |M^T u|, sigma = |M v|. TensorFlow's programs divide by sqrt(|a|^2 + epsilon) where
    this says |a|, and take sigma as the product of M v with itself, so divided. Raises InputError
    if sigma is not a positive number.
    """
    matrix = weight.reshape(len(weight), -1)
    v = sum(
        u[i : i + _ROWS].astype(np.float64) @ matrix[i : i + _ROWS].astype(np.float64)
        for i in range(0, len(matrix), _ROWS)
    )
    with np.errstate(all="ignore"):
        v = np.asarray(v) / np.sqrt(np.sum(np.square(v)) + epsilon)
        square = float(np.sum(np.square(_product(matrix, v))))
        return _positive(square / np.sqrt(square + epsilon))


def stored_norm(weight: np.ndarray, u: np.ndarray, v: np.ndarray) -> float:
    """sigma = u . M v of a weight [out, ...], with both vectors as they are stored.

    Raises InputError if it is not a positive number.
    """
    matrix = weight.reshape(len(weight), -1)
    return _positive(float(u.astype(np.float64) @ _product(matrix, v.astype(np.float64))))


def _product(matrix: np.ndarray, v: np.ndarray) -> np.ndarray:
    """M v in float64, without a copy of M in it."""
    return np.concatenate(
        [matrix[i : i + _ROWS].astype(np.float64) @ v for i in range(0, len(matrix), _ROWS)]
    )


def _positive(sigma: float) -> float:
    if not 1e-30 < sigma < 1e30:
        raise InputError(
            f"has a matrix of spectral norm {sigma:.3g}; expected a positive number: download the "
            "file again"
        )
    return sigma
