"""The folder of a run: locked, and never one that holds results of other options."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from utils.cli.parser import say
from utils.files.locks import InUseError, lock_folder
from utils.files.sidecar import Facts, as_json, read_json

# What may differ between two runs that write the same: where to, and paths whose content is
# compared instead.
PATH_OPTIONS = ("output_dir", "restore_path", "latent_path", "jaco_path")


@contextlib.contextmanager
def claim_folder(
    folder: Path,
    is_taken: Callable[[Path], bool],
    part: str = "",
    elsewhere_if_in_use: bool = False,
) -> Iterator[Path]:
    """The first of folder, folder_2, folder_3, ... that does not hold results of another run; if it
    is not the first, a line says so.

    It is locked, for the files of the name `part` only if that is given.

    Raises InUseError if another run is writing to one of them; `elsewhere_if_in_use` takes the next
    one then.
    """
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lock_folder(candidate, part))
            except InUseError:
                if not elsewhere_if_in_use:
                    raise
                continue
            if is_taken(candidate):
                continue
            if number > 1:
                say(f"{folder} holds results of other options: writing to {candidate}")
            yield candidate
            return


def is_same_run(path: Path, facts: Facts) -> bool:
    """Whether the JSON file at `path` records a run of the same options on the same inputs as
    `facts`."""
    previous = read_json(path)
    return previous is not None and _identity(previous) == _identity(as_json(facts.to_json()))


def _identity(facts: dict[str, Any]) -> dict[str, Any]:
    options = {
        name: value
        for name, value in facts.get("options", {}).items()
        if name not in PATH_OPTIONS and value is not None  # so an option may be new
    }
    inputs = {name: value for name, value in facts.items() if name.endswith("_sha256") and value}
    others = {name: facts.get(name) for name in ("jacobian", "samples", "latent_space")}
    return {"options": options, **others, **inputs}
