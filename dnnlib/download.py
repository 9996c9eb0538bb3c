"""Files by path, by address or by name; what is not here yet is fetched, checked, and kept in the cache folder."""

import hashlib
import http.client
import os
import platform
import time
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from .catalogue import ENTRIES, Entry
from .errors import NetworkError

TRIES = 5  # for a connection that is cut
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 18  # bytes


def cache_folder() -> Path:
    """LOWRANKGAN_CACHE, or a folder in the user's cache directory."""
    if folder := os.environ.get("LOWRANKGAN_CACHE"):
        return Path(folder)
    home = {"Darwin": Path.home() / "Library/Caches", "Windows": Path(os.environ.get("LOCALAPPDATA", Path.home()))}
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home.get(platform.system(), default) / "lowrankgan"


def list_names() -> str:
    """A line for each known name: what kind it is, and what it shows."""
    return "\n".join(f"{entry.name:24} {entry.kind:11} {entry.what}" for entry in ENTRIES)


def find_file(name: str, kind: Literal["network", "directions"] | None = None) -> Path:
    """The file that a user names: a path, an http(s) address, or a name of the catalogue. `kind` None: any.

    A path under directions/ that the catalogue knows is fetched into place, anything else into the cache folder.
    A path that is not there is returned as it is. Raises NetworkError if a file cannot be fetched whole and right.
    """
    path = Path(name)
    if path.exists():
        return path
    if urlsplit(name).scheme in ("http", "https"):
        base = PurePosixPath(unquote(urlsplit(name).path)).name or "file"
        target = cache_folder() / hashlib.sha256(name.encode()).hexdigest()[:12] / base
        return fetch(Entry(name, kind or "network", base, (name,)), target)
    entries = {entry.name: entry for entry in ENTRIES}
    if entry := entries.get(name.removesuffix(".npy")):
        if kind not in (None, entry.kind):
            raise NetworkError(f"{name} is the name of {entry.what} ({entry.kind}); expected {kind}: --list shows all")
        return fetch(entry, cache_folder() / entry.file_name)
    if path.parts[:1] == ("directions",) and (entry := entries.get(path.relative_to("directions").with_suffix("")
                                                                   .as_posix())):
        return fetch(entry, path)
    return path


def fetch(entry: Entry, target: Path) -> Path:
    """The file of an entry at `target`: as it lies there, or downloaded now.

    It grows beside its final name and goes on where an earlier download was cut. Raises NetworkError if no address has
    it, or its size or checksum is wrong.
    """
    if target.exists():
        return target
    partial = target.with_name(target.name + ".partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    for address in entry.addresses:
        print(f"fetching {address} to {target}", flush=True)
        try:
            _download(address, partial, entry)
            break
        except urllib.error.HTTPError as error:
            reason = f"{address} answers {error.code} {error.reason}"
        except OSError as error:  # URLError, time-outs, a cut connection
            reason = f"{address} cannot be reached ({getattr(error, 'reason', error)})"
        except http.client.HTTPException as error:
            reason = f"{address} was cut off ({error})"
    else:
        raise NetworkError(f"{reason}; expected the file: try again, or get it elsewhere and put it at {target}")
    _expect(partial, entry)
    os.replace(partial, target)
    _validator(partial).unlink(missing_ok=True)
    return target


def _download(address: str, partial: Path, entry: Entry) -> None:
    """Bring the partial file to its full length, in several connections if need be."""
    for attempt in range(TRIES):
        before = partial.stat().st_size if partial.exists() else 0
        try:
            _receive(address, partial, entry)
            return
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to send
                return
            raise
        except (OSError, http.client.HTTPException):
            progress = partial.exists() and partial.stat().st_size > before
            if attempt == TRIES - 1 or not progress:
                raise
            time.sleep(0.2 * attempt)


def _receive(address: str, partial: Path, entry: Entry) -> None:
    """Append what one connection sends. Raises http.client.IncompleteRead if it is less than was announced."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "lowrankgan"}
    validator = _validator(partial).read_text(encoding="utf-8") if _validator(partial).exists() else None
    if start and (validator or entry.sha256):
        headers["Range"] = f"bytes={start}-"
        if validator:  # the rest only if the file is still the same
            headers["If-Range"] = validator
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT) as response:
        resumed = response.status == 206
        start = start if resumed else 0
        _validator(partial).write_text(response.headers.get("ETag", ""), encoding="utf-8")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else entry.size
        with open(partial, "ab" if resumed else "wb") as file, tqdm(
                total=total, initial=start, desc=entry.name, unit="B", unit_scale=True, disable=None) as bar:
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))
        if total is not None and partial.stat().st_size < total:
            raise http.client.IncompleteRead(b"", total - partial.stat().st_size)


def _validator(partial: Path) -> Path:
    """The file with the ETag of what the partial file is a part of."""
    return partial.with_name(partial.name + ".etag")


def _expect(partial: Path, entry: Entry) -> None:
    """Raise NetworkError, and forget the file, if its size or checksum is not that of the catalogue."""
    found = None
    if entry.size not in (None, partial.stat().st_size):
        found, expected = f"{partial.stat().st_size} bytes", f"{entry.size} bytes"
    elif entry.sha256:
        with open(partial, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != entry.sha256:
            found, expected = f"SHA-256 {digest.hexdigest()}", entry.sha256
    if found:
        partial.unlink()
        _validator(partial).unlink(missing_ok=True)
        raise NetworkError(f"{entry.name} from {entry.addresses[0]} has {found}; expected {expected}: try again, "
                           "and do not use this file")
