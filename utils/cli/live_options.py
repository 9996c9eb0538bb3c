"""The options of a live session."""

import argparse
from dataclasses import dataclass

from dnnlib.errors import InputError
from utils.cli.options import settle
from utils.cli.parser import name_part, not_negative_int

PORT = 8417


@dataclass(frozen=True)
class LiveOptions:
    """Whether there is one, and where."""

    live: bool
    port: int | None
    opens: bool
    state: str | None
    keep: str | None

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "LiveOptions":
        """Raises InputError for options that would have no effect, and without directions where
        they are needed."""
        if not arguments.live:
            for name in ("port", "state", "keep"):
                if getattr(arguments, name) is not None:
                    raise InputError(f"--{name} without --live; expected both")
            if not arguments.matrix_path:
                raise InputError(
                    "no directions; expected a file of them, a name of those that --list shows, or "
                    "--live to find some"
                )
            return settle(cls, arguments)
        if arguments.keep and not arguments.state:
            raise InputError("--keep without --state; expected both: the page copies such a line")
        for name in ("contact_sheet", "animate", "save_raw", "open"):
            if getattr(arguments, name):
                raise InputError(f"--{name} with --live; expected one of them: leave one out")
        return settle(cls, arguments)


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """Those of `LiveOptions`."""
    group = parser.add_argument_group("a page on this machine, to paint a region and drag sliders")
    add = group.add_argument
    add("--live", action="store_true", help="open it, with a slider for each direction")
    add("--port", type=not_negative_int, help=f"its port (default: {PORT}; 0: any)")
    add(
        "--no-open",
        dest="opens",
        action="store_false",
        help="open no browser, as over ssh; its address is printed",
    )
    add("--state", metavar="JSON", help="what is seen first, as the page has copied it")
    add(
        "--keep",
        type=name_part,
        metavar="NAME",
        help="no page: keep the pictures, code and directions of --state under this name",
    )
