"""What the three scripts have in common on the command line."""

import argparse
import errno
import io
import os
import re
import sys
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from tqdm import tqdm

from dnnlib.errors import InputError
from dnnlib.text import file_name_part, one_line
from utils.cli.stopping import stopped_by_signals

MOST_CLASSES = 1 << 16
MOST_LAYERS = 1000  # no network has as many
LARGEST = 1e38  # about what a float32 holds
MOST_STEPS = 1000  # of an edit: a grid has a column for each


class Parser(argparse.ArgumentParser):
    """Shows defaults and the examples as written; a wrong argument is one line on stderr and exit
    status 2."""

    def __init__(self, description: str, examples: str) -> None:
        super().__init__(
            description=description, epilog=f"examples:\n{examples}", formatter_class=_Formatter
        )
        # Numbers as -1e-3, too, are no options.
        self._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$", re.I)

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        """An empty value, as an unset variable of a shell leaves, is refused: it does not mean what
        none means."""
        if not text:
            raise argparse.ArgumentError(
                action, "'' given; expected a value: give one, or leave the option out"
            )
        return super()._get_value(action, text)

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments: ") and " -" not in message:
            names = [action.dest for action in self._actions if not action.option_strings]
            message += f"; expected {' and '.join(names)} alone"
        fail(f"{message}; see python {self.prog} --help")


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        """Defaults that are computed stand in the help text itself."""
        return action.help if action.default is None else super()._get_help_string(action)


def with_flags(text: str) -> str:
    """A text of the library, which names options as `mani_layers`, with --mani_layers instead."""
    return re.sub("`([a-z_]+)`", r"--\1", text)


def say(text: str) -> None:
    """Lines on stdout, above a bar if there is one. What is in them from files cannot steer a
    terminal."""
    for line in with_flags(text).split("\n"):
        tqdm.write(
            line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)
        )
    sys.stdout.flush()


def warn(message: str) -> None:
    """A line on stderr, above a bar if there is one."""
    tqdm.write(f"WARNING: {with_flags(one_line(message))}", file=sys.stderr)


def fail(message: str, option: str | None = None) -> NoReturn:
    text = f"{f'--{option}: ' if option else ''}{with_flags(one_line(message))}"
    print(f"error: {text}", file=sys.stderr)
    sys.exit(2)


def run(main: Callable[[], None]) -> None:
    """Run a script. What a user can cause ends in one line on stderr and exit status 2, without a
    traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # always, but when a test has replaced it
        # As stderr has it: names of files need not be text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with stopped_by_signals():
            main()
            sys.stdout.flush()
    except InputError as error:
        fail(str(error), error.option)
    except MemoryError as error:
        fail(
            f"not enough memory{f': {error}' if str(error) else ''}; choose a smaller "
            "--batch_size or --image_size"
        )
    except BrokenPipeError:  # whoever read the output has had enough, as after | head
        _drop_output()
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            _drop_output()
        fail(_describe(error))
    except KeyboardInterrupt as stop:
        print("stopped", file=sys.stderr)
        sys.exit(getattr(stop, "status", 130))


def _drop_output() -> None:
    """What could not be written to stdout must not be tried again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _describe(error: OSError) -> str:
    name = error.filename if error.filename is not None else "the output, or a file,"
    remedies = {
        errno.ENOENT: "is not there; expected a file: check the path",
        errno.EISDIR: "is a folder; expected a file: check the path",
        errno.ENOTDIR: "lies below something that is no folder; choose another path",
        errno.EEXIST: "exists and is no folder; choose another --output_dir",
        errno.EACCES: "may not be read or written by you; check its permissions",
        errno.ENOSPC: "does not fit on the disk; free some space or choose another --output_dir",
        errno.ELOOP: "is a link; expected a file of its own: remove it",
        errno.ENAMETOOLONG: "is too long a name; choose a shorter one",
        errno.EFBIG: "is larger than files may be here; raise the limit or choose another "
        "--output_dir",
    }
    otherwise = f"cannot be used: {error.strerror or error}"
    return f"{name} {remedies.get(error.errno or 0, otherwise)}"


def duration_text(seconds: float) -> str:
    """A time for people: about 40 s, about 12 min."""
    return f"about {max(seconds, 1):.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def _whole_number(text: str, span: range, expected: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value not in span:
        expected = f"at most {span[-1]}" if value > span[-1] else expected
        raise argparse.ArgumentTypeError(f"{text} given; expected a whole number, {expected}")
    return value


def positive_int(text: str) -> int:
    return _whole_number(text, range(1, 2**31), "1 or more")


def step_count(text: str) -> int:
    return _whole_number(text, range(1, MOST_STEPS + 1), f"1 to {MOST_STEPS}")


def not_negative_int(text: str) -> int:
    return _whole_number(text, range(2**31), "0 or more")


def seed(text: str) -> int:
    return _whole_number(text, range(2**32), f"0 to {2**32 - 1}")


def finite_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < LARGEST:
        raise argparse.ArgumentTypeError(
            f"{text} given; expected a finite number, below {LARGEST:g}"
        )
    return value


def pair_of_floats(text: str) -> tuple[float, float]:
    first, _, second = text.partition(",")
    try:
        return finite_float(first), finite_float(second)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text} given; expected two numbers such as 0.1,-0.05"
        ) from None


def positive_float(text: str) -> float:
    value = finite_float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(
            f"{text} given; expected a positive number, below {LARGEST:g}"
        )
    return value


def distance_or_auto(text: str) -> float | str:
    try:
        return text if text == "auto" else positive_float(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text} given; expected auto or a positive number, below {LARGEST:g}"
        ) from None


def first_row(text: str) -> int:
    """The first row."""
    return _row(text, 0, "0 or more", "start_distance")


def end_row(text: str) -> int:
    """The row after the last one, or -1 for all rows."""
    if text.strip() == "-1":
        return -1
    return _row(text, 1, "1 or more, or -1 for all rows", "end_distance")


def _row(text: str, least: int, expected: str, walk: str) -> int:
    """A number of rows; one below 0 may be meant for the option `walk`."""
    try:
        return _whole_number(text, range(least, 2**31), expected)
    except argparse.ArgumentTypeError as error:
        meant = f" (did you mean --{walk}?)" if text.startswith("-") else ""
        raise argparse.ArgumentTypeError(f"{error}{meant}") from None


def name_part(text: str) -> str:
    """A part of a file name, as it is."""
    if text != file_name_part(text):
        raise argparse.ArgumentTypeError(
            f"{one_line(text, 100)!r} given; expected a short part of a file name, such as my_eyes"
        )
    return text


def layer_list(text: str) -> list[int] | Literal["all"]:
    """Layer indices from a list such as 4,5,6,7 or 4-7 or 0-3,8; or all."""
    if text == "all":
        return "all"
    return sorted(set(_number_list(text, MOST_LAYERS, "layers such as 4,5,6,7 or 4-7, or all")))


def class_list(text: str) -> int | tuple[int, ...]:
    """A class, or several in the order of a list such as 207,281 or 0-5."""
    classes = _number_list(text, MOST_CLASSES, "a class such as 207, or several as 207,281 or 0-5")
    return classes[0] if len(classes) == 1 else tuple(classes)


def _number_list(text: str, stop: int, expected: str) -> list[int]:
    numbers: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            span = range(int(first), int(last if dash else first) + 1)
            if not span or span.start < 0 or span.stop > stop:
                raise ValueError
            numbers += span
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} given; expected {expected}") from None
    return numbers
