"""The JSON file beside each output: facts about how it was made, a dataclass for each kind.

Fields are the keys of the file. One that is None by default is left out while it is None. What is
read may have been written by others: values are checked where they are used.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import sys
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from dnnlib.reading import open_file
from utils.cli.parser import warn
from utils.files.writing import replacing

FACTS_SIZE = 1 << 20  # bytes, of a JSON file
FACTS_LEVELS = 16  # of containers in it; to write what is far deeper takes all of the stack
FACTS_MEMORY = 35 * FACTS_SIZE  # that it may take: a dict of two characters takes 64 bytes


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What all of them hold: the command, its resolved options, and versions."""

    command: list[str]
    options: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def of_run(cls, options: dict[str, Any], **more: Any) -> Self:
        """Those of the running program, with these options."""
        versions = {"python": platform.python_version()}
        for package in ("tensorflow", "numpy", "scipy", "pillow"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[package] = importlib.metadata.version(package)
        return cls(command=["python", *sys.argv], options=options, versions=versions, **more)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The known ones of `read_json`."""
        empty: dict[str, Any] = {"command": [], "options": {}, "versions": {}}
        found: dict[str, Any] = {
            field.name: content.get(field.name, empty.get(field.name)) for field in fields(cls)
        }
        return cls(**found)

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        needed = {field.name for field in fields(self) if field.default is MISSING}
        return {
            name: value for name, value in values.items() if name in needed or value is not None
        }


@dataclass(frozen=True, kw_only=True)
class JacobianFacts(Facts):
    """Beside a Jacobian, and beside one that grows."""

    seed: int | None  # None: of latent codes of a file
    network_sha256: str
    latents_sha256: str | None
    device: str | None = None
    batch_size: int | None = None
    latent_space: str | None = None
    layers: list[int] | None = None  # whose code is shifted
    samples: int | None = None  # that are finished
    complete: bool | None = None
    sample_shape: list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class DirectionFacts(Facts):
    """Beside directions; lists are in the order of their rows."""

    # Of the Jacobian: what it was made of, or what the file system knows of it.
    jacobian: dict[str, Any] | None = None
    seed: int | None = None
    network_sha256: str | None = None
    latents_sha256: str | None = None
    latent_space: str | None = None
    region: str | None = None
    region_options: dict[str, Any] | None = None
    region_sha256: str | None = None
    region_size: list[int] | None = None  # height and width that the checksum is of
    sample: int | str | None = None  # "pool": of all
    samples: int | None = None
    method: str | None = None
    foreground: dict[str, Any] | None = None  # of the solver
    background: dict[str, Any] | None = None
    null_space_dimension: int | None = None
    converged: bool | None = None
    norm_kept: list[float] | None = None
    noise: list[bool] | None = None
    before_projection: dict[str, list[float]] | None = None
    after_projection: dict[str, list[float]] | None = None
    projected: bool | None = None
    layers: list[int] | None = None  # to edit: those of the Jacobian, or of a ready direction
    # Of a ready direction: where it comes from, how far it is walked, what it changes.
    row: int | None = None
    distance: float | None = None
    change_inside: float | None = None
    change_outside: float | None = None


@dataclass(frozen=True, kw_only=True)
class ResultFacts(Facts):
    """Beside a page, and for contact sheets."""

    seed: int | None
    network_sha256: str
    directions_sha256: str | list[str]  # several: of each file
    latents_sha256: str | None
    regions_sha256: list[str]
    names: list[str] | None  # of the latent codes
    rows: int | None = None  # samples that were walked, for each direction
    complete: bool | None = None
    directions: list[dict[str, Any]] | None = None  # what each changes


@dataclass(frozen=True, kw_only=True)
class EditFacts(ResultFacts):
    """Beside the grids of one direction."""

    direction: int  # row of its file
    distances: list[float]
    region: str | None = None
    region_options: dict[str, Any] | None = None
    mean_of_both_ends: dict[str, float | None] | None = None
    steps_of_each_sample: list[dict[str, list[float | None]]] | None = None


Known = TypeVar("Known", bound=Facts)


def write_facts(path: str | Path, facts: Facts) -> None:
    """Write the JSON file beside an output."""
    write_json(path, facts.to_json())


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """JSON does not know infinity and NaN: they become null."""
    with replacing(path) as partial:
        partial.write_text(_json_text(content) + "\n", encoding="utf-8")


def as_json(content: dict[str, Any]) -> dict[str, Any]:
    """What `read_json` will find after `write_json`."""
    return json.loads(_json_text(content))


def _json_text(content: dict[str, Any]) -> str:
    return json.dumps(_finite(content), indent=2, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: str | Path) -> dict[str, Any] | None:
    """The facts in the JSON file beside an output.

    None if there is no such file, or it is not what this toolkit writes: a JSON object of at most
    FACTS_SIZE bytes and FACTS_LEVELS levels, whose "options", if it has any, are another.
    """
    try:
        with open_file(path) as file:
            text = file.read(FACTS_SIZE + 1)
        content = json.loads(text) if len(text) <= FACTS_SIZE else None
    except (OSError, ValueError, RecursionError):
        return None
    is_known = isinstance(content, dict) and isinstance(content.get("options", {}), dict)
    return content if is_known and not _is_deeper(content, FACTS_LEVELS) else None


def read_facts(path: str | Path, kind: type[Known], unknown: str) -> Known | None:
    """The facts of `read_json`, of a kind; None without a file. Of a file that is there, but has
    none that can be read, it is said that what they would tell, `unknown`, is not known."""
    content = read_json(path)
    if content is None and os.path.lexists(path):
        warn(
            f"{path} is there, but cannot be read as compute_jacobian.py and compute_directions.py "
            f"write it: {unknown} not known"
        )
    return None if content is None else kind.from_json(content)


def _is_deeper(content: Any, levels: int) -> bool:
    """Whether there are containers in containers, more than so many levels."""
    inner = (
        content.values()
        if isinstance(content, dict)
        else content
        if isinstance(content, list)
        else None
    )
    return inner is not None and (
        levels == 0 or any(_is_deeper(value, levels - 1) for value in inner)
    )


def sha256(*paths: str | Path) -> str:
    """That of the content of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open_file(path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
