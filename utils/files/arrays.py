"""Arrays in .npy files."""

import io
from pathlib import Path

import numpy as np

from dnnlib.containers.npy import NpyFile
from utils.files.writing import replacing


def write_npy(path: str | Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()  # NumPy writing to a file of its own would not notice a full disk
    np.save(buffer, array)
    with replacing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def read_npy(path: str | Path, what: str, kinds: str = "fiu") -> np.ndarray:
    """The numeric array in a .npy file. Raises InputError as NpyFile does."""
    with NpyFile(path, what, kinds) as file:
        return file.read_all()
