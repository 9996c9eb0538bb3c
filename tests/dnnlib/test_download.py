"""Files by name, from a server on loopback that cuts connections, sends wrong bytes, or means
harm."""

import contextlib
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dnnlib import catalogue, download, partial_file, web
from dnnlib.catalogue import Entry
from dnnlib.download import find_file, find_run_files, list_names
from dnnlib.errors import InputError
from dnnlib.families import read_network
from dnnlib.partial_file import PartialFile

DATA = Path(__file__).parent.parent / "data"
CONTENT = (DATA / "tf_orig_16.pkl").read_bytes()
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CUT = 10000  # bytes after which a cut connection ends
OTHER = bytes(reversed(CONTENT))


def answer(body=CONTENT, status="200 OK", sent=None, **headers):
    """What a server sends; `sent` bytes of the body. A header of None is left out."""
    headers = {"Content_Length": len(body), "ETag": '"1"', **headers}
    lines = [
        f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None
    ]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body[:sent]


def rest(start=CUT, total=SIZE, body=None, status="206 Partial Content", **headers):
    """The answer to a request for the rest."""
    return answer(
        CONTENT[start:] if body is None else body,
        status,
        **{"Content_Range": f"bytes {start}-{total - 1}/{total}", **headers},
    )


def chunked(body, **headers):
    return answer(body, **{"Content_Length": None, "Transfer_Encoding": "chunked", **headers})


FIRST = answer(sent=CUT)


class Server:
    """Gives the n-th connection the n-th of its answers, and then the last again and again.

    An answer is bytes; or bytes, what is sent again and again after them, and the seconds between;
    or a function of the first byte that is asked for.
    """

    def __init__(self):
        self.answers, self.requests, self.sending = [answer()], [], threading.Event()
        self.sending.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            said = self.answers[min(len(self.requests), len(self.answers) - 1)]
            self.requests.append(request.decode())
            self.sending.wait()
            said = said(self.ranges[-1]) if callable(said) else said
            start, again, pause = said if isinstance(said, tuple) else (said, b"", 0)
            connection.sendall(start)
            while again and self.listener.fileno() >= 0:
                connection.sendall(again)
                threading.Event().wait(pause)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):  # closed with something unread, it would be reset
                pass

    @property
    def ranges(self):
        """What each connection asked for: the first byte."""
        return [
            int(request.partition("Range: bytes=")[2].partition("-")[0] or 0)
            for request in self.requests
        ]


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("LOWRANKGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    look_up = socket.getaddrinfo

    def look_up_here(host, *arguments):
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    server = Server()
    yield server
    server.sending.set()
    server.listener.close()


@pytest.fixture
def known(server, monkeypatch):
    """A catalogue of a network with its checksum, and of directions."""
    addresses = f"{server.url}/bad", f"{server.url}/good.pkl"
    entries = (
        Entry("faces", "network", "faces", addresses, SIZE, SHA256),
        Entry("set/eyes", "directions", "eyes", (f"{server.url}/good",), sha256=SHA256),
    )
    monkeypatch.setattr(download, "ENTRIES", entries)


def files(tmp_path):
    """What lies in the cache, but for locks."""
    return sorted(
        path.name
        for path in (tmp_path / "cache").rglob("*")
        if not path.is_dir() and path.parent.name != "locks"
    )


def refusal(name, kind="network"):
    with pytest.raises(InputError) as caught:
        find_file(name, kind)
    return str(caught.value)


# What names what ----------------------------------------------------------------------------------


def test_address(server, tmp_path):
    """An address is fetched once and kept in the cache folder under its own name."""
    path = find_file(f"{server.url}/good/face.pkl?version=1", "network")
    assert path.read_bytes() == CONTENT
    assert path.name == "face.pkl"
    assert find_file(f"{server.url}/good/face.pkl?version=1", "network") == path
    assert len(server.requests) == 1
    assert files(tmp_path) == ["face.pkl"]
    assert find_file(f"{server.url}/good/face.pkl?version=2", "network") != path


@pytest.mark.parametrize(
    ("path", "requested", "file_name"),
    [
        ("/good/my faces ä.pkl", "/good/my%20faces%20%C3%A4.pkl", "my_faces_ä.pkl"),
        (
            "/good/my%20faces.pkl?a=b%2Fc&d=e f#g",
            "/good/my%20faces.pkl?a=b%2Fc&d=e%20f",
            "my_faces.pkl",
        ),
        ("/good/", "/good/", "good"),
        ("/good/%00", "/good/%00", "_"),
        ("", "/", "file"),
        ("/x.pkl?sign=" + 5000 * "a", "/x.pkl?sign=" + 5000 * "a", "x.pkl"),
        (
            "/" + 100 * "ä" + ".pkl",
            "/" + 100 * "%C3%A4" + ".pkl",
            43 * "ä" + "~" + 4 * "ä" + ".pkl",
        ),
    ],
)
def test_odd_address(server, tmp_path, path, requested, file_name):
    """Addresses may be as browsers show them; the file keeps a name that every system can have."""
    found = find_file(server.url + path, "network")
    assert found.name == file_name
    assert found.parent.parent == tmp_path / "cache"
    assert server.requests[0].startswith(f"GET {requested} HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        *(
            (address, "is no address: its host or port cannot be read")
            for address in (
                "http://[x",
                "http://h:bad/x",
                "http://h:0/",
                "http://",
                "https:///x",
                "http://user:secret@/x",
                "http://a b/x",
                "http://user:my secret@h/x",
                "http://user:my/secret@h/x",
                "http://h\\@other/x",
            )
        ),
        ("https://a..b/x", "does not send the file"),
        ("http://\udcff/x", "does not send the file"),
        ("http://nowhere.invalid/x", "cannot be reached (no such host, or no network)"),
        (
            "http://user:secret@127.0.0.1:9/x",
            "http://127.0.0.1:9/x cannot be reached (Connection refused)",
        ),
        ("file:///etc/passwd", "is not there; expected a file, an http(s) address or a known name"),
    ],
)
def test_bad_address(server, capsys, address, words):
    """What is no address is refused like one that cannot be reached; a password in it is not
    shown."""
    message = refusal(address)
    assert words in message
    assert "secret" not in message + str(capsys.readouterr())


def test_name(known, server):
    """A name is fetched from the first address that has it."""
    server.answers = [answer(status="404 Not Found"), answer()]
    assert find_file("faces", "network").read_bytes() == CONTENT
    assert [request.split()[1] for request in server.requests] == ["/bad", "/good.pkl"]


def test_network_with_settings(server, monkeypatch, tmp_path):
    """A network of two files, weights and settings, is fetched whole; the reader finds both."""
    folder = DATA / "biggan_hf_32"
    pages = [answer((folder / name).read_bytes()) for name in ("config.json", "pytorch_model.bin")]
    pair = Entry("deep", "network", "deep", (f"{server.url}/w",), settings=f"{server.url}/c")
    monkeypatch.setattr(download, "ENTRIES", (pair,))
    server.answers = [answer(b"<html>"), *pages]
    assert "it is no JSON object" in refusal("deep")
    path = find_file("deep", "network")
    assert read_network(path).family == "biggan"
    assert files(tmp_path) == ["config.json", "pytorch_model.bin"]


@pytest.mark.parametrize("name", ["set/eyes", "set/eyes.npy"])
def test_directions_by_name(known, name, tmp_path):
    """Directions are named with or without their suffix."""
    assert find_file(name, "directions") == tmp_path / "cache/set/eyes.npy"


def test_published_path(known, tmp_path, monkeypatch):
    """A path under directions/ that the catalogue knows is fetched into place."""
    monkeypatch.chdir(tmp_path)
    assert find_file("directions/set/eyes.npy", "directions").read_bytes() == CONTENT
    assert os.listdir("directions/set") == ["eyes.npy"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nothing.pkl",
            "nothing.pkl is not there; expected a file, an http(s) address or a known name: check "
            "the path",
        ),
        (
            "directions/set/eye.npy",
            "a known name: did you mean set/eyes? check the path, or see manipulate.py `list`",
        ),
        ("directions/faces.npy", "is not there"),
        ("directions/set/eyes.txt", "is not there"),
        ("directions", "is a folder"),
        ("FACES", "did you mean faces?"),
        pytest.param(
            "/dev/zero",
            "is no regular file",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="none"),
        ),
        ("ftp://host/file", "is not there"),
        (".", "is a folder; expected a file"),
        ("set/eyes", "set/eyes is the name of eyes (directions); expected a network"),
    ],
)
def test_neither_a_file_nor_a_name(known, name, message):
    """What cannot be found is refused with what may be meant."""
    assert message in refusal(name)


def test_network_behind_directions():
    """Swapped, they are named as such, with the line that is right."""
    for first in ("demo/eyes", "eyes", "directions/demo128/eyes.npy"):
        with pytest.raises(InputError, match=f"python manipulate.py demo {first} smile$"):
            find_run_files(first, ["smile", "demo"])
    with pytest.raises(InputError, match="expected a network, such as demo"):
        find_run_files("demo/eyes", ["demo/smile"])


def test_a_folder_of_the_same_name(known, tmp_path, monkeypatch):
    """A folder of pictures does not hide the network of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    assert find_file("faces", "network").read_bytes() == CONTENT


def test_cache_folder(known, monkeypatch, tmp_path):
    """It is named by LOWRANKGAN_CACHE, or lies where caches do; where that cannot be, the error
    names the variable."""
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


def test_catalogue():
    """Names are unique, listed with what they are, and checksums have their length."""
    names = [entry.name for entry in catalogue.ENTRIES]
    assert len(set(names)) == len(names)
    assert len({entry.file_name for entry in catalogue.ENTRIES}) == len(names)
    assert all(len(entry.sha256) == 64 for entry in catalogue.ENTRIES if entry.sha256)
    assert all(name in list_names() for name in names)
    assert {"ffhq", "metfaces", "church", "ffhq1024/eyes_size"} <= set(names)


# What servers do ----------------------------------------------------------------------------------

TO_FILE = answer(status="302 Found", Location="file:///etc/passwd")
TO_ITSELF = answer(status="302 Found", Location="/x.pkl")
TO_NOTHING = answer(status="302 Found", Location="http://[bad")
WITH_PASSWORD = answer(status="302 Found", Location="http://user:secret@127.0.0.1:9/")
EXPECTED_SIZE = f"not 1 to {download.LARGEST}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            answer(b"<html>Log in, please</html>", Content_Type="image/png"),
            "does not send x.pkl: it",
        ),
        (answer(CONTENT[:-1]), "does not send x.pkl: it"),
        (
            answer(b"", Content_Type="text/html"),
            f"sends 0 bytes of type text/html, {EXPECTED_SIZE}",
        ),
        (answer(Content_Length=1 << 40), f"sends {1 << 40} bytes of type unknown, {EXPECTED_SIZE}"),
        (answer(sent=-1, ETag=None), f"after {SIZE - 1} of {SIZE} bytes"),
        (answer(Content_Length=None), "does not say clearly how long it is (not at all)"),
        (
            answer(Content_Length=None, Transfer_Encoding="gzip"),
            "does not say clearly how long it is (gzip)",
        ),
        (
            answer(Content_Length=None, Transfer_Encoding="chunked\r\nTransfer-Encoding: gzip"),
            "(chunked, gzip)",
        ),
        (
            answer(Content_Length=f"{SIZE}\r\nContent-Length: {SIZE}"),
            "does not say clearly how long it is",
        ),
        (answer(Content_Length=f"{SIZE}\r\nContent-Length: 5"), "unmatching values"),
        (answer(Content_Length="many"), "does not say clearly how long it is (many)"),
        (answer(Content_Length=-5), "does not say clearly how long it is (-5)"),
        (answer(Content_Length="9" * 5000), "does not say clearly how long it is (999"),
        (answer(Content_Encoding="gzip"), "in a coding that was not asked for (gzip)"),
        (answer(status="203 Fine"), "answers 203 (Non-Authoritative Information)"),
        (answer(status="299 Fine"), "answers 299 (whatever that is)"),
        (answer(status="204 Fine"), "answers 204 (No Content)"),
        (rest(0), "answers 206 (Partial Content)"),
        (answer(status="403 No"), "answers 403 (Forbidden)"),
        (answer(status="404 No"), "answers 404 (Not Found)"),
        (answer(status="429 No"), "answers 429 (Too Many Requests)"),
        (answer(status="404 " + "x" * 30000), "answers 404 (Not Found)"),
        (answer(status="2000 OK"), "does not send the file"),
        (b"a" * 30000 + b"\r\n\r\n", "does not send the file (aaa"),
        (b"", "cannot be reached (Remote end closed"),
        (b"\x1b[2J\r\n", "does not send the file (?[2J"),
        (chunked(b"-1\r\n" + CONTENT), "is cut off"),
        (chunked(b"-5\r\n" + CONTENT), "is cut off"),
        (chunked(b"5\r\nabcde\r\n"), "is cut off, after 5 bytes; expected"),
        (chunked(b"zz\r\n" + CONTENT), "is cut off"),
        (chunked(b"ffffffff\r\n"), "is cut off"),
        (chunked(b"0\r\n\r\n"), "is cut off; expected"),
        (
            chunked(b"5\r\nabcde\r\n0\r\n\r\n", Content_Length=5),
            "does not say clearly how long it is (chunked)",
        ),
        (TO_FILE, "leads to file:///etc/passwd, which is no http(s) address"),
        (TO_ITSELF, "leads from one address to another more than 5 times"),
        (TO_NOTHING, "does not send the file (Invalid IPv6 URL)"),
        (WITH_PASSWORD, "cannot be reached (Connection refused)"),
        (
            (chunked(b""), b"400\r\n" + bytes(1024) + b"\r\n", 0),
            "goes on after the end of the file; expected",
        ),
        (
            (
                answer(b"", status="302 Found", Location="/x.pkl", Content_Length=None),
                bytes(1024),
                0,
            ),
            "leads from one address to another more than 5 times",
        ),
        ((chunked(b"-1\r\n"), bytes(1024), 0), "goes on after the end of the file; expected"),
    ],
)
def test_wrong_answer(server, tmp_path, monkeypatch, said, words):
    """Whatever a server answers, it is one line of bounded length that says so, and nothing is
    kept."""
    if isinstance(said, tuple):
        monkeypatch.setattr(download, "LARGEST", 10_000)
    server.answers = [said]
    message = refusal(f"{server.url}/x.pkl")
    assert words in message
    assert message.endswith(f"put it at {next((tmp_path / 'cache').glob('[0-9a-f]*'))}/x.pkl")
    assert len(message) < 1000
    assert message.isprintable()
    assert "secret" not in message
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "said",
    [
        (b"", b"", 0),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.02),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
        (answer(sent=100), b"y", 0.02),
        (chunked(b""), b"0", 0.02),
        (chunked(b"0\r\n"), b"X: y\r\n", 0.001),
    ],
)
def test_slow_server(server, tmp_path, monkeypatch, said):
    """A server that says nothing, or a byte now and then, be it in a header, does not hold the
    program."""
    monkeypatch.setattr(web, "PATIENCE", 0.1)
    if not said[1]:
        server.sending.clear()
    server.answers = [said]
    message = refusal(f"{server.url}/x.pkl")
    assert (
        "is too slow (less than 60000 bytes in 0.1 seconds)" in message
        or "no answer in time" in message
    )
    assert not any(name.endswith("x.pkl") for name in files(tmp_path))


@pytest.mark.parametrize(
    "said",
    [
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, CONTENT)),
        answer(Content_Encoding="identity", Content_Type="text/html"),
        answer(ETag=None),
    ],
)
def test_right_answer(server, said):
    """Servers that are only odd are understood."""
    server.answers = [answer(status="301 Moved", Location="elsewhere?a=b"), said]
    assert find_file(f"{server.url}/x.pkl", "network").read_bytes() == CONTENT
    assert "GET /elsewhere?a=b HTTP/1.1\r\n" in server.requests[1]
    assert "Accept-Encoding: identity\r\n" in server.requests[1]


@pytest.mark.parametrize("kind", ["directions", None])
def test_other_kinds(server, tmp_path, kind):
    """Without a checksum, directions are what a reader takes, too; for inspect, any file that it
    knows."""
    np.save(tmp_path / "d.npy", np.eye(3, 8))
    array = (tmp_path / "d.npy").read_bytes()
    server.answers = [answer(array[:-1]), answer(b'{"error": "log in"}'), answer(array)]
    assert "does not send d.npy: it is truncated" in refusal(f"{server.url}/d.npy", kind)
    assert "does not send d.npy: it" in refusal(f"{server.url}/d.npy", kind)
    assert find_file(f"{server.url}/d.npy", kind).read_bytes() == array


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (OTHER, f"SHA-256 {hashlib.sha256(OTHER).hexdigest()}, expected {SHA256} (it"),
        (CONTENT[:-1], f"sends {SIZE - 1} bytes of type unknown, not {SIZE}"),
    ],
)
def test_wrong_bytes(known, server, tmp_path, content, words):
    """A wrong file is an error that says both checksums or sizes; nothing of it is kept."""
    server.answers = [answer(content)]
    assert words in refusal("faces")
    assert files(tmp_path) == []


def test_no_network(server, tmp_path, monkeypatch):
    """Without a network the error says where to put the file by hand."""
    addresses = ("http://127.0.0.1:9/faces.pkl", "http://127.0.0.1:9/more/faces.pkl")
    monkeypatch.setattr(download, "ENTRIES", (Entry("faces", "network", "faces", addresses),))
    message = refusal("faces")
    assert message.count("faces.pkl cannot be reached (Connection refused); ") == 2
    assert message.endswith(
        f"try again, or get it elsewhere and put it at {tmp_path / 'cache/faces/faces.pkl'}"
    )
    (tmp_path / "cache/faces/faces.pkl").write_bytes(b"by hand")
    assert find_file("faces", "network").read_bytes() == b"by hand"


def test_proxy(server, monkeypatch):
    """A proxy that the environment names is used, and blamed."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy")
    assert "x by the proxy cannot be reached (Connection refused)" in refusal(
        "http://nowhere.invalid/x"
    )


def test_certificate():
    """A certificate that is not trusted is called that."""
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = "self-signed certificate"
    assert web._reason(error) == "has a certificate that is not trusted (self-signed certificate)"


# A cut --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "ranges"),
    [
        (rest(), [0, CUT]),
        (answer(), [0, CUT]),  # the server has no ranges, or another file by now
        (rest(ETag='"2"'), [0, CUT, 0]),
        (rest(ETag=None), [0, CUT, 0]),
        (rest(ETag="W/1"), [0, CUT, 0]),
        (rest(total=SIZE + 1, body=CONTENT[CUT:] + b"x"), [0, CUT, 0]),
        (rest(total=SIZE - 1, body=CONTENT[CUT:-1]), [0, CUT, 0]),
        (rest(CUT + 1), [0, CUT, 0]),
        (rest(0), [0, CUT, 0]),
        (rest(Content_Range=None), [0, CUT, 0]),
        (rest(Content_Range=f"bytes {CUT}-{SIZE - 2}/{SIZE}"), [0, CUT, 0]),
        (rest(body=CONTENT[CUT:] + b"x"), [0, CUT, 0]),
        (rest(Content_Encoding="gzip"), [0, CUT, 0]),
        (rest(body=b"", status="416 No", Content_Range=f"bytes */{SIZE}"), [0, CUT, 0]),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_cut(server, tmp_path, second, ranges, later):
    """A cut download goes on where it was, also in a later run; with the rest of another file it
    begins again."""
    name = f"{server.url}/x.pkl"
    if later:
        server.answers = [FIRST, b""]
        assert "Remote end closed" in refusal(name)
        assert files(tmp_path) == [".x.pkl.part"]
        server.requests.pop()
    server.answers = [FIRST, second, answer()]
    assert find_file(name, "network").read_bytes() == CONTENT
    assert server.ranges == ranges
    assert 'If-Range: "1"\r\n' in server.requests[1]
    assert files(tmp_path) == ["x.pkl"]


def test_cuts_without_end(server):
    """A server that sends a byte in each connection is given up."""
    server.answers = [FIRST, lambda start: rest(start)[: len(rest(start)) - (SIZE - start) + 1]]
    assert f"is cut off, after {CUT + 4} of {SIZE} bytes" in refusal(f"{server.url}/x.pkl")
    assert len(server.requests) == download.TRIES


@pytest.mark.parametrize("etag", [None, 'W/"1"', '"\x80"', "1", f'"{"x" * 3000}"'])
def test_cut_without_etag(server, tmp_path, etag):
    """Where nothing tells that the rest is of the same file, a download begins again."""
    server.answers = [answer(sent=CUT, ETag=etag), answer()]
    with contextlib.suppress(InputError):
        find_file(f"{server.url}/x.pkl", "network")
    assert find_file(f"{server.url}/x.pkl", "network").read_bytes() == CONTENT
    assert set(server.ranges) == {0}


def link_to_itself(part, tmp_path):
    part.rename(tmp_path / "elsewhere")
    part.symlink_to(tmp_path / "elsewhere")


TRAILER = partial_file._STATE_SIZE


@pytest.mark.parametrize(
    "change",
    [
        lambda part, tmp_path: part.write_bytes(b"x" + part.read_bytes()[1:]),
        lambda part, tmp_path: part.write_bytes(part.read_bytes()[1:]),
        lambda part, tmp_path: part.write_bytes(b"x" + part.read_bytes()),
        lambda part, tmp_path: part.write_bytes(part.read_bytes()[:-TRAILER]),
        lambda part, tmp_path: part.write_bytes(b""),
        lambda part, tmp_path: part.write_bytes(part.read_bytes().replace(b'\\"1\\"', b"\xff\xfe")),
        lambda part, tmp_path: part.write_bytes(part.read_bytes().replace(b'"\\"1\\""', b'["x"]')),
        lambda part, tmp_path: part.write_bytes(
            part.read_bytes().replace(b'\\"1\\"', b'\\"2\\"\\r\\nX: y')
        ),
        lambda part, tmp_path: part.write_bytes(
            part.read_bytes().replace(b'"address": "', b'"address": "0')
        ),
        lambda part, tmp_path: part.write_bytes(part.read_bytes()[:-TRAILER] + b"[" * TRAILER),
        lambda part, tmp_path: os.link(part, tmp_path / "elsewhere"),
        link_to_itself,
    ],
)
def test_another_part(server, tmp_path, change):
    """A part that was changed, or is a link, is not gone on with, and not written to."""
    server.answers = [FIRST, b"", answer()]
    refusal(f"{server.url}/x.pkl")
    change(next(tmp_path.rglob("*.part")), tmp_path)
    elsewhere = [path.read_bytes() for path in tmp_path.glob("elsewhere")]
    assert find_file(f"{server.url}/x.pkl", "network").read_bytes() == CONTENT
    assert server.ranges == [0, CUT, 0]
    assert files(tmp_path) == ["x.pkl"]
    assert [path.read_bytes() for path in tmp_path.glob("elsewhere")] == elsewhere


def test_links_under_known_names(server, tmp_path):
    """Nothing is written through a link that lies where a file will be, or its lock."""
    find_file(f"{server.url}/x.pkl", "network").unlink()
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    for path in [*tmp_path.rglob("locks/*"), next(tmp_path.glob("cache/[0-9a-f]*")) / "x.pkl"]:
        path.unlink(missing_ok=True)
        path.symlink_to(victim if path.parent.name == "locks" else "nowhere")
    assert find_file(f"{server.url}/x.pkl", "network").read_bytes() == CONTENT
    assert victim.read_bytes() == b"mine"


def test_stopped(server, tmp_path, monkeypatch):
    """After Ctrl-C the next run goes on with what had come, even if all had, and only its check was
    stopped."""
    server.answers = [FIRST, lambda start: rest(start), b""]
    name = f"{server.url}/x.pkl"
    append = PartialFile.append

    def stop(*_):
        raise KeyboardInterrupt

    def append_once(part, block):
        append(part, block)
        stop()

    for place, replacement in ((PartialFile, append_once), (download, stop)):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(place, "append" if place is PartialFile else "_wrong", replacement)
            find_file(name, "network")
        assert files(tmp_path) == [".x.pkl.part"]
    assert find_file(name, "network").read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_full_disk(known, server, tmp_path):
    """A file that cannot be written is no fault of the connection; with more room the download goes
    on."""
    resource = pytest.importorskip("resource")
    server.answers = [answer(), rest(2 * CUT)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, limits[1]))
    try:
        with pytest.raises(
            InputError, match=r"faces.* cannot be written \(File too large\); expected .* has room"
        ):
            find_file("faces", "network")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not any(name.endswith(".pkl") for name in files(tmp_path))


# Other processes ----------------------------------------------------------------------------------

FIND = (
    "import sys; from dnnlib import download; assert 'requests' not in sys.modules; "
    "print(download.find_file({!r}))"
)


def test_two_at_once(server):
    """Of two that want a file at once, one fetches it and the other waits for that, and names
    it."""
    pytest.importorskip("fcntl")
    server.sending.clear()
    python = [sys.executable, "-uc", FIND.format(f"{server.url}/x.pkl")]
    with (
        subprocess.Popen(python, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(python, stdout=subprocess.PIPE, text=True) as second,
    ):
        lines = {process.pid: process.stdout.readline() for process in (first, second)}
        server.sending.set()
        rest_of = [process.stdout.read() for process in (first, second)]
    fetching, waiting = sorted(lines, key=lambda pid: lines[pid].split()[0])
    assert lines[fetching].startswith("fetching http://")
    assert lines[waiting].startswith(f"process {fetching} is fetching ")
    assert rest_of[0] == rest_of[1]
    assert len(server.requests) == 1


def test_killed(server, tmp_path):
    """After a kill the next run begins again, without what the first has left behind."""
    pytest.importorskip("fcntl")
    server.answers = [(FIRST, b"y", 0.02), answer()]
    name = f"{server.url}/x.pkl"
    with subprocess.Popen(
        [sys.executable, "-uc", FIND.format(name)], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        while process.poll() is None and not any(
            path.stat().st_size for path in tmp_path.rglob("*.partial")
        ):
            pass
        process.send_signal(signal.SIGKILL)
    assert len(files(tmp_path)) == 1
    assert find_file(name, "network").read_bytes() == CONTENT
    assert files(tmp_path) == ["x.pkl"]
