"""The arrays of a network file, taken one by one: each is used, known to be harmless, or an error
that names it."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from dnnlib.containers.safe_pickle import Array, Memory, brief
from dnnlib.containers.torch_file import Tensor
from dnnlib.errors import InputError

Shape = tuple[int | None, ...]  # None stands for any size
# Well above any network's: few bytes of a file can stand for many names, long ones, or large
# filters.
MAX_DIMENSIONS = 1 << 13  # of z and of w
MOST_ARRAYS = 10_000
LONGEST_NAME = 200  # characters
MOST_TAPS = 64
MOST_CHANNELS = 1 << 13


class NamedArrays:
    """Stand-ins of arrays by name, as a file holds them. `memory` is what is left for that file."""

    def __init__(self, arrays: Iterable[tuple[str, Any]], memory: Memory) -> None:
        """Raises InputError if they are more, or have longer names, than those of any network."""
        self._left: dict[str, Any] = {}
        self._memory = memory
        for name, values in arrays:
            expect_name(len(self._left), name)
            self._left[name] = values

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def names(self) -> list[str]:
        """Those not taken yet."""
        return list(self._left)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of array `name`, which stays to be taken; None if there is none."""
        array = self._left.get(name)
        if isinstance(array, Array):
            return () if array.values is None else array.values.shape
        if isinstance(array, Tensor):
            return array.shape
        return () if isinstance(array, float) else None

    def sizes(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of array `name`, which stays to be taken. Raises InputError if there is none,
        or it has not so many dimensions."""
        shape = self.shape(name)
        if shape is None or len(shape) != dimensions:
            raise InputError(
                f"lacks the array {name} of {dimensions} dimensions; expected it, as its program "
                "saves it"
            )
        return shape

    def take(self, name: str, shape: Shape, scale: float = 1.0) -> np.ndarray:
        """Array `name` in float32, times scale.

        Raises InputError if it is not there, of another shape or more channels than any network
        has, or not finite.
        """
        found = self.shape(name) or ()
        if len(found) > 2 and max(found) > MOST_CHANNELS:
            raise InputError(
                f"its array {name} has shape {_text(found)}; expected {MOST_CHANNELS} channels at "
                "most"
            )
        values = self._left.pop(name, None)
        if isinstance(values, (Array, Tensor)):
            values = values.values
        elif isinstance(values, float):  # so TensorFlow 1 saves variables of shape []
            values = np.float32(values)
        if not isinstance(values, (np.ndarray, np.float32)):
            raise InputError(f"lacks the array {name}; expected one of shape {_text(shape)}")
        if not _fits(values.shape, expected=shape):
            raise InputError(
                f"its array {name} has shape {_text(values.shape)}; expected {_text(shape)}"
            )
        if not values.size:
            raise InputError(
                f"its array {name} has shape {_text(values.shape)}; expected some numbers in it"
            )
        if values.dtype.kind not in "fiub":
            raise InputError(
                f"its array {name} is of a type that NumPy does not have; expected float32"
            )
        size = 4 * values.size
        self._memory.take(size, besides=size)  # the same bytes may have many names
        values = np.multiply(values, np.float32(scale), dtype=np.float32)
        if not np.isfinite(values.sum(dtype=np.float64)):  # without an array of booleans
            raise InputError(
                f"its array {name} holds NaN or infinity; expected finite numbers: download it "
                "again"
            )
        return values

    def take_filter(self, names: list[str], total: float) -> tuple[float, ...]:
        """The taps of a FIR filter: arrays `names` are all outer(taps, taps), or the taps, of this
        sum.

        Raises InputError if one is not, or if they differ.
        """
        first: np.ndarray | None = None
        for name in names:
            shape = self.shape(name) or ()
            is_small = len(shape) in (1, 2) and 2 <= shape[0] <= MOST_TAPS and len(set(shape)) == 1
            if is_small or name not in self:
                values = self.take(name, shape or (None, None))
                taps = values if values.ndim == 1 else values.sum(axis=1) / total**0.5
                full = values if values.ndim == 1 else np.outer(taps, taps)
                first = values if first is None else first
            if (
                not is_small
                or not np.allclose(full, values, atol=1e-6 * total)
                or not np.isclose(values.sum(), total)
                or first is None
                or not np.array_equal(values, first)
            ):
                raise InputError(
                    f"its filter {name} is not separable, of another sum than {total:g}, or not "
                    "that of the other layers; expected one filter, such as is made of 1, 3, 3, 1"
                )
        return tuple(taps.tolist())

    def skip(self, name: str) -> None:
        """Array `name`, if there, changes nothing."""
        self._left.pop(name, None)

    def expect_none_left(self) -> None:
        """Raises InputError, naming one, if the file has arrays that were not asked for."""
        if self._left:
            raise InputError(
                f"its array {str(next(iter(self._left)))[:80]} is not part of a generator of "
                "these settings; expected a file as its program saves it"
            )


def expect_name(count: int, name: Any) -> None:
    """Raises InputError unless an array may have this name, and a network so many arrays
    besides."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or count >= MOST_ARRAYS:
        raise InputError(
            f"its array {brief(name)} is one of too many, or has no name as a network's; expected "
            f"{MOST_ARRAYS} arrays at most, with names of {LONGEST_NAME} characters"
        )


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(
        any_size is None or size == any_size for size, any_size in zip(shape, expected, strict=True)
    )


def _text(shape: Shape) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
