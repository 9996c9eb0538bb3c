"""Arrays of samples that are written one by one, so that a run that was killed can go on."""

import contextlib
import errno
import math
import os
import re
import secrets
from pathlib import Path

import numpy as np

from dnnlib.containers.npy import NpyFile
from dnnlib.errors import InputError
from dnnlib.reading import open_own


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
        self.sample_shape: tuple[int, ...] = ()
        earlier = find_samples(path) if resume else None
        if earlier is None:
            for partial in partial_files(path):
                partial.unlink()
            self.partial = self._new_name()
            self.file = open_own(self.partial, "x+b")
            return
        with NpyFile(earlier, "the samples of an earlier run", kinds="f") as samples:
            if samples.dtype != "<f4" or not samples.shape or not samples.in_rows:
                raise InputError(
                    f"{earlier} is no file of an earlier run; expected one: remove it, or "
                    "--overwrite"
                )
            self.count, self.sample_shape = samples.shape[0], samples.shape[1:]
        _expect_own(earlier)
        self.partial = self._new_name() if earlier == self.path else earlier
        os.replace(earlier, self.partial)
        self.file = open_own(self.partial, "r+b")
        self._write_header(self.count)

    def _new_name(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}.partial")

    def append(self, sample: np.ndarray) -> None:
        """Add a sample. If it does not fit on the disk, OSError is raised and the samples before it
        stay."""
        try:
            if self.count == 0:
                self.sample_shape = sample.shape
                self._write_header(0)
            self.file.seek(self._end(self.count))
            # Not tofile, which would not notice a full disk.
            self.file.write(np.ascontiguousarray(sample, "<f4").data.cast("B"))
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


def _expect_own(path: Path) -> None:
    """Raise InputError if to write to this file would change another one."""
    try:
        open_own(path, "r+b").close()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(
            f"{path} is a link, or has a second name; expected a file of its own, to add samples "
            "to: copy it, or choose another --output_dir"
        ) from None


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
