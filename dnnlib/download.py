"""Files by path, by address or by name; what is not here yet is fetched, checked, and kept in the cache folder."""

import contextlib
import difflib
import errno
import hashlib
import http.client
import os
import platform
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tqdm import tqdm

from .catalogue import ENTRIES, Entry
from .errors import InputError
from .reading import open_file

TRIES = 5  # for a connection that is cut
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 18  # bytes


def cache_folder() -> Path:
    """LOWRANKGAN_CACHE, or a folder in the user's cache directory. Raises InputError if there is neither."""
    if folder := os.environ.get("LOWRANKGAN_CACHE"):
        return Path(folder)
    try:
        if platform.system() == "Darwin":
            caches = Path.home() / "Library/Caches"
        elif platform.system() == "Windows":
            caches = Path(os.environ.get("LOCALAPPDATA") or Path.home())
        else:
            caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise InputError("there is no home folder, where files are kept that are fetched; expected another folder: "
                           "name it by LOWRANKGAN_CACHE") from None
    return caches / "lowrankgan"


def list_names() -> str:
    """A line for each known name: what kind it is, and what it shows."""
    return "\n".join(f"{entry.name:24} {entry.kind:11} {entry.what}" for entry in ENTRIES)


def find_file(name: str, kind: Literal["network", "directions"] | None = None) -> Path:
    """The file that a user names: a path, an http(s) address, or a name of the catalogue. `kind` None: any.

    A path under directions/ that the catalogue knows is fetched into place, anything else into the cache folder.
    Raises InputError if there is no such file and no such name, or a file cannot be fetched whole and right; OSError
    if there is no looking for it.
    """
    path = Path(name)
    if path.is_file():
        return path
    if name.lower().startswith(("http://", "https://")):
        return _fetch_address(name, kind or "network")
    entries = {entry.name: entry for entry in ENTRIES}
    known = path.as_posix().removesuffix(".npy")
    in_place = known.startswith("directions/")
    entry = entries.get(known.removeprefix("directions/"))
    if entry is None or (in_place and entry.kind != "directions"):
        try:
            path.stat()
        except OSError as error:  # EINVAL: Windows, of a name that no file can have
            if error.errno not in (errno.ENOENT, errno.EINVAL):
                raise
        found = "a folder" if path.is_dir() else "no regular file" if path.exists() else "not there"
        similar = difflib.get_close_matches(known.removeprefix("directions/").lower(), entries, 1)
        hint = f"did you mean {similar[0]}? " if similar else ""
        raise InputError(f"{name or path} is {found}; expected a file, an http(s) address or a known name: {hint}"
                           "check the path, or see manipulate.py --list")
    if kind not in (None, entry.kind):
        raise InputError(f"{name} is the name of {entry.what} ({entry.kind}); expected "
                           f"{'a network' if kind == 'network' else kind}: --list shows all, and --help their order")
    return fetch(entry, Path(f"{known}.npy") if in_place else cache_folder() / entry.file_name)


def _fetch_address(address: str, kind: Literal["network", "directions"]) -> Path:
    """The file at an address, as browsers show it or percent-encoded, under its own name in the cache folder.

    Of that the last 60 characters: file systems take 255 bytes, the endings of the partial files included.
    """
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InputError(f"{address} is no address ({error}); expected one like https://host/file.pkl") from None
    file_name = re.sub(r"[^\w.-]", "_", PurePosixPath(unquote(parts.path)).name).strip(".")[-60:] or "file"
    path, query = (quote(part, "!$%&'()*+,/:;=?@~", errors="surrogateescape") for part in (parts.path, parts.query))
    encoded = urlunsplit(parts._replace(path=path, query=query, fragment=""))
    target = cache_folder() / hashlib.sha256(os.fsencode(address)).hexdigest()[:12] / file_name
    return fetch(Entry(address, kind, file_name, (encoded,)), target)


def fetch(entry: Entry, target: Path) -> Path:
    """The file of an entry at `target`: as it lies there, or downloaded now.

    It grows beside its final name and goes on where an earlier download was cut. Raises InputError if no address has
    it, or its size or checksum is wrong.
    """
    if target.exists():
        return target
    with _only_download():
        if not target.exists():  # another process may have been faster
            _fetch_to(target, entry)
    return target


@contextlib.contextmanager
def _only_download() -> Iterator[None]:
    """Waits for other processes, as two of them would write to the same partial file.

    Where there are no locks, on Windows and some file systems, it is up to the user.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError, InputError):
            import fcntl

            cache_folder().mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(open(cache_folder() / "lock", "w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("another process is downloading: waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_to(target: Path, entry: Entry) -> None:
    """Download the file from the first address that has it, check it, and give it its name."""
    partial = target.with_name(target.name + ".partial")
    with _on_disk(partial):
        partial.parent.mkdir(parents=True, exist_ok=True)
    for address in entry.addresses:
        print(f"fetching {address} to {target}", flush=True)
        try:
            _download(address, partial, entry)
            break
        except urllib.error.HTTPError as error:
            reason = f"{address} answers {error.code} {error.reason}"
        except http.client.HTTPException as error:
            reason = f"{address} does not send the file ({error})"
        except OSError as error:
            reason = f"{address} cannot be reached ({getattr(error, 'reason', error)})"
    else:  # the folder stays, for who brings the file by hand
        raise InputError(f"{reason}; expected the file: try again, or get it elsewhere and put it at {target}")
    _expect(partial, entry)
    os.replace(partial, target)
    _validator(partial).unlink(missing_ok=True)


def _download(address: str, partial: Path, entry: Entry) -> None:
    """Bring the partial file to its full length, in several connections if need be."""
    for attempt in range(TRIES):
        before = _size(partial)
        try:
            _receive(address, partial, entry)
            return
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException):
            if attempt == TRIES - 1 or _size(partial) == before:
                raise
            time.sleep(0.2 * attempt)


def _receive(address: str, partial: Path, entry: Entry) -> None:
    """Append what one connection sends. Raises http.client.HTTPException if that is not the file, or not all of it."""
    start = _size(partial)
    headers = {"User-Agent": "lowrankgan"}
    validator = _validator(partial).read_text(encoding="utf-8") if _validator(partial).exists() else None
    if start and (validator or entry.sha256):
        headers["Range"] = f"bytes={start}-"
        if validator:  # the rest only if the file is still the same
            headers["If-Range"] = validator
    try:
        response = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        if _range(error.headers)[1] != start:  # else nothing is left to send
            partial.unlink()
            raise http.client.HTTPException("nor the rest of what was there before") from None
        return
    except ValueError as error:  # in the address, or in one that it leads to
        raise http.client.HTTPException(f"as an address is wrong: {error}") from None
    with response:
        if response.headers.get_content_type() == "text/html":
            raise http.client.HTTPException("but a web page; a browser may get further")
        length = response.headers.get("Content-Length", "")
        total = int(length) if re.fullmatch(r"\d{1,18}", length, re.ASCII) else None
        resumed = response.status == 206
        if resumed:
            first, whole = _range(response.headers)
            if first != start:
                partial.unlink(missing_ok=True)
                raise http.client.HTTPException("but another part than was asked for")
            total = whole or (total and start + total)
        total = total or entry.size
        with _on_disk(partial):
            _validator(partial).write_text(response.headers.get("ETag", ""), encoding="utf-8")
            file = open(partial, "ab" if resumed else "wb")  # noqa: SIM115, closed below
        with file, tqdm(total=total, initial=file.tell(), desc=entry.name, unit="B", unit_scale=True,
                        disable=None) as bar:
            while block := response.read(BLOCK):
                with _on_disk(partial):
                    file.write(block)
                    file.flush()
                bar.update(len(block))
    size = _size(partial)
    if not size or size < (total or 0):
        raise http.client.HTTPException(f"it was cut off after {size} of {total or 'some'} bytes")


def _size(partial: Path) -> int:
    return partial.stat().st_size if partial.exists() else 0


def _range(headers: Message) -> tuple[int | None, int | None]:
    """The first byte and the length of the whole file, as a Content-Range has them; None: unknown."""
    pattern = r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(?:(\d{1,18})|\*)"
    found = re.fullmatch(pattern, headers.get("Content-Range", ""), re.ASCII)
    first, total = found.groups() if found else (None, None)
    return first and int(first), total and int(total)


@contextlib.contextmanager
def _on_disk(partial: Path) -> Iterator[None]:
    """Tells an error of the disk from one of the connection."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{partial} cannot be written ({error.strerror or error}); expected a folder that may be "
                           "written and has room: mend that, or use a name without directions/ and name another folder "
                           "by LOWRANKGAN_CACHE") from None


def _validator(partial: Path) -> Path:
    """The file with the ETag of what the partial file is a part of."""
    return partial.with_name(partial.name + ".etag")


def _expect(partial: Path, entry: Entry) -> None:
    """Raise InputError, and forget the file, if its size or checksum is not that of the catalogue."""
    found = None
    if entry.size not in (None, partial.stat().st_size):
        found, expected = f"{partial.stat().st_size} bytes", f"{entry.size} bytes"
    elif entry.sha256:
        with open_file(partial) as file:
            digest = hashlib.sha256()
            while block := file.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != entry.sha256:
            found, expected = f"SHA-256 {digest.hexdigest()}", entry.sha256
    if found:
        partial.unlink()
        _validator(partial).unlink(missing_ok=True)
        raise InputError(f"{entry.name} from {entry.addresses[0]} has {found}; expected {expected}: try again, "
                           "and do not use this file")
