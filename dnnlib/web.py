"""A file asked for over HTTP: what comes, if it comes in time, and plain words for what goes wrong.

The library requests speaks HTTP. What it leaves open is here: an end to servers that are too slow,
to redirections, and to its many kinds of errors.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead
from typing import Any
from urllib.parse import urljoin

from dnnlib.text import one_line

LEAST = 60_000  # bytes that must come within ...
PATIENCE = 60.0  # ... seconds
REDIRECTS = 5
BLOCK = 1 << 16  # bytes
SCHEMES = ("http://", "https://")


class Failure(Exception):
    """Why a file does not come from an address, as the end of a sentence that begins with it."""


def ask(address: str, headers: dict[str, str]) -> Iterator[Any]:
    """The status and the headers of the answer to a GET, then its body in blocks of bytes.

    The bytes are as they were sent: what is compressed stays so.

    Raises Failure, also after less than LEAST bytes in PATIENCE seconds.
    """
    return _in_time(_connect(address, headers))


def _in_time(items: Iterator[Any]) -> Iterator[Any]:
    """The same items, each made in a thread, which can be given up.

    A timeout of a socket is no bound: it begins again with each byte that comes, be it of a header.
    A thread that was given up ends with its connection, or with the program.
    """
    made: list[Any] = []

    def make() -> None:
        try:
            made.append(next(items, None))
        except BaseException as error:
            made.append(error)

    patience, received = PATIENCE, 0
    while True:
        thread, start = threading.Thread(target=make, daemon=True), time.monotonic()
        thread.start()
        thread.join(max(0.0, patience))
        patience -= time.monotonic() - start
        if not made:
            raise Failure(f"is too slow (less than {LEAST} bytes in {PATIENCE:g} seconds)")
        item = made.pop()
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item
        received += len(item) if isinstance(item, bytes) else 0
        if received >= LEAST:
            patience, received = PATIENCE, 0


def _connect(address: str, headers: dict[str, str]) -> Iterator[Any]:
    import requests  # here, since it takes time that most runs do not need
    from urllib3.exceptions import HTTPError

    class Session(requests.Session):
        """Follows no redirection by itself: it would first read the body, of whatever length."""

        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    try:
        with Session() as session:
            for _ in range(REDIRECTS + 1):
                with session.get(
                    address, headers=headers, stream=True, timeout=PATIENCE
                ) as response:
                    location = requests.Session.get_redirect_target(session, response)
                    if location is None:
                        yield response.status_code, response.headers
                        read = response.raw.read1  # which does not wait for a whole block
                        while block := read(BLOCK, decode_content=False):
                            yield block
                        return
                address = urljoin(address, location)
                if not address.lower().startswith(SCHEMES):
                    raise Failure(f"leads to {shown(address, 80)}, which is no http(s) address")
            raise Failure(f"leads from one address to another more than {REDIRECTS} times")
    except (OSError, ValueError, HTTPError, HTTPException) as error:  # of requests: OSErrors
        proxy = isinstance(error, requests.exceptions.ProxyError)
        raise Failure(f"{'by the proxy ' if proxy else ''}{_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """The first cause of an error of the library, in plain words."""
    while (cause := error.__cause__ or error.__context__) and not isinstance(error, IncompleteRead):
        error = cause
    words = shown(error, 200) or type(error).__name__
    if isinstance(error, IncompleteRead):
        return "is cut off"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({one_line(error.verify_message, 200)})"
    if isinstance(error, socket.gaierror):
        words = "no such host, or no network"
    elif isinstance(error, ssl.SSLError):
        words = f"no secure connection: {error.reason}"
    elif isinstance(error, TimeoutError):
        words = "no answer in time"
    elif isinstance(error, OSError):
        words = error.strerror or words
    trouble = "cannot be reached" if isinstance(error, OSError) else "does not send the file"
    return f"{trouble} ({words})"


def shown(text: object, length: int = 300) -> str:
    """An address, or words about one, without the user names and passwords in it."""
    return one_line(re.sub("//[^/?#]*@", "//", str(text)), length)
