"""Directions in the forms in which they are published: .npy, .npz, .pt and .pkl; see array_file.

A file holds an array [D], [K, D] or [K, L, D], with a vector for each layer, or a list of [D] or
[L, D], with axes of length 1 wherever a program left them; by itself, or in a dict under one of
these keys:

    lat_comp     of ganspace, [K, 1, D]: w, or z if `latent_space` says so, or if all of
                 `lat_stdev` is 1
    comp         of e4e and its kin, ganspace's in w
    eigvec       of rosinality's closed-form factorization, [D, D], whose columns are the directions
    directions, direction, boundary
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnnlib.containers.array_file import (
    CODE_KEYS,
    DIRECTION_KEYS,
    listed,
    open_arrays,
    read_floats,
    row_lengths,
    shape_of,
    unwrapped,
)
from dnnlib.containers.safe_pickle import Memory
from dnnlib.errors import InputError
from dnnlib.latents import are_equal, size_of_layers
from dnnlib.text import one_line

_SEE = ", in a .npy, .npz, .pt or .pkl file: see docs/formats.md#directions-and-jacobians"
_EXPECTED = f"Expected directions [K, w_dim] or [K, L, w_dim]{_SEE}"
_EXPECTED_PER_LAYER = f"Expected a direction [L, w_dim] for `per_layer`{_SEE}"
_STYLES = (6048, 5952, 5760)  # channels of StyleSpace in networks of 1024, 512 and 256 pixels
_UNIT = 1e-3  # how far from 1 the length of a direction may be


class Directions(NamedTuple):
    """Directions as a file has them, their lengths kept."""

    rows: np.ndarray  # [K, D] or, with a vector for each layer, [K, L, D]: float32 or float64
    key: str | None  # that they were found under
    space: str | None  # z or w, if the file says so
    notes: list[
        str
    ]  # what a user should be told about them, each as it goes behind the name of the file


def read_directions(path: str | Path, per_layer: bool = False) -> Directions:
    """The directions of a file, whose format is told by its content. `per_layer`: rows [L, D] are
    one direction.

    Raises InputError, naming what was found, if the file is damaged, hostile, of another kind, or
    holds no finite directions; OSError if it cannot be opened.
    """
    with open_arrays(path, _EXPECTED_PER_LAYER if per_layer else _EXPECTED) as (content, memory):
        value, key, space, notes = _find_directions(content, memory)
        rows = read_floats(value, memory)
        if key == "eigvec":
            if rows.ndim != 2 or len(rows) != rows.shape[1]:
                raise InputError(f"has an eigvec of shape {list(rows.shape)}, which is not square")
            rows = rows.T
        rows = _arranged(rows, per_layer, notes)
        if np.abs(rows).max() < np.finfo(np.float32).tiny:
            raise InputError("holds nothing but zeros in float32, which change no image")
    if not are_unit(rows):
        lengths = row_lengths(rows)
        span = f"{lengths.min():.3g}" + (
            f" to {lengths.max():.3g}" if np.ptp(lengths) > _UNIT else ""
        )
        notes.append(
            f"rows of length {span}, not 1, which is kept: distances are in units of it"
            + ("; if these are latent codes, `latent_path` takes them" if lengths.min() > 1 else "")
        )
    return Directions(rows, key, space, notes)


def expect_fit(path: str | Path, rows: np.ndarray, dimensions: int, num_layers: int) -> str | None:
    """What is to be said of directions [K, D] or [K, L, D] that could be read in two ways, on a
    network of so many layers and numbers that a direction moves.

    Raises InputError if they do not fit it.
    """
    vectors, advice = rows.shape[-2], "use directions found on this network"
    if rows.shape[-1] != dimensions:
        raise InputError(
            f"{path} has directions of {rows.shape[-1]} dimensions; expected {dimensions} for this "
            f"network: {advice}"
        )
    size = size_of_layers(vectors)
    if rows.ndim == 3 and vectors != num_layers:
        of_size = f" ({vectors} are those of a network of {size} x {size} pixels)" if size else ""
        raise InputError(
            f"{path} has {vectors} vectors for a direction; expected {num_layers}, one for each "
            f"layer of this network{of_size}: {advice}, or leave out `per_layer` if it was given"
        )
    if rows.ndim == 2 and vectors > num_layers and size and not are_unit(rows):
        raise InputError(
            f"{path} has {vectors} rows, not of length 1, as one direction of w+ in a network of "
            f"{size} x {size} pixels has; expected {num_layers} of these: {advice}, or, if these "
            f"are {vectors} directions, scale each to length 1"
        )
    if rows.ndim == 3:
        return f"a vector for each of {num_layers} layers, of which those of `mani_layers` are used"
    if vectors == num_layers:
        return (
            f"{vectors} directions; `per_layer` reads them as one, a vector for each of the "
            f"{vectors} layers"
        )
    return None


def are_unit(rows: np.ndarray) -> bool:
    """Whether all rows have the length 1."""
    return np.abs(row_lengths(rows) - 1).max() < _UNIT


def _find_directions(content: Any, memory: Memory) -> tuple[Any, str | None, str | None, list[str]]:
    """The array of all directions, or a list with one for each; its key; the space; what is to be
    told."""
    content = unwrapped(content, memory)
    if not isinstance(content, dict):
        return content, None, None, []
    key = next((key for key in DIRECTION_KEYS if key in content), None)
    if key is None:
        if codes := [key for key in CODE_KEYS if key in content]:
            raise InputError(f"holds latent codes, under the key {codes[0]}")
        arrays = [
            name
            for name, value in content.items()
            if shape_of(value) or isinstance(value, (list, tuple))
        ]
        if len(content) != 1 or len(arrays) != 1:
            raise InputError(
                f"holds {listed(content)}, of which none is known to be directions; save them by "
                "themselves"
            )
        (key,) = arrays
    notes = (
        [f"its {one_line(key, 80)} is read, of the keys {listed(content)}"]
        if len(content) > 1
        else []
    )
    if key == "eigvec":
        notes.append("its columns are the directions")
    space = content.get("latent_space")
    if key == "lat_comp" and not isinstance(space, str) and shape_of(content.get("lat_stdev")):
        space = "z" if (read_floats(content["lat_stdev"], memory) == 1).all() else "w"
    space = space.lower() if isinstance(space, str) and space.lower() in ("z", "w") else None
    return unwrapped(content[key], memory), one_line(key, 80), space, notes


def _arranged(rows: np.ndarray, per_layer: bool, notes: list[str]) -> np.ndarray:
    """Directions [K, D], or [K, L, D] with a vector for each layer."""
    if rows.ndim == 3 and rows.shape[1] == 1:  # [K, 1, D]
        rows = rows[:, 0]
    if per_layer:
        if rows.ndim == 1 or (rows.ndim == 3 and len(rows) > 1):
            raise InputError(f"has shape {list(rows.shape)}")
        rows = rows if rows.ndim == 3 else rows[None]
    elif rows.ndim == 1:
        rows = rows[None]
    elif rows.ndim == 2 and len(rows) in _STYLES:
        raise InputError(
            f"has {len(rows)} rows, one for each channel of StyleSpace, as StyleCLIP's fs3.npy "
            "has, which are directions of CLIP"
        )
    if rows.ndim == 2 and are_equal(rows):
        notes.append(f"{len(rows)} equal rows, read as one direction")
        return rows[:1]
    if rows.ndim == 3 and all(are_equal(row) and row.any() for row in rows):
        notes.append(
            f"the vectors for its {rows.shape[1]} layers are equal, read as one for all layers"
        )
        return rows[:, 0]
    return rows
