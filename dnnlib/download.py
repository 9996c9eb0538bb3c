"""Files by path, by address or by name; what is not here is fetched, checked, and kept in the
cache.

What a server says is doubted: how much is to come, and whether what came is the file. Nothing has
its final name before that is known.
"""

import contextlib
import difflib
import errno
import glob
import hashlib
import os
import platform
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from http.client import responses
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from dnnlib.catalogue import ENTRIES, Entry, Kind
from dnnlib.errors import InputError
from dnnlib.families import SETTINGS_FILE, is_network_folder
from dnnlib.partial_file import LARGEST, PartialFile, on_disk
from dnnlib.progress import ProgressBar
from dnnlib.reading import is_regular, open_own
from dnnlib.text import file_name_part, one_line
from dnnlib.web import SCHEMES, Failure, ask, shown

TRIES = 5  # for a connection that is cut


def cache_folder() -> Path:
    """LOWRANKGAN_CACHE, or a folder in the user's cache directory. Raises InputError if there is
    neither."""
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
        raise InputError(
            "there is no home folder, where files are kept that are fetched; expected another "
            "folder: name it by LOWRANKGAN_CACHE"
        ) from None
    return caches / "lowrankgan"


def list_names() -> str:
    """A line for each known name: what kind it is, and what it shows."""
    return "\n".join(f"{entry.name:32} {entry.kind:11} {entry.what}" for entry in ENTRIES)


def find_file(name: str, kind: Kind | None = None) -> Path:
    """The file that a user names: a path, an http(s) address, or a name of the catalogue. `kind`
    None: any.

    A path under directions/ that the catalogue knows is fetched into place, anything else into the
    cache folder. Raises InputError if there is no such file and no such name, or a file cannot be
    fetched whole and right; OSError if there is no looking for it.
    """
    found = _find(name, kind, fetches=True)
    assert found is not None
    return found


def _find(name: str, kind: Kind | None, fetches: bool) -> Path | None:
    """As `find_file`; None for what would have to be fetched, if that is not asked for."""
    path = Path(name)
    if is_regular(path) or (kind != "directions" and is_network_folder(path)):
        return path
    if name.lower().startswith(SCHEMES):
        return _fetch_address(name, kind)
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
        names = {each: each for each in entries}
        if kind == "directions":
            names |= {each.rpartition("/")[2]: each for each in reversed(entries)}
        similar = [
            names[each]
            for each in difflib.get_close_matches(
                known.removeprefix("directions/").lower(), names, 1
            )
        ]
        hint = f"did you mean {similar[0]}? " if similar else ""
        raise InputError(
            f"{name or path} is {found}; expected a file, an http(s) address or a known name: "
            f"{hint}check the path, or see manipulate.py `list`"
        )
    if kind not in (None, entry.kind):
        one = "a network" if kind == "network" else kind
        such = f", such as {entry.network}" if kind == "network" and entry.network else ""
        raise InputError(
            f"{name} is the name of {entry.what} ({entry.kind}); expected {one}{such}: "
            "manipulate.py `list` shows all"
        )
    if entry.path:
        return _brought_along(entry.path)
    if not fetches:
        return None
    return fetch(entry, Path(f"{known}.npy") if in_place else cache_folder() / entry.file_name)


def _brought_along(path: str) -> Path:
    """A file below the toolkit's folder, relative to the working directory where it is in it."""
    full = Path(__file__).resolve().parent.parent / path
    folder = Path.cwd()
    return full.relative_to(folder) if full.is_relative_to(folder) else full


def find_run_files(network: str, directions: Iterable[str]) -> tuple[Path, list[Path]]:
    """The files of a network and of directions, which may be files, addresses, names, folders of
    .npy files or patterns such as eyes*.npy; a name may leave out its network.

    All names are looked up before anything is fetched. Raises InputError and OSError as
    `find_file`.
    """
    directions = list(directions)
    _expect_order(network, directions)
    named = [each for name in directions for each in _expanded(name, network)]
    wanted: list[tuple[str, Kind]] = [(network, "network")]
    wanted += [(name, "directions") for name in named]
    for name, kind in wanted:
        if not name.lower().startswith(SCHEMES):
            _find(name, kind, fetches=False)
    files = [find_file(name, "directions") for name in named]
    return find_file(network, "network"), list(dict.fromkeys(files))


def _expect_order(network: str, directions: list[str]) -> None:
    """Raise InputError if directions stand first, and a network behind them."""
    behind = [name for name in directions if not _are_directions(name)]
    if not _are_directions(network) or len(behind) != 1:
        return
    right = [*behind, network, *(name for name in directions if name not in behind)]
    raise InputError(
        f"{network} is no network, which comes first; expected: python manipulate.py "
        f"{shlex.join(right)}"
    )


def _are_directions(name: str) -> bool:
    """Whether a name can be one of directions but not of a network: by the catalogue, also without
    its network, or by its ending."""
    names = {entry.name for entry in ENTRIES if entry.kind == "directions"}
    names |= {each.rpartition("/")[2] for each in names}
    return name.endswith(".npy") or (name in names and not is_regular(Path(name)))


def _expanded(name: str, network: str) -> list[str]:
    """The names that one stands for."""
    path = Path(name)
    is_file = path.exists() and not path.is_dir()
    if is_file or name.lower().startswith(SCHEMES) or name in {entry.name for entry in ENTRIES}:
        return [name]
    names = [
        entry.name
        for entry in reversed(ENTRIES)
        if network == entry.name or (entry.path and Path(network) == Path(entry.path))
    ]
    is_of = {
        entry.name.rpartition("/")[2]: entry.name
        for entry in reversed(ENTRIES)
        if entry.network in names
    }
    if name in is_of:
        return [is_of[name]]
    pattern = f"{glob.escape(name)}/*.npy" if path.is_dir() else name
    found = sorted(each for each in glob.glob(pattern) if is_regular(each))
    if not found and path.is_dir():
        raise InputError(
            f"{name} is a folder without .npy files; expected directions: name a file, or another "
            "folder"
        )
    if not found and glob.has_magic(name):
        raise InputError(f"no file is called {name}; expected directions: check the pattern")
    return found or [name]


def _fetch_address(address: str, kind: Kind | None) -> Path:
    """The file at an address, as browsers show it or percent-encoded, under its own name in the
    cache folder."""
    try:
        parts = urlsplit(address)
        usable = parts.hostname and parts.port != 0 and not re.search(r"[\\\s]", parts.netloc)
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"{shown(re.sub('//.*@', '//', address))} is no address: its host or port "
            "cannot be read; expected one like https://host/file.pkl: check it"
        )
    name = PurePosixPath(unquote(parts.path)).name
    file_name = file_name_part(re.sub(r"[^\w.-]", "_", name).strip(".") or "file")
    path, query = (
        quote(part, "!$%&'()*+,/:;=?@~", errors="surrogateescape")
        for part in (parts.path, parts.query)
    )
    encoded = urlunsplit(parts._replace(path=path, query=query, fragment=""))
    folder = cache_folder() / hashlib.sha256(os.fsencode(address)).hexdigest()
    return fetch(Entry(shown(address), kind, file_name, (encoded,)), folder / file_name)


def fetch(entry: Entry, target: Path) -> Path:
    """The file of an entry at `target`: as it lies there, or downloaded now.

    What the catalogue has no checksum of must be what a reader of this package accepts. Raises
    InputError if no address has the file, or what came is another.
    """
    if entry.settings:
        settings = Entry(f"{entry.name}'s settings", "settings", "settings", (entry.settings,))
        fetch(settings, target.with_name(SETTINGS_FILE))
    if target.exists():
        return target
    with on_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _turn(target):
        if not target.exists():  # another process may have been faster
            _fetch_to(target, entry)
    return target


@contextlib.contextmanager
def _turn(target: Path) -> Iterator[None]:
    """Waits while another process fetches the same file, and says so.

    Where there are no locks, on Windows and some file systems, both fetch it: that is slow, but
    nothing goes wrong.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError, InputError):
            import fcntl

            locks = cache_folder() / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            path = locks / hashlib.sha256(os.fsencode(target.absolute())).hexdigest()
            lock = stack.enter_context(open_own(path, "ab+", 0o600))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = re.sub(rb"[^0-9]", b"", lock.read(10)).decode()
                print(
                    one_line(f"process {holder} is fetching {target}: waiting for it"), flush=True
                )
                fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write(str(os.getpid()).encode())
            lock.flush()
            for left in PartialFile.left_by_killed(target):
                left.unlink()
        yield


def _fetch_to(target: Path, entry: Entry) -> None:
    """Download the file from the first address that has it, check it, and give it its name."""
    reasons = []
    for address in entry.addresses:
        print(one_line(f"fetching {shown(address)} to {target}"), flush=True)
        with PartialFile(target, address) as part:
            try:
                _download(address, part, entry)
            except Failure as failure:
                reasons.append(f"{shown(address)} {failure}")
                continue
            if wrong := _wrong(part, entry):
                part.clear()
                part.kept.unlink(missing_ok=True)
                raise InputError(
                    f"{shown(address)} does not send {entry.what}: {wrong}; do not use "
                    f"this file: try again, or get it elsewhere and put it at {target}"
                )
            part.finish()
            return
    raise InputError(
        f"{'; '.join(reasons)}; expected the file: try again, or get it elsewhere and "
        f"put it at {target}"
    )


def _wrong(part: PartialFile, entry: Entry) -> str | None:
    """What is wrong with all that came: its checksum or, where none is known, that no reader takes
    it."""
    from dnnlib.describe import describe
    from dnnlib.families import read_network, read_settings

    digest, found = part.sha256.hexdigest(), None
    if digest == entry.sha256:
        return None
    try:
        if entry.kind == "settings":
            return None if read_settings(part.path) else "it is no JSON object"
        (read_network if entry.kind == "network" else describe)(part.path)
    except InputError as error:
        found = one_line(str(error).replace(str(part.path), "it"), 500)
    if entry.sha256 is None:
        return found
    return f"SHA-256 {digest}, expected {entry.sha256}{f' ({found})' if found else ''}"


def _download(address: str, part: PartialFile, entry: Entry) -> None:
    """Bring the part to its full length, in several connections if each brings something."""
    for attempt in range(TRIES):
        before = part.length
        if before and before == part.total:  # an earlier run was stopped while it checked
            return
        try:
            _receive(address, part, entry)
            return
        except Failure:
            if attempt == TRIES - 1 or part.length == before:
                raise
            time.sleep(attempt)


def _receive(address: str, part: PartialFile, entry: Entry) -> None:
    """Append what one connection sends. Raises Failure if that is not the file, or not all of
    it."""
    headers = {"User-Agent": "lowrankgan", "Accept-Encoding": "identity"}
    if part.can_go_on() and part.etag:
        headers |= {"Range": f"bytes={part.length}-", "If-Range": part.etag}
    answer = ask(address, headers)
    status, received = next(answer)
    if "Range" not in headers or status not in (206, 416):
        part.begin(received.get("ETag"), _length(status, received, entry))
    elif not part.goes_on_with(status, received):
        part.clear()
        raise Failure("does not go on where it was cut")
    with ProgressBar(
        total=part.total,
        initial=part.length,
        desc=entry.name,
        unit="B",
        unit_scale=True,
    ) as bar:
        try:
            for block in answer:
                if part.length + len(block) > (part.total or LARGEST):
                    part.clear()
                    raise Failure("goes on after the end of the file")
                part.append(block)
                bar.update(len(block))
            if part.length < (part.total or 1):
                raise Failure("is cut off")
        except Failure as failure:
            of = f" of {part.total}" if part.total else ""
            raise Failure(
                f"{failure}, after {part.length}{of} bytes" if part.length else str(failure)
            ) from None


def _length(status: int, headers: Mapping[str, str], entry: Entry) -> int | None:
    """How many bytes are to come; None: their end will be marked.

    Raises Failure if they cannot be the whole file, or a cut could not be told from its end.
    """
    stated = headers.get("Content-Length", "")
    transfer = headers.get("Transfer-Encoding", "").lower()
    encoding = headers.get("Content-Encoding", "identity")
    if status != 200:
        raise Failure(f"answers {status} ({responses.get(status, 'whatever that is')})")
    if encoding.lower() != "identity":
        raise Failure(f"sends it in a coding that was not asked for ({one_line(encoding, 40)})")
    if transfer == "chunked" and not stated:
        return entry.size
    if transfer or not re.fullmatch("[0-9]{1,18}", stated):
        said = one_line(transfer or stated or "not at all", 40)
        raise Failure(f"does not say clearly how long it is ({said})")
    total = int(stated)
    if not 0 < total <= LARGEST or total != (entry.size or total):
        kind = one_line(headers.get("Content-Type", "unknown"), 40)
        raise Failure(f"sends {total} bytes of type {kind}, not {entry.size or f'1 to {LARGEST}'}")
    return total
