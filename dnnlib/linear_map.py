"""The derivative of an image at one code, as a linear map that tangents are pushed through.

Linearized once, tangents pushed in batches: 512 tangents give the Jacobian of a 256 x 256 image,
for which reverse mode needs 65,536 passes. Every device has a copy of the network and of what was
kept at the code, and takes the next batch when it is free.
"""

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from dnnlib.errors import InputError
from dnnlib.families.interface import Network


class DeviceCopy:
    """A network on one device, its tangent compiled once for all codes."""

    def __init__(self, network: Network, device: str) -> None:
        self.network, self.device = network, device
        self._tangent = tf.function(network.tangent, autograph=False, reduce_retracing=True)

    def linearize(self, code: np.ndarray, step: int, mean_rgb: bool) -> Any:
        """What the network keeps at the code [1, L, D + E]."""
        with tf.device(self.device), named_memory_error("one image"):
            return self.network.linearize(tf.constant(code), step, mean_rgb)

    def tangent(self, kept: Any, tangents: np.ndarray, step: int) -> np.ndarray:
        """Tangents [T, L, D] -> [T, H, W, C]."""
        with tf.device(self.device), named_memory_error(f"{len(tangents)} tangents"):
            return self._tangent(kept, tangents, step).numpy()


class LinearMap:
    """d image / d code at one code: made by `Generator.linearize`.

    `shape` is that of the derivative along one tangent, [H, W, C]: the image's size and channels,
    or one channel, their mean but for alpha. The shift is one of the code on `layers`, or on all.
    """

    def __init__(
        self,
        copies: list[DeviceCopy],
        code: np.ndarray,
        shape: tuple[int, int, int],
        size: tuple[int, int],  # of the image before it is resized
        mean_rgb: bool,
        batch_size: int,
        layers: Sequence[int] | None = None,
    ) -> None:
        self.shape, self.edit_dim = shape, copies[0].network.edit_dim
        self.dtype, self.batch_size = code.dtype, batch_size
        self._moves = np.zeros((code.shape[1], 1), code.dtype)  # [L, 1]: 1 where the shift acts
        self._moves[slice(None) if layers is None else list(layers)] = 1
        steps = {whole // resized for whole, resized in zip(size, shape[:2], strict=True)}
        is_whole = len(steps) == 1 and all(
            whole % resized == 0 for whole, resized in zip(size, shape[:2], strict=True)
        )
        self._step = steps.pop() if is_whole else 1
        self._rows, self._columns = (
            slice(None) if is_whole else nearest_pixels(whole, resized)
            for whole, resized in zip(size, shape[:2], strict=True)
        )
        self._copies = [(copy, copy.linearize(code, self._step, mean_rgb)) for copy in copies]

    def push(self, tangents: np.ndarray, batch_size: int | None = None) -> np.ndarray:
        """The derivatives along tangents [T, D], as shifts common to the layers: [T, H, W, C].

        `batch_size` tangents are pushed at once (None: as many as fit into the generator's bound of
        memory). Raises InputError if the shape does not fit the network, MemoryError if a batch
        does not fit into the memory.
        """
        if tangents.ndim != 2 or tangents.shape[1] != self.edit_dim:
            raise InputError(
                f"tangents of shape {list(tangents.shape)}; expected [T, {self.edit_dim}] for this "
                "network"
            )
        derivatives = np.empty((len(tangents), *self.shape), self.dtype)
        for start, batch in self._push_batches(tangents.astype(self.dtype), batch_size):
            derivatives[start : start + len(batch)] = batch
        return derivatives

    def jacobian(
        self, batch_size: int | None = None, progress: Callable[[int], object] | None = None
    ) -> np.ndarray:
        """d image / d code: [C, H, W, 1, D]. `progress` is told the number of tangents of each
        batch when it is done. Raises InputError if it holds NaN or infinity, and as `push`."""
        height, width, channels = self.shape
        jacobian = np.empty((channels, height, width, 1, self.edit_dim), self.dtype)
        tangents = np.eye(self.edit_dim, dtype=self.dtype)
        for start, batch in self._push_batches(tangents, batch_size):
            jacobian[..., 0, start : start + len(batch)] = batch.transpose(3, 1, 2, 0)
            if progress:
                progress(len(batch))
        return expect_finite(jacobian, "the Jacobian")

    def _push_batches(
        self, tangents: np.ndarray, batch_size: int | None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The index of the first tangent of each batch, and the batch's derivatives."""
        size = max(min(batch_size or self.batch_size, len(tangents)), 1)
        free: queue.SimpleQueue = queue.SimpleQueue()
        for each in self._copies:
            free.put(each)

        def push(start: int) -> tuple[int, np.ndarray]:
            batch = tangents[start : start + size]
            # Filled with zeros: each size of a batch would be compiled anew.
            filled = np.pad(batch, ((0, size - len(batch)), (0, 0)))
            copy, kept = free.get()
            try:
                derivatives = copy.tangent(kept, filled[:, None] * self._moves, self._step)
            finally:
                free.put((copy, kept))
            return start, derivatives[: len(batch), self._rows][:, :, self._columns]

        starts = range(0, len(tangents), size)
        if len(self._copies) == 1:
            yield from map(push, starts)
            return
        with ThreadPoolExecutor(len(self._copies)) as pool:
            yield from pool.map(push, starts)


@contextlib.contextmanager
def named_memory_error(batch: str) -> Iterator[None]:
    """Turn TensorFlow's error for a batch that does not fit into Python's."""
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        raise MemoryError(f"a batch of {batch} does not fit") from None


def expect_finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values. Raises InputError if one is NaN or infinite, without an array of booleans."""
    if values.size and not np.isfinite([values.min(), values.max()]).all():
        raise InputError(
            f"{what} holds NaN or infinity; expected latent codes as the network makes them: take "
            "others, or a smaller distance or truncation"
        )
    return values


def nearest_pixels(size: int, new_size: int) -> np.ndarray:
    """Source index of each of new_size pixels, as TensorFlow 1 resized: floor(i size /
    new_size)."""
    return np.arange(new_size) * size // new_size
