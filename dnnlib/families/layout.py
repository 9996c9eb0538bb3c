"""Tables of a format's arrays: a row for each array of a record, read by one loop."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays, Shape


class Row(NamedTuple):
    """How one array of a layer is read."""

    target: str  # the last part of its name in the record
    source: str  # the last part of its name in the file
    shape: Shape  # in the file; None stands for any size
    scale: float = 1.0
    change: Callable[[np.ndarray], np.ndarray] = np.asarray  # of its axes, or its numbers


def read_rows(
    rows: Iterable[Row],
    source: NamedArrays,
    prefix: str,
    arrays: dict[str, np.ndarray],
    layer: str,
) -> None:
    """Take the arrays `prefix`... of a file into those of a record, as `layer`/...

    Raises InputError if one is lacking, of another shape, or not finite.
    """
    for row in rows:
        values = source.take(f"{prefix}{row.source}", row.shape, row.scale)
        arrays[f"{layer}/{row.target}"] = np.ascontiguousarray(row.change(values))


def flip(weight: np.ndarray) -> np.ndarray:
    """[k, k, in, out] flipped in both axes: between a correlation's kernel and that of a transposed
    convolution, which spreads the other way."""
    return weight[::-1, ::-1]
