"""Files by name, from a server on loopback that cuts connections and sends wrong bytes."""

import functools
import hashlib
import http.server
import threading

import pytest

from dnnlib import catalogue, download
from dnnlib.catalogue import Entry
from dnnlib.download import find_file, list_names
from dnnlib.errors import NetworkError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves /good; what each connection does is set by the attributes."""

    content, etag, cut_after, ranges, requests = CONTENT, '"1"', None, True, ()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests += ((self.path, wanted),)
        if not self.path.startswith("/good"):
            self.send_error(404)
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") in (None, server.etag):
            start = int(wanted[len("bytes="):-1])
        if wanted and start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
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


@pytest.mark.parametrize("name", ["nothing.pkl", "directions/set/nose.npy", "ftp://host/file"])
def test_other_paths_are_left_to_the_reader(known, name):
    """What is neither a file nor known comes back as it is."""
    assert str(find_file(name, "network")).replace("\\", "/").endswith(name.split("//")[-1])


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
    with pytest.raises(NetworkError, match="was cut off"):
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
    with pytest.raises(NetworkError):
        find_file(name, "network")
    server.content, server.etag, server.cut_after = CONTENT[::-1], '"2"', None
    if checked:
        with pytest.raises(NetworkError, match="SHA-256"):
            find_file(name, "network")
    else:
        assert find_file(name, "network").read_bytes() == CONTENT[::-1]


def test_server_without_ranges(known, server):
    """A server that always sends the whole file is read from its start."""
    server.cut_after = 10000
    with pytest.raises(NetworkError):
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
    with pytest.raises(NetworkError, match=f"has .*{found}; expected {expected}"):
        find_file("faces", "network")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_no_network(known, server, tmp_path, monkeypatch):
    """Without a network the error says where to put the file by hand."""
    monkeypatch.setattr(download, "ENTRIES",
                        (Entry("faces", "network", "faces", ("http://127.0.0.1:9/faces.pkl",)),))
    with pytest.raises(NetworkError, match=r"cannot be reached .* put it at .*cache.faces.faces\.pkl"):
        find_file("faces", "network")
    (tmp_path / "cache/faces/faces.pkl").write_bytes(b"by hand")
    assert find_file("faces", "network").read_bytes() == b"by hand"


def test_wrong_kind(known):
    """The name of directions is no network."""
    with pytest.raises(NetworkError, match=r"set/eyes is the name of eyes \(directions\); expected network"):
        find_file("set/eyes", "network")


def test_catalogue():
    """Names are unique, listed with what they are, and checksums have their length."""
    names = [entry.name for entry in catalogue.ENTRIES]
    assert len(set(names)) == len(names)
    assert len({entry.file_name for entry in catalogue.ENTRIES}) == len(names)
    assert all(len(entry.sha256) == 64 for entry in catalogue.ENTRIES if entry.sha256)
    assert all(name in list_names() for name in names)
    assert {"ffhq", "metfaces", "church", "ffhq1024/eyes_size"} <= set(names)
