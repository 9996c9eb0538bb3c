"""A file that is being fetched: what has come of it, to be finished now or in a later run."""

import contextlib
import glob
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dnnlib.errors import InputError
from dnnlib.reading import open_own

LARGEST = 1 << 32  # bytes, of any file: the largest public networks have a tenth of that
BLOCK = 1 << 16  # bytes
_STATE_SIZE = 1024  # bytes
_STRONG_ETAG = r'"[\x21\x23-\x7e]{1,200}"'  # a weak one, W/"...", may stand for other bytes


class PartialFile:
    """The first `length` bytes of a file, beside its final name and under one that nobody foresees.

    As a context it begins with what an earlier run has kept. At its end it keeps what was not
    finished, if an ETag and a total length say which file that is a part of.

    The name of the kept file, `.NAME.part`, can be foreseen: it is only copied, never written to.
    Its last 1024 bytes are a JSON object, filled up with spaces: the SHA-256 of the address, the
    ETag and the total length that the server gave, the length and the SHA-256 of what is before.
    Unless all of that is true, nothing was kept.
    """

    def __init__(self, target: Path, address: str) -> None:
        """Raises InputError if there can be no file beside `target`."""
        self.target, self.address = target, hashlib.sha256(os.fsencode(address)).hexdigest()
        self.kept = target.with_name(f".{target.name}.part")
        self.path = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
        with on_disk(target):
            self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115, closed by __exit__
        self.clear()

    @staticmethod
    def left_by_killed(target: Path) -> Iterator[Path]:
        """What no process finishes, if none is at work on `target`."""
        return target.parent.glob(f".{glob.escape(target.name)}.{'[0-9a-f]' * 16}.partial")

    def clear(self) -> None:
        """Begin again."""
        self._file.seek(0)
        self._file.truncate()
        self.length, self.sha256 = 0, hashlib.sha256()
        self.etag: str | None = None
        self.total: int | None = None

    def begin(self, etag: str | None, total: int | None) -> None:
        """Begin a file of this ETag and length, where known."""
        self.clear()
        self.etag, self.total = etag if re.fullmatch(_STRONG_ETAG, etag or "") else None, total

    def append(self, block: bytes) -> None:
        """Raises InputError if the disk does not take it."""
        rest = memoryview(block)
        with on_disk(self.target):
            while rest:
                rest = rest[self._file.write(rest) :]
        self.sha256.update(block)
        self.length += len(block)

    def can_go_on(self) -> bool:
        """Whether the rest could be told from that of another file."""
        return bool(self.length and self.etag and self.total)

    def goes_on_with(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether this answer has the rest, all of it, of the same file."""
        left = str(self.total - self.length)
        part = f"bytes {self.length}-{self.total - 1}/{self.total}"
        return (
            status == 206
            and headers.get("ETag") == self.etag
            and headers.get("Content-Range") == part
            and headers.get("Content-Length", left) == left
            and headers.get("Content-Encoding", "identity").lower() == "identity"
        )

    def finish(self) -> None:
        """Give the file its name, once it is on the disk."""
        with on_disk(self.target):
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self.path, self.target)
            self.kept.unlink(missing_ok=True)

    def __enter__(self) -> "PartialFile":
        # It is not there, or not ours.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            with open_own(self.kept, "rb") as file:
                length = os.fstat(file.fileno()).st_size - _STATE_SIZE
                file.seek(length)
                state = json.loads(file.read(_STATE_SIZE))
                file.seek(0)
                if length == state["length"] <= state["total"] <= LARGEST:
                    self.begin(state["etag"], state["total"])
                    while block := file.read(min(BLOCK, length - self.length)):
                        self.append(block)
            if self.can_go_on() and state == self._state():
                return self
        self.clear()
        return self

    def __exit__(self, *_: object) -> None:
        # What cannot be kept is fetched again.
        with contextlib.suppress(OSError), contextlib.closing(self._file):
            if not self._file.closed and self.can_go_on():
                self._file.truncate(self.length)
                self._file.seek(self.length)
                self._file.write(json.dumps(self._state()).encode().ljust(_STATE_SIZE))
                self._file.close()
                os.replace(self.path, self.kept)
        self.path.unlink(missing_ok=True)

    def _state(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "etag": self.etag,
            "total": self.total,
            "length": self.length,
            "sha256": self.sha256.hexdigest(),
        }


@contextlib.contextmanager
def on_disk(target: Path) -> Iterator[None]:
    """Tells an error of the disk from one of the connection."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}); expected a folder that may "
            "be written and has room: mend that, or use a name without directions/ and name "
            "another folder by LOWRANKGAN_CACHE"
        ) from None
