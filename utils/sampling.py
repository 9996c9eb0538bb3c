"""Latent codes and labels: random by seed, or read from a file."""

from pathlib import Path

import numpy as np

from .errors import InputError
from .files import read_npy


def random_codes(seed: int, total_num: int, z_dim: int) -> np.ndarray:
    """z [total_num, z_dim] in float64: the codes that the original program draws for this seed."""
    return np.random.RandomState(seed).randn(total_num, z_dim)


def read_codes(path: str | Path, z_dim: int) -> np.ndarray:
    """z [N, z_dim] from a .npy file. Raises InputError if its shape does not fit or a value is not finite."""
    codes = read_npy(path, f"z codes [N, {z_dim}]")
    if codes.ndim != 2 or codes.shape[1] != z_dim or not len(codes):
        raise InputError(f"{path} has shape {list(codes.shape)}; expected z codes [N, {z_dim}] for this network")
    if not np.isfinite(codes).all():
        raise InputError(f"{path} holds NaN or infinity; expected finite z codes")
    return codes


def class_labels(class_index: int | None, total_num: int, label_dim: int) -> np.ndarray:
    """Labels [total_num, label_dim]: one-hot for a class, zeros without one, which is said aloud if it matters.

    Raises InputError for a class that the network does not have.
    """
    labels = np.zeros((total_num, label_dim), np.float32)
    if class_index is not None:
        if class_index >= label_dim:
            known = f"0 to {label_dim - 1}" if label_dim else "none: this network has no classes"
            raise InputError(f"--class_index {class_index} is not a class of this network; expected {known}")
        labels[:, class_index] = 1
    elif label_dim:
        print(f"no --class_index given: all {label_dim} labels are zero")
    return labels
