"""The live page over HTTP, for one person on one machine.

It is bound to 127.0.0.1. Whoever asks must know the secret in the address; what another page could
make a browser ask for is refused by its Host and Origin. Paths are compared with a few fixed ones:
none leads to a file.
"""

import json
import secrets
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dnnlib.errors import InputError
from utils.cli.live_options import PORT, LiveOptions
from utils.cli.parser import say, with_flags
from utils.live.finding import Cancelled, Progress
from utils.live.keeping import keep_for_page, kept_file
from utils.live.session import LiveSession
from utils.live.state import State
from utils.results.page import heat_filter, shared_style

Answer = Callable[[Any], dict[str, Any]]  # to the JSON of a request

HOST = "127.0.0.1"
HERE = Path(__file__).parent  # live.html, live.css and live.js lie beside this file
MOST_BYTES = 1 << 18  # of a request
PATIENCE = 30  # seconds for its bytes to arrive
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LiveServer(ThreadingHTTPServer):
    """Serves the page. What it asks for is answered one after another, in the order in which it
    came, but for `progress` and `cancel`, which are about what is being answered."""

    daemon_threads = True

    def __init__(
        self,
        answers: Mapping[str, Answer],
        progress: Progress,
        port: int = 0,
        any_port: bool = False,
    ) -> None:
        """Port 0 is any; so is one that is taken, if `any_port`, else it is an InputError."""
        self.secret, self.progress, self.answers = secrets.token_urlsafe(16), progress, answers
        self.queue = ThreadPoolExecutor(1)
        style = shared_style() + (HERE / "live.css").read_text(encoding="utf-8")
        page = (HERE / "live.html").read_text(encoding="utf-8")
        script = (HERE / "live.js").read_text(encoding="utf-8")
        self.files = {
            "": ("text/html", page.replace("{{colours}}", heat_filter())),
            "live.css": ("text/css", style),
            "live.js": ("text/javascript", script),
        }
        try:
            self._bind(port, any_port)
        except OSError as error:
            raise InputError(
                f"{port} cannot be had ({error.strerror}); expected one that is free: choose "
                "another, or 0 for any",
                option="port",
            ) from None

    def _bind(self, port: int, any_port: bool) -> None:
        try:
            super().__init__((HOST, port), Handler)
        except OSError:
            if not any_port:
                raise
            super().__init__((HOST, 0), Handler)

    @property
    def port(self) -> int:
        """The one it has got."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """That of the page."""
        return f"http://{HOST}:{self.port}/{self.secret}/"

    def end(self) -> None:
        """Answer nothing any more."""
        self.progress.cancel()
        self.server_close()
        self.queue.shutdown(cancel_futures=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone away is none."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: LiveServer
    timeout = PATIENCE
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # else an answer waits 40 ms for its second part
    server_version, sys_version = "live", ""

    def do_GET(self) -> None:
        found = self.server.files.get(self._name() or "") if self._name() is not None else None
        if not self._is_allowed() or found is None:
            self._refuse()
            return
        kind, text = found
        self._send(200, f"{kind}; charset=utf-8", text.encode())

    def do_POST(self) -> None:
        name, origin = self._name(), self.headers.get("Origin")
        body = self._body()
        if not self._is_allowed() or origin is None or name is None or body is None:
            self._refuse()
            return
        if name == "progress":
            self._answer(200, self.server.progress.to_json())
        elif name == "cancel":
            self.server.progress.cancel()
            self._answer(200, {})
        elif name in self.server.answers:
            self._answer(*self._ask(self.server.answers[name], body))
        else:
            self._refuse()

    def _ask(self, answer: Answer, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            content = json.loads(body)
            if not isinstance(content, dict):
                raise ValueError
        except (ValueError, RecursionError):
            return 400, {"error": "no JSON object"}
        try:
            return 200, self.server.queue.submit(answer, content).result()
        except InputError as error:
            option = f"--{error.option}: " if error.option else ""
            return 400, {"error": option + with_flags(str(error))}
        except MemoryError:
            return 400, {"error": "not enough memory for that"}
        except OSError as error:
            return 400, {"error": f"{error.filename or 'a file'}: {error.strerror}"}
        except (Cancelled, CancelledError, RuntimeError):  # the last: the session is at its end
            return 409, {"error": "cancelled"}

    def _name(self) -> str | None:
        """What is asked for, if the secret is right."""
        secret, slash, name = self.path.removeprefix("/").partition("/")
        right = secrets.compare_digest(secret.encode(), self.server.secret.encode())
        return name if right and slash else None

    def _is_allowed(self) -> bool:
        """Whether this comes from the page itself: a page elsewhere has another origin, and a name
        of its own that leads here is another host."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site", "none")
        is_here = urlsplit(f"http://{host}").hostname in (HOST, "localhost")
        return is_here and origin in (None, f"http://{host}") and site in ("none", "same-origin")

    def _body(self) -> bytes | None:
        """None if it is too large, or its length is not said."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= MOST_BYTES):
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _refuse(self) -> None:
        self.close_connection = True
        self._send(403, "text/plain", b"not here")

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **HEADERS}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal is for what the user wants to know."""


def show(session: LiveSession, options: LiveOptions) -> None:
    """Serve the page of a session until the process is asked to end."""
    answers: dict[str, Answer] = {
        "start": lambda _: session.start(),
        "image": session.image,
        "find": session.find,
        "thumbnail": session.thumbnail,
        "keep": lambda content: keep_for_page(session, content),
        "file": lambda content: kept_file(session, content),
    }
    wanted = PORT if options.port is None else options.port
    server = LiveServer(answers, session.progress, wanted, any_port=options.port is None)
    say("starting …")
    session.warm_up()
    address = server.address
    if options.state:
        address += f"#{quote(State.from_text(options.state).to_text())}"
    say(f"{address}\nCtrl-C ends it; from elsewhere: ssh -L {server.port}:{HOST}:{server.port} …")
    if options.opens:
        webbrowser.open(address)
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.end()
