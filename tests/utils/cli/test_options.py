"""Options, settled once."""

import dataclasses
from pathlib import Path

import pytest

from dnnlib.errors import InputError
from utils.cli.options import CodeOptions, RegionOptions, add_code_options, plain_options
from utils.cli.parser import Parser, positive_int


def code_options(*arguments: str) -> CodeOptions:
    """Those of a command line of a script whose random codes are 7."""
    parser = Parser("", "")
    parser.add_argument("--total_num", type=positive_int)
    add_code_options(parser)
    return CodeOptions.from_arguments(parser.parse_args(arguments), default_num=7)


def test_number_of_codes() -> None:
    """As many as asked for; else the script's number of random ones, or all of a file."""
    assert code_options() == CodeOptions(total_num=7)
    assert code_options("--total_num", "3").total_num == 3
    assert code_options("--latent_path", "codes.npy").total_num is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--trunc_layers 6", "--trunc_layers 6 without --trunc_psi; expected both"),
        ("--latent_space w", "--latent_space w without --latent_path; expected both"),
    ],
)
def test_options_without_effect(arguments: str, words: str) -> None:
    """What would be ignored is refused."""
    with pytest.raises(InputError, match=words):
        code_options(*arguments.split())


def test_plain_options() -> None:
    """A flat dict of what JSON knows."""

    @dataclasses.dataclass(frozen=True)
    class Run:
        folder: Path
        region: RegionOptions

    assert plain_options(Run(Path("a/b"), RegionOptions(box=(1, 2, 3, 4)))) == {
        "folder": "a/b",
        **dict.fromkeys(("region", "mask", "segmentation", "labels", "parser")),
        "box": [1, 2, 3, 4],
        "invert": False,
    }
