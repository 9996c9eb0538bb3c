"""One run at a time in a folder."""

import contextlib
import errno
import os
import platform
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from dnnlib.errors import InputError
from dnnlib.text import one_line

HOLDER_SIZE = 300  # characters that are kept of who holds a lock


class InUseError(InputError):
    """Another run holds the lock."""


@contextlib.contextmanager
def lock_folder(folder: str | Path, part: str = "") -> Iterator[None]:
    """Hold a folder, which is made if need be, or only the `part` of it whose files have that name.

    The lock is the operating system's, on a file `.lock` or `.{part}.lock` in the folder: it ends
    with the process, however that ends. Afterwards the file is removed, and the folder if it was
    made here and is empty.

    Raises InUseError, saying who holds it, if another process does.
    """
    folder = Path(folder)
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # as below /proc
        raise InputError(
            f"{folder} cannot be made ({error.strerror}); expected a folder that can be written "
            "to: choose another",
            option="output_dir",
        ) from None
    path = folder / (f".{part}.lock" if part else ".lock")
    try:
        with _locked_file(path, folder):
            _remove_left_overs(folder, path)
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows: in use, by this process
                    path.unlink()
    finally:
        if made:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def _remove_left_overs(folder: Path, lock: Path) -> None:
    """Remove what killed runs were writing, unless another run is at work in the folder."""
    left = list(folder.glob(f".{'[0-9a-f]' * 16}.partial"))  # before the locks are looked at
    if set(folder.glob(".*lock")) == {lock}:
        for path in left:
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def _locked_file(path: Path, folder: Path) -> Iterator[None]:
    while True:
        number = _open(path)
        try:
            try:
                _lock(number)
            except BlockingIOError:
                raise InUseError(
                    f"{folder} is in use by {_read_holder(number)}; expected no other run there: "
                    "wait for it, or choose another --output_dir"
                ) from None
            if not _is_at(number, path):  # its holder has removed it since it was opened
                continue
            os.ftruncate(number, 0)
            os.write(number, _holder().encode("utf-8", "replace"))
            yield
            return
        finally:
            os.close(number)


def _open(path: Path) -> int:
    """Made or opened, but never through a link that someone has put there."""
    number = os.open(
        path,
        os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0),
        0o666,
    )
    facts = os.fstat(number)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        os.close(number)
        raise InputError(f"{path} is no lock of this toolkit; expected none, or one: remove it")
    return number


def _is_at(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(number: int) -> None:
    """Raises BlockingIOError if another process has locked the file."""
    if sys.platform == "win32":
        import msvcrt

        try:
            os.lseek(
                number, HOLDER_SIZE * 8, os.SEEK_SET
            )  # Windows lets nobody read what is locked
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
            os.lseek(number, 0, os.SEEK_SET)
        except OSError:
            raise BlockingIOError from None
    else:
        import fcntl

        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
                raise
            # A file system without locks: as good as it gets there.


def _holder() -> str:
    return f"process {os.getpid()} on {platform.node()}: python {' '.join(sys.argv)}"[:HOLDER_SIZE]


def _read_holder(number: int) -> str:
    os.lseek(number, 0, os.SEEK_SET)
    text = os.read(number, 4 * HOLDER_SIZE).decode("utf-8", "replace")
    return one_line(text, HOLDER_SIZE) or "another run"
