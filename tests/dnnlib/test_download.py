"""Files by name, from a server on loopback that cuts connections and sends wrong bytes."""

import functools
import hashlib
import http.server
import subprocess
import sys
import threading

import pytest

from dnnlib import catalogue, download
from dnnlib.catalogue import Entry
from dnnlib.download import find_file, list_names
from dnnlib.errors import InputError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves /good; what each connection does is set by the attributes."""

    content, etag, cut_after, ranges, requests = CONTENT, '"1"', None, True, ()
    content_type, off, announced, part = "application/octet-stream", 0, None, None

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.sending = threading.Event()
        self.sending.set()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests += ((self.path, wanted),)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://[bad")
            self.end_headers()
            return
        if not self.path.startswith("/good"):
            self.send_error(404)
            return
        start, size = 0, len(server.content)
        if wanted and server.ranges and self.headers.get("If-Range") in (None, server.etag):
            start = int(wanted[len("bytes="):-1])
        if wanted and (start >= size or server.part == 0):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:][:server.part if start else None]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", server.content_type)
        if start:
            self.send_header("Content-Range", f"bytes {start + server.off}-{start + len(body) - 1}/{size}")
        self.send_header("Content-Length", str(server.announced or len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        server.sending.wait()
        self.wfile.write(body[:server.cut_after])  # the connection is closed before its announced end

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("LOWRANKGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=functools.partial(server.serve_forever, 0.01), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def known(server, monkeypatch):
    """A catalogue of a network with its checksum, and of directions."""
    addresses = f"{server.url}/bad", f"{server.url}/good.pkl"
    entries = (Entry("faces", "network", "faces", addresses, len(CONTENT), SHA256),
               Entry("set/eyes", "directions", "eyes", (f"{server.url}/good",), sha256=SHA256))
    monkeypatch.setattr(download, "ENTRIES", entries)


def partials(tmp_path):
    return [path for path in tmp_path.rglob("*") if ".partial" in path.name]


def test_address(server, tmp_path):
    """An address is fetched once and kept in the cache folder under its own name."""
    path = find_file(f"{server.url}/good/face.pkl?version=1", "network")
    assert path.read_bytes() == CONTENT
    assert path.name == "face.pkl"
    assert tmp_path / "cache" in path.parents
    assert find_file(f"{server.url}/good/face.pkl?version=1", "network") == path
    assert len(server.requests) == 1
    assert not partials(tmp_path)


@pytest.mark.parametrize(("path", "requested", "file_name"), [
    ("/good/my faces ä.pkl", "/good/my%20faces%20%C3%A4.pkl", "my_faces_ä.pkl"),
    ("/good/my%20faces.pkl?a=b%2Fc&d=e f#g", "/good/my%20faces.pkl?a=b%2Fc&d=e%20f", "my_faces.pkl"),
    ("/good/%2e%2e", "/good/%2e%2e", "file"), ("/good/", "/good/", "good"), ("/good/%00", "/good/%00", "_"),
])
def test_odd_address(server, tmp_path, path, requested, file_name):
    """Addresses may be as browsers show them; the file keeps a name that every system can have."""
    found = find_file(server.url + path, "network")
    assert found.name == file_name
    assert found.parent.parent == tmp_path / "cache"
    assert server.requests == ((requested, None),)


@pytest.mark.parametrize("address", ["http://[x", "http://h:bad/x", "http://", "https://a..b/x", "http://a b/x"])
def test_bad_address(server, address):
    """What is no address is refused like one that cannot be reached."""
    with pytest.raises(InputError, match=r"is no address|cannot be reached|does not send the file"):
        find_file(address, "network")


def test_name(known, server, tmp_path):
    """A name is fetched from the first address that has it, and announced."""
    assert find_file("faces", "network").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/bad", "/good.pkl"]


@pytest.mark.parametrize("name", ["set/eyes", "set/eyes.npy"])
def test_directions_by_name(known, name, tmp_path):
    """Directions are named with or without their suffix."""
    assert find_file(name, "directions") == tmp_path / "cache/set/eyes.npy"


def test_published_path(known, tmp_path, monkeypatch):
    """A path under directions/ that the catalogue knows is fetched into place."""
    monkeypatch.chdir(tmp_path)
    assert find_file("directions/set/eyes.npy", "directions").read_bytes() == CONTENT
    assert (tmp_path / "directions/set/eyes.npy").exists()


@pytest.mark.parametrize(("name", "message"), [
    ("nothing.pkl", "nothing.pkl is not there; expected a file, an http.s. address or a known name: check the path"),
    ("directions/set/eye.npy", r"not there; .*: did you mean set/eyes\? check the path, or see manipulate.py --list"),
    ("directions/faces.npy", "is not there"), ("directions/set/eyes.txt", "is not there"),
    ("directions", "is a folder"), ("FACES", r"did you mean faces\?"),
    pytest.param("/dev/zero", "is no regular file", marks=pytest.mark.skipif(sys.platform == "win32", reason="none")),
    ("ftp://host/file", "is not there"),
    (".", "is a folder; expected a file"),
])
def test_neither_a_file_nor_a_name(known, name, message):
    """What cannot be found is refused with what may be meant."""
    with pytest.raises(InputError, match=message):
        find_file(name)


def test_a_folder_of_the_same_name(known, tmp_path, monkeypatch):
    """A folder of pictures does not hide the network of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    assert find_file("faces", "network").read_bytes() == CONTENT


def test_web_page(known, server, tmp_path):
    """The page of a file-sharing service is not kept as if it were the file."""
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(InputError, match=r"does not send the file \(but a web page.*put it at"):
        find_file(f"{server.url}/good", "network")
    assert not partials(tmp_path)


@pytest.mark.parametrize("wrong", [{"off": 1}, {"part": 0}, {"part": 1000}])
def test_another_part(server, wrong):
    """Where a server sends another part than was asked for, none, or less, the file is not taken for whole."""
    server.cut_after = 10000
    with pytest.raises(InputError, match="was cut off"):
        find_file(f"{server.url}/good", "network")
    server.cut_after, server.requests = None, ()
    vars(server).update(wrong)
    if server.part == 1000:
        with pytest.raises(InputError, match="was cut off after 55000 of 102400 bytes"):
            find_file(f"{server.url}/good", "network")
        server.part = None
    assert find_file(f"{server.url}/good", "network").read_bytes() == CONTENT
    assert server.requests[0] == ("/good", "bytes=50000-")


@pytest.mark.parametrize(("wrong", "path", "words"), [
    ({"content": b""}, "/good", r"\(it was cut off after 0 of some bytes"),
    ({"announced": "many", "content": b""}, "/good", "was cut off after 0"),
    ({"announced": "9" * 5000, "content": b""}, "/good", "cannot be reached|does not send the file"),
    ({}, "/moved", "as an address is wrong: Invalid IPv6 URL"),
])
def test_wrong_answer(server, tmp_path, wrong, path, words):
    """Whatever a server answers, it is one error, and nothing has a final name."""
    vars(server).update(wrong)
    with pytest.raises(InputError, match=words):
        find_file(server.url + path, "network")
    assert not list(tmp_path.rglob("good"))


def test_cache_folder(known, monkeypatch, tmp_path):
    """It is named by LOWRANKGAN_CACHE, or lies where caches do; where that cannot be, the error names the variable."""
    monkeypatch.setenv("LOWRANKGAN_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .* LOWRANKGAN_CACHE"):
        find_file("faces", "network")
    monkeypatch.delenv("LOWRANKGAN_CACHE")
    monkeypatch.setattr(download.platform, "system", lambda: "Linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert download.cache_folder().as_posix() == "/caches/lowrankgan"
    monkeypatch.delenv("XDG_CACHE_HOME")

    def no_home():
        raise RuntimeError

    monkeypatch.setattr(download.Path, "home", no_home)
    with pytest.raises(InputError, match=r"no home folder.* LOWRANKGAN_CACHE"):
        find_file("faces", "network")


def test_two_at_once(known, server):
    """Of two that want a file at once, one fetches it and the other waits for that."""
    pytest.importorskip("fcntl")
    find = f"""if True:
        from dnnlib import download
        download.ENTRIES = (download.Entry("faces", "network", "faces", ("{server.url}/good.pkl",)),)
        print(download.find_file("faces"))"""
    server.sending.clear()
    python = [sys.executable, "-uc", find]
    with (subprocess.Popen(python, stdout=subprocess.PIPE, text=True) as first,
          subprocess.Popen(python, stdout=subprocess.PIPE, text=True) as second):
        lines = {process: process.stdout.readline() for process in (first, second)}
        server.sending.set()
        rest = [process.stdout.read() for process in (first, second)]
    assert sorted(line.split()[0] for line in lines.values()) == ["another", "fetching"]
    assert rest[0] == rest[1]
    assert len(server.requests) == 1


def test_full_disk(known):
    """A file that cannot be written is no fault of the connection."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"faces.* cannot be written \(File too large\); expected .* has room"):
            find_file("faces", "network")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("etag", ['"1"', ""])
@pytest.mark.parametrize("cut_after", [30000, 70000])
def test_cut_connections(known, server, tmp_path, cut_after, etag):
    """A cut download goes on where it was."""
    server.cut_after, server.etag = cut_after, etag
    assert find_file("faces", "network").read_bytes() == CONTENT
    assert ("/good.pkl", f"bytes={cut_after}-") in server.requests
    assert not partials(tmp_path)


def test_a_later_run_goes_on(known, server, tmp_path):
    """After a failure the part stays, under another name, and the next run asks for the rest."""
    server.cut_after = 10000
    with pytest.raises(InputError, match="was cut off"):
        find_file("faces", "network")
    assert not list((tmp_path / "cache").rglob("*.pkl"))
    server.cut_after, server.requests = None, ()
    assert find_file("faces", "network").read_bytes() == CONTENT
    assert ("/good.pkl", "bytes=50000-") in server.requests


@pytest.mark.parametrize("checked", [True, False])
def test_a_file_that_changed_meanwhile(server, known, checked):
    """The rest of another file is not appended: it is fetched from its start."""
    server.cut_after = 10000
    name = "faces" if checked else f"{server.url}/good"
    with pytest.raises(InputError):
        find_file(name, "network")
    server.content, server.etag, server.cut_after = CONTENT[::-1], '"2"', None
    if checked:
        with pytest.raises(InputError, match="SHA-256"):
            find_file(name, "network")
    else:
        assert find_file(name, "network").read_bytes() == CONTENT[::-1]


def test_server_without_ranges(known, server):
    """A server that always sends the whole file is read from its start."""
    server.cut_after = 10000
    with pytest.raises(InputError):
        find_file("faces", "network")
    server.cut_after, server.ranges = None, False
    assert find_file("faces", "network").read_bytes() == CONTENT


@pytest.mark.parametrize(("content", "found", "expected"), [
    (CONTENT[::-1], hashlib.sha256(CONTENT[::-1]).hexdigest(), SHA256),
    (CONTENT[:-1], f"{len(CONTENT) - 1} bytes", f"{len(CONTENT)} bytes"),
])
def test_wrong_bytes(known, server, tmp_path, content, found, expected):
    """A wrong file is an error that says both checksums or sizes; nothing of it is kept."""
    server.content = content
    with pytest.raises(InputError, match=f"has .*{found}; expected {expected}"):
        find_file("faces", "network")
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["lock"]


def test_no_network(known, server, tmp_path, monkeypatch):
    """Without a network the error says where to put the file by hand."""
    monkeypatch.setattr(download, "ENTRIES",
                        (Entry("faces", "network", "faces", ("http://127.0.0.1:9/faces.pkl",)),))
    with pytest.raises(InputError, match=r"cannot be reached .* put it at .*cache.faces.faces\.pkl"):
        find_file("faces", "network")
    (tmp_path / "cache/faces/faces.pkl").write_bytes(b"by hand")
    assert find_file("faces", "network").read_bytes() == b"by hand"


def test_wrong_kind(known):
    """The name of directions is no network."""
    with pytest.raises(InputError, match=r"set/eyes is the name of eyes \(directions\); expected a network"):
        find_file("set/eyes", "network")


def test_catalogue():
    """Names are unique, listed with what they are, and checksums have their length."""
    names = [entry.name for entry in catalogue.ENTRIES]
    assert len(set(names)) == len(names)
    assert len({entry.file_name for entry in catalogue.ENTRIES}) == len(names)
    assert all(len(entry.sha256) == 64 for entry in catalogue.ENTRIES if entry.sha256)
    assert all(name in list_names() for name in names)
    assert {"ffhq", "metfaces", "church", "ffhq1024/eyes_size"} <= set(names)
