"""Arguments and how errors end."""

import argparse
import errno

import pytest

from dnnlib.errors import InputError
from utils.cli.parser import (
    Parser,
    fail,
    finite_float,
    layer_list,
    not_negative_int,
    positive_int,
    run,
    warn,
)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("4,5,6,7", [4, 5, 6, 7]),
        ("4-7", [4, 5, 6, 7]),
        ("0", [0]),
        ("0-3,8", [0, 1, 2, 3, 8]),
        ("7,4,4-5", [4, 5, 7]),
        ("3-3", [3]),
        (" 1, 2 ", [1, 2]),
    ],
)
def test_layer_list(text, layers):
    """Lists and ranges of layers, in any order, are sorted and without repetition."""
    assert layer_list(text) == layers


@pytest.mark.parametrize(
    "text", ["", "a", "4,,5", "7-4", "-1", "1--3", "4.5", "4;5", "1-2-3", ",", "-"]
)
def test_malformed_layers(text):
    """Anything else is an error that shows what was given and what is expected."""
    with pytest.raises(
        argparse.ArgumentTypeError, match=r"given; expected layers such as 4,5,6,7 or 4-7"
    ):
        layer_list(text)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (positive_int, ["1", "7"], ["0", "-1", "a", "1.5", "nan", ""]),
        (not_negative_int, ["0", "7"], ["-1", "a", "1.5", ""]),
        (finite_float, ["0", "-4", "1e3", ".5"], ["nan", "inf", "-inf", "1e999", "a", ""]),
    ],
)
def test_numbers(kind, good, bad):
    """Numbers in range pass, others are errors that argparse reports."""
    for text in good:
        assert kind(text) == float(text)
    for text in bad:
        with pytest.raises((argparse.ArgumentTypeError, ValueError)):
            kind(text)


def parser() -> Parser:
    parser = Parser("What it does.", "  python first.py\n  python second.py\n")
    parser.add_argument("path", help="a file")
    parser.add_argument("--seed", type=positive_int, default=4, help="the seed")
    parser.add_argument("--place", help="a folder (default: computed)")
    return parser


def test_help():
    """Help shows each default once, and ends with the examples as they were written."""
    text = parser().format_help()
    assert "the seed (default: 4)" in text
    assert "a folder (default: computed)\n" in text
    assert "None" not in text
    assert text.rstrip("\n").endswith("examples:\n  python first.py\n  python second.py")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: path"),
        (["a", "--sead", "3"], "unrecognized arguments: --sead 3"),
        (["a", "--seed", "0"], "0 given"),
        (["a", "--seed", "x"], "--seed"),
        (["a", "b"], "unrecognized arguments: b"),
        (["a", "--seed"], "expected one argument"),
    ],
)
def test_wrong_arguments(capsys, arguments, words):
    """A wrong argument is one line on stderr that points to --help, and exit status 2."""
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(arguments)
    out, err = capsys.readouterr()
    assert stop.value.code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert "--help" in err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("found this"), 2, "error: found this"),
        (
            FileNotFoundError(errno.ENOENT, "x", "a/b"),
            2,
            "error: a/b is not there; expected a file: check the path",
        ),
        (
            IsADirectoryError(errno.EISDIR, "x", "a/b"),
            2,
            "error: a/b is a folder; expected a file: check the path",
        ),
        (
            FileExistsError(errno.EEXIST, "x", "a"),
            2,
            "error: a exists and is no folder; choose another --output_dir",
        ),
        (
            PermissionError(errno.EACCES, "x", "a"),
            2,
            "error: a may not be read or written by you; check its permissions",
        ),
        (
            OSError(errno.ENOSPC, "x", "a"),
            2,
            "error: a does not fit on the disk; free some space or choose another --output_dir",
        ),
        (
            OSError(errno.EIO, "Input/output error", "a"),
            2,
            "error: a cannot be used: Input/output error",
        ),
        (
            MemoryError("no 8 GB"),
            2,
            "error: not enough memory: no 8 GB; choose a smaller --batch_size or --image_size",
        ),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_run(capsys, error, status, line):
    """What a user can cause ends in one line and a status, without a traceback."""

    def main():
        raise error

    with pytest.raises(SystemExit) as stop:
        run(main)
    assert stop.value.code == status
    assert capsys.readouterr() == ("", line + "\n")


def test_run_does_not_hide_mistakes_of_the_code():
    """An error that no user causes keeps its traceback; a good run returns."""
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
    run(lambda: None)


def test_fail_cannot_steer_the_terminal(capsys):
    """What is not printable in a message is not printed."""
    with pytest.raises(SystemExit):
        fail("a\x1b[2Jb\nc\ud800")
    assert capsys.readouterr().err == "error: a?[2Jb c?\n"


def test_warn(capsys):
    """A warning is one printable line on stderr."""
    warn("of\x1b[2J\nthis")
    assert capsys.readouterr() == ("", "WARNING: of?[2J this\n")


def test_fail(capsys):
    """fail prints one line and leaves with status 2."""
    with pytest.raises(SystemExit) as stop:
        fail("wrong")
    assert (stop.value.code, capsys.readouterr().err) == (2, "error: wrong\n")


@pytest.mark.parametrize(
    "arguments", [["--path", ""], ["--path="], ["--size", ""], ["--many", "a", ""], [""]]
)
def test_empty_values(capsys, arguments):
    """An empty value, as an unset variable of a shell leaves, is an error, not taken for an option
    left out."""
    parser = Parser("", "")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--path")
    parser.add_argument("--size", type=positive_int)
    parser.add_argument("--many", nargs="+")
    with pytest.raises(SystemExit):
        parser.parse_args(arguments)
    assert (
        "'' given; expected a value: give one, or leave the option out" in capsys.readouterr().err
    )
    assert parser.parse_args([]).path is None


def test_the_flag_of_an_error_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise InputError("layer 40; expected 0 to 17", option="mani_layers")

    with pytest.raises(SystemExit):
        run(main)
    assert capsys.readouterr().err == "error: --mani_layers: layer 40; expected 0 to 17\n"


def test_error_numbers_have_words():
    """The errors of a full disk and of a file limit are told with a remedy."""
    from utils.cli.parser import _describe

    for number in (errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.ENOENT, errno.EISDIR):
        assert _describe(OSError(number, "text", "some/path")).startswith("some/path ")
