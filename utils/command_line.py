"""What the three scripts have in common on the command line."""

import argparse
import errno
import sys
from collections.abc import Callable
from typing import NoReturn

from .errors import InputError


class Parser(argparse.ArgumentParser):
    """Shows defaults and the examples as written; a wrong argument is one line on stderr and exit status 2."""

    def __init__(self, description: str, examples: str) -> None:
        super().__init__(description=description, epilog=f"examples:\n{examples}", formatter_class=_Formatter)

    def error(self, message: str) -> NoReturn:
        fail(f"{message}; see python {self.prog} --help")


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        """Defaults that are computed stand in the help text itself."""
        return action.help if action.default is None else super()._get_help_string(action)


def fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def run(main: Callable[[], None], *user_errors: type[Exception]) -> None:
    """Run a script. What a user can cause ends in one line on stderr and exit status 2, without a traceback."""
    try:
        main()
    except (InputError, *user_errors) as error:
        fail(str(error))
    except MemoryError as error:
        fail(f"not enough memory ({error}); choose a smaller --batch_size or --image_size")
    except OSError as error:
        fail(_describe(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def _describe(error: OSError) -> str:
    name = error.filename if error.filename is not None else "a file"
    remedies = {
        errno.ENOENT: "is not there; expected a file: check the path",
        errno.EISDIR: "is a folder; expected a file: check the path",
        errno.ENOTDIR: "lies below something that is no folder; choose another path",
        errno.EEXIST: "exists and is no folder; choose another --output_dir",
        errno.EACCES: "may not be read or written by you; check its permissions",
        errno.ENOSPC: "does not fit on the disk; free some space or choose another --output_dir",
        errno.EFBIG: "is larger than files may be here; raise the limit or choose another --output_dir",
    }
    return f"{name} {remedies.get(error.errno, f'cannot be used: {error.strerror or error}')}"


def positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} given; expected 1 or more")
    return value


def not_negative_int(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} given; expected 0 or more")
    return value


def finite_float(text: str) -> float:
    value = float(text)
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} given; expected a finite number")
    return value


def layer_list(text: str) -> list[int]:
    """Layer indices from a list such as 4,5,6,7 or 4-7 or 0-3,8."""
    layers: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            span = range(int(first), int(last or first) + 1)
            if not span or span.start < 0:
                raise ValueError
            layers += span
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} given; expected layers such as 4,5,6,7 or 4-7") from None
    return sorted(set(layers))
