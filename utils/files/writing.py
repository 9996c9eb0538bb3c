"""Files are written beside their final name and then renamed."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from dnnlib.errors import InputError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write to; it takes the final name if the block succeeds and vanishes if it does
    not.

    The file is there, empty, and nobody else's: see `create_beside`. It is on the disk before it
    takes its name.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = create_beside(path)
        try:
            yield partial
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        error.filename = str(path)  # not the name that it had for a moment
        raise


def create_beside(path: Path) -> Path:
    """An empty file in the folder of `path`, of a name that nobody can foresee, so that no link
    waits under it."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return partial


def expect_room(folder: str | Path, size: int) -> None:
    """Raise InputError if `size` bytes do not fit on the disk that holds `folder`."""
    existing = Path(folder).absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if size > free:
        raise InputError(
            f"{size_text(free)} free on the disk of {folder}; expected {size_text(size)}: free "
            "some space or choose another --output_dir"
        )


def size_text(size: float) -> str:
    """A number of bytes for people: 4.2 MB."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return (
        f"{size:.0f} {units[0]}" if units[0] == "bytes" or size >= 100 else f"{size:.1f} {units[0]}"
    )
