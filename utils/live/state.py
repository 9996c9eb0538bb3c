"""What is seen on the live page: face, sliders, region, and the directions that were found.

The page keeps it as JSON in its address; whatever comes from there is checked here.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from dnnlib.errors import InputError
from utils.cli.parser import LARGEST
from utils.method.workers import Method
from utils.regions.region import BOXES

MOST_SLIDERS, MOST_FINDS, MOST_FACES = 64, 16, 64
MOST_NUMBER = 10_000  # of a face of a seed: those before it are drawn too


@dataclass(frozen=True)
class Face:
    """A random face, or a latent code of the file if there is one (then without a seed)."""

    number: int = 0
    seed: int | None = None
    label: int | None = None  # its class


@dataclass(frozen=True)
class Region:
    """A region by its name, or painted, as `encode_mask` writes it."""

    name: str | None = None
    runs: str | None = None


@dataclass(frozen=True)
class Find:
    """Steps 1 and 2: whose Jacobians, of which region, and how it is factorized."""

    face: Face
    faces: int  # 1: this face; more: a pool of it and those after it
    region: Region
    method: Method
    lamb: float


@dataclass(frozen=True)
class Slider:
    """A direction, and how far the face is moved along it."""

    source: str  # d0, d1, ... are the files, f0, f1, ... what was found
    row: int
    distance: float
    layers: tuple[int, ...]


@dataclass(frozen=True)
class State:
    """All of it."""

    face: Face
    sliders: tuple[Slider, ...] = ()
    region: Region | None = None
    finds: tuple[Find, ...] = ()

    @classmethod
    def from_json(cls, content: Any) -> "State":
        """Raises InputError for what is not a state."""
        return cls(
            _face(_of(content, "face", dict)),
            tuple(map(_slider, _list(content, "sliders", MOST_SLIDERS))),
            _region(content.get("region")),
            tuple(map(find_from_json, _list(content, "finds", MOST_FINDS))),
        )

    @classmethod
    def from_text(cls, text: str) -> "State":
        """The same of a line of JSON."""
        try:
            return cls.from_json(json.loads(text))
        except (ValueError, RecursionError):
            raise InputError(
                "the state is no JSON; expected it as the page has copied it", option="state"
            ) from None

    def to_text(self) -> str:
        """The line."""
        return json.dumps(_without_none(asdict(self)), separators=(",", ":"))


def find_from_json(content: Any) -> Find:
    """Raises InputError for what cannot be found."""
    region = _region(_of(content, "region", dict))
    method, lamb = _of(content, "method", str), _number(content, "lamb")
    if method not in get_args(Method) or lamb <= 0 or region is None:
        raise _wrong("method or lamb")
    return Find(
        _face(_of(content, "face", dict)),
        _whole(content, "faces", 1, MOST_FACES),
        region,
        method,
        lamb,
    )


def encode_mask(mask: np.ndarray) -> str:
    """A mask [H, W] as the lengths of its runs, row by row, beginning outside: numbers of 7 bits a
    byte, the last one below 128, in base64."""
    flat = mask.ravel()
    ends = np.flatnonzero(np.diff(flat, prepend=False))
    lengths = np.diff(np.concatenate([[0], ends, [flat.size]]))
    packed = bytearray()
    for length in lengths.tolist():
        while length >= 128:
            packed.append(length & 127 | 128)
            length >>= 7
        packed.append(length)
    return base64.urlsafe_b64encode(bytes(packed)).decode().rstrip("=")


def decode_mask(runs: str, height: int, width: int) -> np.ndarray:
    """The mask again: bool [height, width]. Raises InputError if it is not one of this size."""
    try:
        packed = base64.urlsafe_b64decode(runs + "=" * (-len(runs) % 4))
    except (binascii.Error, ValueError):
        raise _wrong("region") from None
    lengths, length, shift = [], 0, 0
    for byte in packed:
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            lengths.append(length)
            length = shift = 0
        elif shift > 28:
            raise _wrong("region")
    if sum(lengths) != height * width:
        raise InputError(
            f"a region of {sum(lengths)} pixels; expected {height} x {width}: paint it again"
        )
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(height, width)


def _face(content: Any) -> Face:
    seed, label = content.get("seed"), content.get("label")
    return Face(
        _whole(content, "number", 0, MOST_NUMBER),
        None if seed is None else _whole(content, "seed", 0, 2**32 - 1),
        None if label is None else _whole(content, "label", 0, 1 << 16),
    )


def _region(content: Any) -> Region | None:
    if content is None:
        return None
    name, runs = content.get("name"), content.get("runs")
    if (name is None) == (runs is None) or not isinstance(name or runs, str):
        raise _wrong("region")
    if name is not None and name not in BOXES:
        raise _wrong("region")
    return Region(name, runs)


def _slider(content: Any) -> Slider:
    source, layers = _of(content, "source", str), _of(content, "layers", list)
    if not (source[:1] in ("d", "f") and source[1:].isascii() and source[1:].isdigit()):
        raise _wrong("source")
    if not layers or len(layers) > 1000 or any(type(n) is not int or n < 0 for n in layers):
        raise _wrong("layers")
    distance = _number(content, "distance")
    return Slider(source, _whole(content, "row", 0, 1 << 16), distance, tuple(sorted(set(layers))))


def _of(content: Any, name: str, kind: type) -> Any:
    value = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(value, kind):
        raise _wrong(name)
    return value


def _list(content: Any, name: str, most: int) -> list[Any]:
    values = content.get(name, [])
    if not isinstance(values, list) or len(values) > most:
        raise _wrong(name)
    return values


def _whole(content: Any, name: str, least: int, most: int) -> int:
    value = content.get(name)
    if type(value) is not int or not least <= value <= most:
        raise InputError(f"{name} {str(value)[:40]}; expected a whole number, {least} to {most}")
    return value


def _number(content: Any, name: str) -> float:
    value = content.get(name)
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) >= LARGEST:
        raise InputError(f"{name} {str(value)[:40]}; expected a number")
    return float(value)


def _wrong(name: str) -> InputError:
    return InputError(
        f"its {name} is not what the page writes; expected a state that it has copied"
    )


def _without_none(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_none(value) for key, value in content.items() if value is not None}
    return (
        [_without_none(value) for value in content]
        if isinstance(content, (list, tuple))
        else content
    )
