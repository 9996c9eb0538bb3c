"""python -m dnnlib inspect FILE: what a file is, without TensorFlow."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
import argparse
import os
from typing import NoReturn

from dnnlib.describe import describe
from dnnlib.download import find_file
from dnnlib.errors import InputError
from utils.cli.parser import fail, run, say
from utils.files.sidecar import read_json

EXAMPLES = """\
examples:
  python -m dnnlib inspect demo/demo128.pkl
  python -m dnnlib inspect directions/demo128/eyes.npy
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(f"{message}; see {self.prog} --help")


def parse_arguments() -> argparse.Namespace:
    shape = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        "python -m dnnlib",
        description="What networks, latent codes, directions and Jacobians hold.",
        epilog=EXAMPLES,
        formatter_class=shape,
    )
    inspect = parser.add_subparsers(dest="command", required=True).add_parser(
        "inspect",
        help="say what a file is",
        epilog=EXAMPLES,
        formatter_class=shape,
        description="What a file is; of a network also its layers, with the numbers that "
        "--mani_layers takes.",
    )
    inspect.add_argument(
        "file",
        help="a network, latent codes, directions or a Jacobian; its http(s) address; or a "
        "name that python manipulate.py --list shows",
    )
    inspect.add_argument(
        "--ignore_setting",
        action="append",
        metavar="NAME",
        help="load the network without its setting NAME, which is not known; may be given several "
        "times",
    )
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    path = find_file(args.file)
    beside = path.with_suffix(".json")
    facts = read_json(beside)
    is_unreadable = facts is None and os.path.lexists(beside)
    try:
        text = describe(path, args.ignore_setting or (), facts, is_unreadable)
    except MemoryError:
        raise InputError(
            f"{path} does not fit into the memory; expected a smaller file, or more memory"
        ) from None
    say(text)


if __name__ == "__main__":
    run(main)
