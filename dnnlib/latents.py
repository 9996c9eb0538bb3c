"""Latent codes as encoders, projectors and scripts save them: .npy, .npz, .pt and .pkl; see
array_file.

Such a file holds an array, or a list of them, by itself or under a key; or a dict of name to codes,
as some encoders pickle it into a .npy file, there a list of iterations for each name.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from dnnlib.containers.array_file import (
    CODE_KEYS,
    DIRECTION_KEYS,
    NpyArray,
    blocks_of_rows,
    last_of,
    listed,
    open_arrays,
    read_floats,
    row_lengths,
    shape_of,
    unwrapped,
)
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.errors import InputError
from dnnlib.record import MAX_RESOLUTION
from dnnlib.text import one_line

W_KEYS = ("w", "dlatents", "latent")  # what lies under another key may be z
_EXPECTED = (
    "Expected latent codes, an array [N, D] or [N, L, D] in a .npy, .npz, .pt or .pkl file: see "
    "docs/formats.md#latent-codes, and for those of a picture #real-photographs"
)
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_MARGIN = (
    0.1  # how far the mean length of z may be from that of random normal numbers, as a part of it
)
_DEVIATIONS = 4  # of the mean length of random rows, beyond which it is none by chance
_ROW_DEVIATIONS = 5  # of the length of one of many rows
_UNIT = 1e-3  # how much longer than 1 a direction may be


class Latents(NamedTuple):
    """Latent codes as a file has them, which does not say whether they are z, w or w+."""

    values: np.ndarray  # [D], [N, D], [L, D], [N, 1, D] or [N, L, D]: float32 or float64
    key: str | None  # that they were found under
    names: list[str] | None  # of the N codes of a dict
    choice: str | None = None  # which of several arrays in the file they are, to be told


def read_latents(path: str | Path) -> Latents:
    """The latent codes of a file, whose format is told by its content; of iterations, the last.

    Raises InputError, naming what was found, if the file is damaged, hostile, of another kind, or
    holds no finite codes; OSError if it cannot be opened.
    """
    with open_arrays(path, _EXPECTED) as (content, memory):
        codes, key, names, choice = _find_codes(content, memory)
        return Latents(
            read_floats(codes, memory),
            key and one_line(key, 80),
            names,
            choice and one_line(choice, 200),
        )


def space_of_rows(values: np.ndarray) -> Literal["z", "w"] | None:
    """What codes [..., D] are by their numbers: z or w (or w+); None if that cannot be told.

    Rows of z are random normal: about sqrt(D) long, and as often below 0 as above. Those of w are
    of any length, from 1.3 to 77 in published networks, and come out of an activation that mostly
    makes them lopsided. So rows of another mean length are w; rows of that length, none far from
    it, and not lopsided, are z. Between the two, as a few short rows may be by chance, nothing is
    told. Rows that are all the same are w, once for each layer.
    """
    lengths, expected, deviation = (
        row_lengths(values).ravel(),
        math.sqrt(values.shape[-1]),
        math.sqrt(0.5),
    )
    off = abs(lengths.mean() - expected)
    if off > max(
        _MARGIN * expected, _DEVIATIONS * deviation / math.sqrt(len(lengths))
    ) or are_equal(values):
        return "w"
    one_kind = np.abs(lengths - expected).max() < max(
        _MARGIN * expected, _ROW_DEVIATIONS * deviation
    )
    return "z" if off <= _MARGIN * expected and one_kind and not _are_lopsided(values) else None


def are_equal(values: np.ndarray) -> bool:
    """Whether the rows of an array [..., D] are several, and the same."""
    rows = values.reshape(-1, values.shape[-1])
    return len(rows) > 1 and all((block == rows[0]).all() for block in blocks_of_rows(values))


def _are_lopsided(values: np.ndarray) -> bool:
    """Whether the skewness of all numbers together is not that of random normal ones."""
    mean = values.mean(dtype=np.float64)
    square = cube = 0.0
    for block in blocks_of_rows(values):
        block -= mean
        square += np.einsum("ij,ij->", block, block)
        cube += np.einsum("ij,ij,ij->", block, block, block)
    n = values.size
    return square == 0 or abs(cube / n) > _ROW_DEVIATIONS * math.sqrt(6 / n) * (square / n) ** 1.5


def are_short(values: np.ndarray) -> bool:
    """Whether no row is longer than 1, or 0, as rows of directions are, and those of codes are
    not."""
    lengths = row_lengths(values)
    return lengths.min() > 0 and lengths.max() < 1 + _UNIT


def size_of_layers(layers: int) -> int | None:
    """The pixels, in height and width, of a StyleGAN2 with so many layers of w+; None if none has
    as many."""
    return (
        2 ** (layers // 2 + 1)
        if layers in range(4, 2 * MAX_RESOLUTION.bit_length() - 3, 2)
        else None
    )


def _find_codes(
    content: Any, memory: Memory, is_nested: bool = False
) -> tuple[Any, str | None, list[str] | None, str | None]:
    """The array of all codes, or a list with one for each; its key; the names of the codes; what
    was chosen."""
    content = unwrapped(content, memory)
    if isinstance(content, (list, tuple)):
        return [_item(value, memory) for value in content], None, None, None
    if not isinstance(content, dict):
        return content, None, None, None
    key, directions = _key(content), [key for key in DIRECTION_KEYS if key in content]
    if directions and key not in CODE_KEYS:
        raise InputError(f"holds directions, under the key {directions[0]}")
    is_picture = (key or "").lower().endswith(_PICTURES)  # then it is the name of one
    value = unwrapped(content.get(key), memory)
    if key in CODE_KEYS or (not is_picture and shape_of(value)):
        choice = f"of the keys {listed(content)}" if len(content) > 1 else None
        if isinstance(value, dict) and is_nested:
            raise InputError(f"holds a dict in a dict under the key {key}")
        codes, inner, names, _ = _find_codes(value, memory, True)
        return codes, inner or key, names, choice
    if isinstance(content.get(key), NpyArray):  # the only one of a .npz file, of objects
        return _find_codes(value, memory, True)
    if any(isinstance(value, NpyArray) for value in content.values()):
        raise InputError(
            f"holds {listed(content)}, of which none is known to be latent codes; save them by "
            "themselves"
        )
    return _find_named(content, memory)


def _find_named(content: dict, memory: Memory) -> tuple[list, str | None, list[str], str | None]:
    """The codes of a dict of names: an array each, a list of iterations, or a dict with one of the
    keys."""
    codes, keys, iterations = [], set(), 1
    for value in content.values():
        key = None
        if isinstance(
            value, dict
        ):  # rosinality's projector: {"img": ..., "latent": ..., "noise": ...}
            key = _key(value)
            value = value.get(key)
        value = unwrapped(value, memory)
        if isinstance(value, (list, tuple)) and value:
            iterations = max(iterations, len(value))
            value = value[-1]
        shape = shape_of(value)
        if shape is None:
            raise InputError(f"holds {listed(content)}, which are no latent codes")
        if len(shape) == 3:
            iterations = max(iterations, shape[0])
            value = last_of(value)
        codes.append(value)
        keys.add(key)
    names = [one_line(name if isinstance(name, str) else brief(name), 80) for name in content]
    return codes, keys.pop() if len(keys) == 1 else None, names, _last_of(iterations)


def _last_of(iterations: int) -> str | None:
    return f"the last of {iterations} iterations" if iterations > 1 else None


def _item(value: Any, memory: Memory) -> Any:
    """An item of a list: an array, or that of a dict with one of the keys."""
    value = unwrapped(value, memory)
    return unwrapped(value.get(_key(value)), memory) if isinstance(value, dict) else value


def _key(found: Iterable[Any]) -> str | None:
    """Under which of these keys the codes are: one of CODE_KEYS, or the only one."""
    names = [name for name in found if isinstance(name, str)]
    return next((key for key in CODE_KEYS if key in names), names[0] if len(names) == 1 else None)
