"""The JSON file beside each output: facts about how it was made."""

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnnlib.reading import open_file
from utils.cli.parser import warn
from utils.files.writing import replacing

FACTS_SIZE = 1 << 20  # bytes, of a JSON file
FACTS_LEVELS = 16  # of containers in it; to write what is far deeper takes all of the stack
FACTS_MEMORY = 35 * FACTS_SIZE  # that it may take: a dict of two characters takes 64 bytes


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


def read_facts(path: str | Path, unknown: str) -> dict[str, Any]:
    """The facts of `read_json`, none without a file. Of a file that is there, but has none that
    can be read, it is said that what they would tell, `unknown`, is not known."""
    facts = read_json(path)
    if facts is None and os.path.lexists(path):
        warn(
            f"{path} is there, but cannot be read as compute_jacobian.py and compute_directions.py "
            f"write it: {unknown} not known"
        )
    return facts or {}


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


def provenance(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What goes into the JSON file beside an output: the command, its resolved options, versions,
    and more."""
    plain = {
        name: str(value) if isinstance(value, Path) else value for name, value in options.items()
    }
    versions = {"python": platform.python_version()}
    for package in ("tensorflow", "numpy", "scipy", "pillow"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {"command": ["python", *sys.argv], "options": plain, **more, "versions": versions}
