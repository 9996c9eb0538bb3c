"""Files on disk: read with plain errors, written beside their final name and then renamed."""

import contextlib
import hashlib
import importlib.metadata
import io
import json
import math
import os
import platform
import re
import secrets
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dnnlib.errors import InputError
from dnnlib.reading import open_file
from dnnlib.text import one_line

HEADER_SIZE = (
    1000  # bytes, of a .npy file: to parse one that is no header may take the square of its length
)
FACTS_SIZE = 1 << 20  # bytes, of a JSON file
FACTS_LEVELS = 16  # of containers in it; to write what is far deeper takes all of the stack
FACTS_MEMORY = 35 * FACTS_SIZE  # that it may take: a dict of two characters takes 64 bytes


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
        error.filename = error.filename or str(path)
        raise


def create_beside(path: Path) -> Path:
    """An empty file in the folder of `path`, of a name that nobody can foresee, so that no link
    waits under it."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return partial


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


def write_npy(path: str | Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()  # NumPy writing to a file of its own would not notice a full disk
    np.save(buffer, array)
    with replacing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


class NpyFile:
    """A .npy file of numbers, open for reading a part at a time. Nothing in it is executed.

    It is not mapped: a mapped file that another program shortens ends the process without a word.
    """

    def __init__(self, path: str | Path, what: str, kinds: str = "fiu") -> None:
        """`kinds` are NumPy's letters for the types allowed: floats, integers, unsigned integers, b
        for booleans.

        Raises InputError, speaking of `what` was expected, if the file is no .npy file of numbers
        or is damaged.
        """
        self.path, self._what = path, what
        self._file = open_file(path)
        try:
            self.shape, self.dtype, self._start = self._read_header(kinds)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "NpyFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read_header(self, kinds: str) -> tuple[tuple[int, ...], np.dtype, int]:
        headers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        try:
            version = np.lib.format.read_magic(self._file)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
                shape, self._column_major, dtype = headers[version](self._file, HEADER_SIZE)
            if dtype.kind not in kinds:
                raise InputError(
                    f"{self.path} holds values of type {str(dtype)[:80]}; expected {self._what}"
                )
            if any(n < 0 for n in shape):
                raise ValueError(f"shape {shape}")
            if 0 in shape:
                np.empty(shape, dtype)  # raises ValueError for dimensions that no array has
            start, size = self._file.tell(), os.fstat(self._file.fileno()).st_size
            self.spare = (
                size - start - math.prod(shape) * dtype.itemsize
            )  # bytes behind the numbers
            if self.spare < 0:
                raise ValueError(f"{size} bytes where {size - self.spare} are needed")
        except (OSError, InputError):
            raise
        except Exception as error:
            raise self._damaged(error) from None
        return shape, dtype, start

    def _damaged(self, error: Exception) -> InputError:
        reason = one_line(str(error).partition("\n")[0], 200) or "a header that cannot be parsed"
        return InputError(
            f"{self.path} is truncated, damaged or no .npy file of numbers ({reason}); expected "
            f"{self._what}: check the path, or make it again"
        )

    def read(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """`count` numbers from number `start` on, in the order of the file: [count]; None: all.

        Raises InputError if they are not there any more.
        """
        count = math.prod(self.shape) - start if count is None else count
        self._file.seek(self._start + start * self.dtype.itemsize)
        values = np.fromfile(self._file, self.dtype, count)
        if len(values) < count:
            raise self._damaged(ValueError("it has become shorter while it was read"))
        return values

    def read_all(self) -> np.ndarray:
        """The whole array."""
        return self.read().reshape(self.shape, order="F" if self._column_major else "C")

    @property
    def in_rows(self) -> bool:
        """Whether the last axis varies fastest, as NumPy writes by default."""
        return not self._column_major or math.prod(self.shape) in self.shape


def read_npy(path: str | Path, what: str, kinds: str = "fiu") -> np.ndarray:
    """The numeric array in a .npy file. Raises InputError as NpyFile does."""
    with NpyFile(path, what, kinds) as file:
        return file.read_all()


class SampleFile:
    """A float32 .npy file [number of samples, ...], written sample by sample.

    It grows beside `path` under a name that nobody can foresee, ending in .partial. Its header
    always counts the finished samples, so that a run that was killed can go on from there; `finish`
    gives it its name.
    """

    def __init__(self, path: str | Path, resume: bool = False) -> None:
        """`resume`: with the samples of the partial or, failing that, of the finished file.

        Raises InputError if those cannot be read, or there are several partial files.
        """
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.sample_shape: tuple[int, ...] | None = None
        earlier = find_samples(path) if resume else None
        if earlier is None:
            for partial in partial_files(path):
                partial.unlink()
            self.partial = self._new_name()
            self.file = self._open("x+b")
            return
        with NpyFile(earlier, "the samples of an earlier run", kinds="f") as samples:
            if samples.dtype != "<f4" or not samples.shape or not samples.in_rows:
                raise InputError(
                    f"{earlier} is no file of an earlier run; expected one: remove it, or "
                    "--overwrite"
                )
            self.count, self.sample_shape = samples.shape[0], samples.shape[1:]
        self.partial = self._new_name() if earlier == self.path else earlier
        os.replace(earlier, self.partial)
        self.file = self._open("r+b")
        self._write_header(self.count)

    def _new_name(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}.partial")

    def _open(self, mode: str) -> BinaryIO:
        def open_no_link(name: str, flags: int) -> int:
            return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

        return open(self.partial, mode, opener=open_no_link)

    def append(self, sample: np.ndarray) -> None:
        """Add a sample. If it does not fit on the disk, OSError is raised and the samples before it
        stay."""
        try:
            if self.count == 0:
                self.sample_shape = sample.shape
                self._write_header(0)
            self.file.seek(self._end(self.count))
            # Not tofile, which would not notice a full disk.
            self.file.write(memoryview(np.ascontiguousarray(sample, "<f4")).cast("B"))
            self._flush()
            self._write_header(self.count + 1)
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise
        self.count += 1

    def _flush(self) -> None:
        self.file.flush()
        os.fsync(
            self.file.fileno()
        )  # the header must not reach the disk before the sample that it counts

    def _write_header(self, count: int) -> None:
        """NumPy leaves room in the header for the first dimension to grow."""
        self.file.seek(0)
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, *self.sample_shape)}
        np.lib.format.write_array_header_1_0(self.file, header)
        self.header_length = self.file.tell()
        self._flush()

    def _end(self, count: int) -> int:
        """Where the first `count` samples end in the file."""
        return self.header_length + count * 4 * math.prod(self.sample_shape)

    def keep(self, count: int) -> None:
        """Forget the samples after the first `count`."""
        if self.count > count:
            self.count = count
            self._write_header(count)

    def finish(self) -> None:
        """Give the file its name."""
        self._write_header(
            self.count
        )  # Ctrl-C may have come between a sample's header and its count
        self.file.truncate(self._end(self.count))
        self._flush()
        self.file.close()
        os.replace(self.partial, self.path)

    def close(self) -> None:
        """Leave the partial file for a later run, or remove it if it has no sample; after `finish`,
        do nothing."""
        with contextlib.suppress(
            OSError
        ):  # what could not be written before is not wanted any more
            self.file.close()
        if not self.count:
            self.partial.unlink(missing_ok=True)


def partial_files(path: str | Path) -> list[Path]:
    """Files in which samples for `path` were collected when a run was killed."""
    path = Path(path)
    name = re.compile(re.escape(path.name) + r"(\.[0-9a-f]{16})?\.partial")
    return (
        sorted(file for file in path.parent.iterdir() if name.fullmatch(file.name))
        if path.parent.is_dir()
        else []
    )


def find_samples(path: str | Path) -> Path | None:
    """The file with the samples for `path` so far: a partial one, or the finished one; None: there
    are none.

    Raises InputError if there are several partial ones, or the finished one is longer than its
    header says.
    """
    partials = [partial for partial in partial_files(path) if partial.stat().st_size]
    if len(partials) > 1:
        raise InputError(
            f"{path} has the partial files {' and '.join(partial.name for partial in partials)}; "
            "expected one: remove the others, or --overwrite"
        )
    if partials:
        return partials[0]
    if not os.path.lexists(path):
        return None
    with NpyFile(path, "the samples of an earlier run", kinds="f") as samples:
        if samples.spare:
            raise InputError(
                f"{path} has {samples.spare} bytes behind the "
                f"{samples.shape[0] if samples.shape else 0} samples of its header; expected none: "
                "--overwrite, or choose another folder"
            )
    return Path(path)


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


def sha256(path: str | Path) -> str:
    digest = hashlib.sha256()
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
