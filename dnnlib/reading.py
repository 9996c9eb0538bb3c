"""Files are opened safely: users' for reading, where a pipe or a device, for which a program may
wait forever, is refused unread; the toolkit's own, where no link of somebody else's is followed."""

import errno
import os
import stat
from pathlib import Path
from typing import IO, BinaryIO

from dnnlib.errors import InputError

_KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))


def open_file(path: str | Path) -> BinaryIO:
    """The file, open for reading bytes.

    Raises InputError if it is no regular file; OSError if there is none, it is a folder, or it may
    not be read.
    """

    def opener(name: str, flags: int) -> int:
        # Else opening a pipe waits until a program writes to it.
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", opener=opener)  # noqa: SIM115, closed by the caller
    found_there = os.fstat(file.fileno())
    mode = found_there.st_mode
    if stat.S_ISREG(mode) and not found_there.st_size:
        file.close()  # what the system makes up as it is read may wait, too: empty it is
        return open(os.devnull, "rb")
    if not stat.S_ISREG(mode):
        file.close()
        found = next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
        raise InputError(f"{path} is {found}; expected a regular file: save its content to one")
    return file


def open_own(path: str | Path, mode: str, permissions: int = 0o666) -> IO[bytes]:
    """A file of this toolkit's own, whose name others may foresee, opened in a binary `mode`.

    Raises OSError ELOOP if somebody has put a link, a second name of another file, a pipe or a
    device there; OSError also if it cannot be opened.
    """

    def opener(name: str, flags: int) -> int:
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        return os.open(name, flags, permissions)

    file = open(path, mode, opener=opener)  # noqa: SIM115, closed by the caller
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        file.close()
        raise OSError(errno.ELOOP, "is a link or no regular file", str(path))
    return file


def is_regular(path: str | Path) -> bool:
    """Whether there is such a file, or a link to one, that is no folder, pipe or device."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
