"""What a file is, in the words of the scripts: a network, directions, a Jacobian or latent codes.
No TensorFlow."""

import math
import os
import shlex
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.class_names import read_class_names
from dnnlib.containers.array_file import (
    CODE_KEYS,
    DIRECTION_KEYS,
    NpyArray,
    is_array_file,
    is_jacobian,
    name_of_other,
    open_arrays,
    row_lengths,
    unwrapped,
)
from dnnlib.containers.npy import NPY_START, NpyHeader
from dnnlib.containers.torch_file import ZIP_START
from dnnlib.directions import Directions, read_directions
from dnnlib.errors import InputError
from dnnlib.families import GZIP_START, SETTINGS_FILE, is_network_folder, read_network
from dnnlib.foreign import START_SIZE
from dnnlib.latents import W_KEYS, Latents, are_short, read_latents, size_of_layers, space_of_rows
from dnnlib.reading import open_file
from dnnlib.record import NetworkRecord
from dnnlib.text import one_line

_EXPECTED = "a network, latent codes, directions or a Jacobian: docs/formats.md lists the formats"
_UNIT = 1e-3  # how far from 1 the length of a direction may be
_NAMES_SHOWN = 8  # of classes
_SCALES = ("coarse", "middle", "fine")  # four w each, the rest fine: as StyleGAN mixes styles


def describe(
    path: str | Path,
    ignore_settings: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    facts_are_unreadable: bool = False,
) -> str:
    """Lines about a file, at most 100 characters wide but for names.

    `ignore_settings` as for `read_network`; `facts` are those of the JSON file beside it, as the
    toolkit's steps write them, if there is one; `facts_are_unreadable` says that there is one that
    holds none.

    Raises InputError if the file is damaged, hostile or of an unknown kind, OSError if it cannot be
    read.
    """
    path = Path(path)
    start = b""
    if not (is_network := is_network_folder(path) or path.name.endswith(SETTINGS_FILE)):
        with open_file(path) as file:
            start = file.read(START_SIZE)
    if ignore_settings or is_network or start.startswith(GZIP_START):
        return _describe_network(path, read_network(path, ignore_settings))
    if not is_array_file(start):
        raise InputError(f"{path} is {name_of_other(start)}; expected {_EXPECTED}")
    try:
        unreadable = "\n  JSON file     beside it, but not readable" * facts_are_unreadable
        return _describe_arrays(path, facts or {}) + unreadable
    except InputError as error:
        refusal = str(error)  # the error itself would keep what was read until then
        if _EXPECTED not in refusal:
            refusal += "; or another file of those in docs/formats.md"
    if start.startswith(NPY_START) or _is_npz(path, start):
        raise InputError(refusal)
    try:
        return _describe_network(path, read_network(path))
    except InputError as error:
        refusal_of_network = str(error)  # likewise
    raise InputError(refusal if _is_of_arrays(path) else refusal_of_network)


def _is_npz(path: Path, start: bytes) -> bool:
    return path.suffix == ".npz" and start.startswith(ZIP_START)


def _is_of_arrays(path: Path) -> bool:
    """Whether a file holds nothing but an array, or a list, which no network is."""
    try:
        with open_arrays(path, "") as (content, _):
            return not isinstance(content, dict)
    except InputError:
        return False


def _lines(title: str, facts: Mapping[str, Any]) -> list[str]:
    """The title, and the facts under it. Some come from files: none may steer a terminal."""
    return [
        one_line(title),
        *(f"  {name:14}{one_line(value)}" for name, value in facts.items() if value is not None),
    ]


def _describe_network(path: Path, record: NetworkRecord) -> str:
    (height, width), last = record.size, record.label_dim - 1
    names = read_class_names(path, record.label_dim)
    more = ", ..." if names and len(names.names) > _NAMES_SHOWN else ""
    facts = {
        "format": record.format,
        "image": f"{width} x {height}, {record.num_channels} channels"
        + (" (RGB and alpha)" if record.num_channels == 4 else ""),
        "z": f"{record.z_dim} dimensions",
        "labels": f"{last + 1} (`class_index` 0 to {last})" if record.label_dim else "none",
        "names": names and f"{', '.join(names.names[:_NAMES_SHOWN])}{more} ({names.source})",
    }
    lines = _lines(f"{path}: a network", facts | record.facts())
    for note in record.notes:
        first, *rest = textwrap.wrap(one_line(note), 84)
        lines += [f"  {'note':14}{first}", *(f"  {'':14}{line}" for line in rest)]
    space = record.space
    heading = "scale" if space == "w" else ""
    lines += ["", f"   {space}  {heading:7} image        layer                    channels in, out"]
    for layer in record.layers:
        code, scale = "-", ""
        if layer.code is not None:
            code = f"{layer.code}"
            scale = _SCALES[min(layer.code // 4, 2)] if space == "w" else ""
        image = f"{layer.width or layer.size} x {layer.size}"
        lines.append(
            f"  {code:>2}  {scale:7} {image:12} {layer.kind:24} {layer.inputs:11} "
            f"{layer.outputs:>4}"
        )
    rule = "the first are pose and shape, the last colour and texture"
    if space == "w":
        rule = "coarse is pose and shape, middle is parts such as eyes and hair, fine is "
        rule += "colour and texture"
    lines += [
        "",
        *textwrap.wrap(
            f"{space} is what `mani_layers` takes: layers of one {space} change together. As a "
            f"rule, {rule}.",
            88,
        ),
    ]
    return "\n".join(lines)


def _describe_arrays(path: Path, facts: Mapping[str, Any]) -> str:
    """Lines about directions, a Jacobian or latent codes. Raises InputError if the file holds none
    of them."""
    with open_arrays(path, f"Expected {_EXPECTED}") as (content, memory):
        content = unwrapped(content, memory)
        if isinstance(content, NpyArray) and is_jacobian(content.header.shape):
            return _describe_jacobian(path, content.header, facts)
        known = isinstance(content, dict) and any(key in content for key in DIRECTION_KEYS)
    if known or "region" in facts:
        return _describe_directions(path, read_directions(path), facts)
    latents = read_latents(path)
    if latents.key not in CODE_KEYS and latents.names is None and are_short(latents.values):
        del latents
        return _describe_directions(path, read_directions(path), facts)
    return _describe_latents(path, latents)


def _quoted(path: Path) -> str:
    """A path as the shell of this system takes it."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def _describe_jacobian(path: Path, header: NpyHeader, facts: Mapping[str, Any]) -> str:
    samples, (height, width, _, dimensions) = header.shape[0], header.shape[-4:]
    size = math.prod(header.shape[1:]) * header.dtype.itemsize
    space = "z" if facts.get("latent_space") == "z" else "w"
    return "\n".join(
        _lines(
            f"{path}: a Jacobian, d image / d {space}",
            {
                "samples": f"{samples}, {size / 1e6:,.1f} MB each, {header.dtype}",
                "image": f"{height} x {width}, "
                f"{'mean over the' if len(header.shape) == 5 else header.shape[1]} "
                "channels",
                space: f"{dimensions} "
                f"dimensions{'' if facts else ' (or z: no JSON file beside it says which)'}",
                "seed": facts.get("seed"),
                "network": _network(facts),
                "next": f"python compute_directions.py {_quoted(path)} --region eyes",
            },
        )
    )


def _describe_latents(path: Path, latents: Latents) -> str:
    values, key, names, choice = latents
    shape, network, by_numbers = list(values.shape), None, space_of_rows(values)
    may_be_layers = names is None and values.ndim == 2 and size_of_layers(shape[0])
    layers = f" the network has {shape[0]} layers" if may_be_layers else None
    or_w_plus = f"; w+ if{layers}" if layers else ""
    if values.ndim == 3 and shape[1] > 1 and key != "z":
        space, size = "w+", size_of_layers(shape[1])
        network = size and f"one of {size} x {size} pixels, as there are {shape[1]} layers"
    elif key in (*W_KEYS, "z"):
        space = "z" if key == "z" else f"w{or_w_plus}"
        if by_numbers not in (None, space[0]):
            space += (
                f", for the key, but as long as {by_numbers}: `latent_space` {by_numbers} if so"
            )
    elif by_numbers == "w":
        space = f"w, by the length of its rows{or_w_plus}"
    elif by_numbers == "z":
        space = f"z, by the length of its rows{f'; must be said if{layers}' if layers else ''}"
    else:
        space = "must be said, as the length of its rows does not tell: `latent_space` z, w or wp"
    if names and len(names) > 3:
        names = [*names[:3], "..."]
    return "\n".join(
        _lines(
            f"{path}: latent codes",
            {
                "shape": f"{shape}, {values.dtype}",
                "key": key and f"{key}{f', {choice}' if choice else ''}",
                "of": names and ", ".join(names),
                "taken for": space,
                "network": network,
                "assumed": "codes, as most directions have rows of length 1"
                if key is None and names is None
                else None,
                "next": f"python manipulate.py NETWORK DIRECTIONS --latent_path {_quoted(path)}",
            },
        )
    )


def _describe_directions(path: Path, found: Directions, facts: Mapping[str, Any]) -> str:
    rows = found.rows
    lengths, dimensions = row_lengths(rows), " x ".join(map(str, rows.shape[1:]))
    about = {
        "rows": f"{len(rows)} of {dimensions} dimensions, {rows.dtype}, length {lengths.min():.4g}"
        + (f" to {lengths.max():.4g}" if np.ptp(lengths) > _UNIT else ""),
        "key": found.key,
        "space": found.space,
        "to know": "; ".join(found.notes) or None,
    }
    options, table = "--start 0", []
    if "region" in facts:
        try:
            about |= _origin(facts)
            if "distance" in facts:  # a chosen one
                layers = ",".join(f"{layer:d}" for layer in facts["layers"])
                options = f"--mani_layers {layers} --distance {facts['distance']:g}"
            table = _changes(facts, len(rows))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            about["JSON file"] = "beside it, but not as compute_directions.py writes it"
    elif found.key not in DIRECTION_KEYS:
        about["assumed"] = (
            "directions, for the length of the rows: there is no JSON file beside it with their "
            "region"
        )
    about["next"] = f"python manipulate.py NETWORK {_quoted(path)} {options}"
    return "\n".join(_lines(f"{path}: directions", about) + table)


def _origin(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Where directions come from; raises KeyError or the like if a fact is lacking or of the wrong
    kind."""
    inside, outside = (facts[part]["rank"] for part in ("foreground", "background"))
    whose = (
        f"a pool of {facts['samples']} samples"
        if facts["sample"] == "pool"
        else f"sample {facts['sample']}"
    )
    codes = "codes of a file" if facts.get("latents_sha256") else f"seed {facts['seed']}"
    return {
        "region": facts["region"],
        "found in": f"{facts['latent_space']}, {whose}, {codes}",
        "method": f"{facts.get('method', 'lowrank')}, "
        f"{'projected' if facts['projected'] else 'principal'}",
        "ranks": f"{inside} inside, {outside} "
        f"outside{'' if facts['converged'] else '; WARNING: not converged'}",
        "network": _network(facts),
    }


def _network(facts: Mapping[str, Any]) -> str | None:
    return (
        f"SHA-256 {str(facts['network_sha256'])[:12]}..." if facts.get("network_sha256") else None
    )


def _changes(facts: Mapping[str, Any], number: int) -> list[str]:
    """The numbers of each row, as compute_directions.py printed them; nothing for rows chosen from
    such a file."""
    kept = facts["norm_kept"]
    change = facts.get("after_projection" if facts["projected"] else "before_projection")
    if change is None or len(kept) != number:
        return []
    lines = ["", "  --start   inside  outside  ratio  norm kept"]
    for row, numbers in enumerate(
        zip(change["inside"], change["outside"], change["ratio"], kept, strict=True)
    ):
        cells = (
            "-" if number is None else format(number, form)  # infinity is null in JSON
            for number, form in zip(numbers, (".3g", ".3g", ".1f", ".3f"), strict=True)
        )
        lines.append("  {:>7} {:>8} {:>8} {:>6} {:>10}".format(row, *cells))
    return lines
