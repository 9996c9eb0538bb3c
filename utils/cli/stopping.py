"""How a run ends early: Ctrl-C, SIGTERM as schedulers send it, streams that were closed before it
began, and packages that are missing.

The scripts import this first, before what takes a second to import: from then on a signal ends the
process in one line, without a traceback. `stopped_by_signals` makes it a KeyboardInterrupt, so that
what is finished can be kept.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from utils.cli.packages import missing_packages

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal that asks the run to end; `status` is the exit status to end with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


def open_closed_streams() -> None:
    """Give the null device to each standard stream that is closed.

    Without it, the next file that is opened takes its number, and what is printed ends in that
    file.
    """
    for number in range(3):
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, for the whole run


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within the block, a signal raises Stopped in the main thread."""
    for number in SIGNALS:
        signal.signal(number, _raise_stopped)
    try:
        yield
    finally:
        end_at_once()


def end_at_once() -> None:
    """From now on a signal ends the process with one line."""
    for number in SIGNALS:
        signal.signal(number, _leave)


def _raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(128 + number)


def _is_worker() -> bool:
    """Whether this process was started by multiprocessing, which is why it imports the script
    again."""
    return "--multiprocessing-fork" in sys.orig_argv  # its parent process is not known to it yet


open_closed_streams()
if _is_worker():
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches it too; its parent says when to end
else:
    end_at_once()
    if missing := missing_packages():
        print(f"error: {missing}", file=sys.stderr)
        sys.exit(2)
