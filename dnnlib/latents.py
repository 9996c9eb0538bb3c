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

LatentSpace = Literal["auto", "z", "w", "wp"]  # that a user may name
CodeSpace = Literal["z", "w", "wp"]
SPACES: dict[CodeSpace, str] = {"z": "z", "w": "w", "wp": "w+"}  # as people read them
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


class FittedCodes(NamedTuple):
    """The codes of a file as a network takes them."""

    space: CodeSpace
    values: np.ndarray  # z [N, z_dim], or w+ [N, num_layers, w_dim], in which w is repeated
    names: list[str] | None  # of the N codes
    note: str  # a line that says what they are, and what of that was assumed
    doubts: list[str]  # lines about what speaks against it


def fit_codes(
    path: str | Path,
    latents: Latents,
    space: LatentSpace,
    z_dim: int,
    w_dim: int,
    num_layers: int,
    has_w: bool = True,
) -> FittedCodes:
    """The latent codes of the file at `path` for a network of these sizes, z if it has no w.

    Raises InputError if they do not fit the network, or, for auto, it cannot be told what they are.
    """
    if not has_w:
        if space not in ("auto", "z"):
            raise InputError(
                f"{space}; expected z, as this network has no w: leave it out",
                option="latent_space",
            )
        space = "z"
    found, assumed, doubts = (
        _assumed_space(path, latents, z_dim, w_dim, num_layers)
        if space == "auto"
        else (space, "", [])
    )
    codes = _checked_codes(path, latents, found, assumed, z_dim, w_dim, num_layers)
    note = f"latent codes: {len(codes)} of {SPACES[found]}{_origin(latents)}"
    if found == "w":
        codes = np.repeat(codes[:, None], num_layers, axis=1)
    return FittedCodes(
        found, codes, latents.names, f"{note}{', ' if assumed else ''}{assumed}", doubts
    )


def _origin(latents: Latents) -> str:
    """Which of what the file holds they are: their names, and their key if it is not clear."""
    _, key, names, choice = latents
    shown = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    if key and (choice or key not in CODE_KEYS):
        shown += f", under {key}"
    return shown + (f", {choice}" if choice else "")


def _checked_codes(
    path: str | Path,
    latents: Latents,
    space: CodeSpace,
    assumed: str,
    z_dim: int,
    w_dim: int,
    num_layers: int,
) -> np.ndarray:
    """The codes, z or w [N, dim] or w+ [N, num_layers, w_dim]; a single one as [1, ...].

    `assumed` says why they are taken for codes of that space. Raises InputError if they do not fit
    the network.
    """
    values = latents.values
    shape, size = list(values.shape), 2 if space == "wp" else 1  # dimensions of a code
    codes = values[None] if values.ndim == size and latents.names is None else values
    if space != "wp" and codes.ndim == 3 and 1 in codes.shape[:2]:
        codes = codes.reshape(-1, codes.shape[-1])
    what, dim = f"{SPACES[space]} codes", z_dim if space == "z" else w_dim
    why = f" ({assumed})" if assumed else ""
    if codes.ndim != size + 1:
        expected = f"[N, {num_layers}, {dim}]" if space == "wp" else f"[N, {dim}]"
        raise InputError(
            f"{path} has shape {shape}; expected {what} {expected}: choose another",
            option="latent_space",
        )
    if codes.shape[-1] != dim:
        raise InputError(
            f"{path} has {what} of {codes.shape[-1]} dimensions{why}; expected {dim} for this "
            "network: use codes of this network"
        )
    if space == "wp" and codes.shape[1] != num_layers:
        pixels = size_of_layers(codes.shape[1])
        fits = f", as a network of {pixels} x {pixels} pixels has" if pixels else ""
        may_be_other = values.ndim == 2 or len(values) == 1
        raise InputError(
            f"{path} has {what} of {codes.shape[1]} layers{fits}; expected {num_layers}: use codes "
            f"of this network{', or choose z or w' if may_be_other else ''}",
            option="latent_space" if may_be_other else None,
        )
    return codes


def _assumed_space(
    path: str | Path, latents: Latents, z_dim: int, w_dim: int, num_layers: int
) -> tuple[CodeSpace, str, list[str]]:
    """What codes are taken for that nobody has named; on which grounds, to be printed, "" if that
    is certain; and what speaks against it.

    The key decides, or the shape, or the dimensions if those of z and w differ; else the numbers.
    Raises InputError if they cannot tell, or the codes look like directions.
    """
    values, key, names, _ = latents
    shape = list(values.shape)
    if key not in CODE_KEYS and are_short(values) and shape[-1] in (z_dim, w_dim):
        raise InputError(
            f"{path} has rows no longer than 1, as directions have; expected latent codes: if they "
            "are, say which: z, w or wp",
            option="latent_space",
        )
    if values.ndim == 3 and shape[1] > 1 and key != "z":
        return "wp", "", []
    of_layers, doubts = names is None and shape[:-1] == [num_layers], []
    if key in (*W_KEYS, "z"):
        is_z, grounds = key == "z", f"the key {key} and the shape {shape}"
        by_numbers = space_of_rows(values)
        if by_numbers and (by_numbers == "z") != is_z:
            doubts.append(
                f"{path} has codes under the key {key} that are as long as those of {by_numbers}: "
                f"if they are, `latent_space` {by_numbers} reads them"
            )
    else:
        is_z, grounds = _are_of_z(path, values, of_layers, z_dim, w_dim)
    if is_z:
        other = "wp reads one code of w+" if of_layers else "w reads codes of w"
    else:
        other = "w reads codes of w" if of_layers else "z reads codes of z"
    space: CodeSpace = "z" if is_z else "wp" if of_layers else "w"
    return space, f"assumed from {grounds}; `latent_space` {other}", doubts


def _are_of_z(
    path: str | Path, values: np.ndarray, of_layers: bool, z_dim: int, w_dim: int
) -> tuple[bool, str]:
    """Whether codes without a key that tells are of z, and on which grounds; `of_layers`: they may
    be one code of w+. Raises InputError as `_assumed_space` does."""
    shape, dim = list(values.shape), values.shape[-1]
    if dim not in (z_dim, w_dim):
        expected = f"{w_dim}" if z_dim == w_dim else f"{z_dim} of z or {w_dim} of w"
        raise InputError(
            f"{path} has codes of {dim} dimensions; expected {expected} for this network: use "
            "codes of this network"
        )
    if z_dim != w_dim:
        return dim == z_dim, f"the shape {shape}"
    by_numbers = space_of_rows(values)
    rows = "the mean length of its rows" if values.ndim > 1 else "its length"
    if by_numbers is None or (by_numbers == "z" and of_layers):
        found, usual = row_lengths(values).mean(), math.sqrt(dim)
        may_be = "z, w or wp" if of_layers else "z or w"
        raise InputError(
            f"{path} has codes {shape} that may be of z or of w by {rows}, {found:.3g} where that "
            f"of random z is about {usual:.3g}; expected to be told which: {may_be}",
            option="latent_space",
        )
    return by_numbers == "z", f"the shape {shape} and {rows}"


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
