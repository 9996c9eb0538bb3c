"""The Jacobians that compute_jacobian.py has written, read a few rows of pixels at a time."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dnnlib.containers.npy import NpyFile
from dnnlib.errors import InputError
from utils.method.directions import rows_at_once

WHAT = "a Jacobian [N, H, W, 1, w_dim] or [N, C, H, W, 1, w_dim] from compute_jacobian.py"
MOST_DIMENSIONS = 4096  # of the latent space: a factorization holds some 30 matrices of D x D
MOST_PIXELS = 4096  # a side


NETWORKS = (".pkl", ".pth", ".pt")  # how their files' names end


class JacobianFile:
    """An open Jacobian file of N samples; `size` is (height, width), `dimensions` D."""

    def __init__(self, path: str | Path) -> None:
        """Raises InputError if it is no Jacobian, or larger than any network's."""
        self.path = path
        try:
            self._file = NpyFile(path, WHAT)
        except InputError:
            if Path(path).suffix not in NETWORKS or not Path(path).is_file():
                raise
            raise InputError(
                f"{path} looks like a network; expected {WHAT}: run compute_jacobian.py on it first"
            ) from None
        shape = self._file.shape
        if len(shape) not in (5, 6) or shape[-2] != 1 or not math.prod(shape):
            raise InputError(f"{path} has shape {list(shape)}; expected {WHAT}")
        self.samples, self.dimensions = shape[0], shape[-1]
        self.size: tuple[int, int] = (shape[-4], shape[-3])
        self._channels = shape[1] if len(shape) == 6 else 1
        if self.dimensions > MOST_DIMENSIONS or max(self.size) > MOST_PIXELS:
            raise InputError(
                f"{path} has shape {list(shape)}; expected at most {MOST_PIXELS} x {MOST_PIXELS} "
                f"pixels and {MOST_DIMENSIONS:,} dimensions: compute it with a smaller --image_size"
            )
        if not self._file.in_rows:
            raise InputError(
                f"{path} is stored columns first; expected rows first: save np.ascontiguousarray "
                "of it"
            )

    def blocks(self, sample: int) -> Iterator[tuple[slice, np.ndarray]]:
        """The rows of pixels of each channel of a sample: which they are, and their Jacobian [h, W,
        D].

        Raises InputError if the file has become shorter.
        """
        height, width = self.size
        at_once = rows_at_once(width, self.dimensions)
        for channel in range(self._channels):
            for top in range(0, height, at_once):
                rows = min(at_once, height - top)
                start = (
                    ((sample * self._channels + channel) * height + top) * width * self.dimensions
                )
                values = self._file.read(start, rows * width * self.dimensions)
                yield slice(top, top + rows), values.reshape(rows, width, self.dimensions)
