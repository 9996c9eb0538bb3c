"""python -m dnnlib inspect FILE: what a file is, without TensorFlow."""

import argparse
import os
import sys
from typing import NoReturn

from dnnlib.describe import describe
from dnnlib.download import find_file
from dnnlib.errors import InputError
from dnnlib.text import one_line

EXAMPLES = """\
examples:
  python -m dnnlib inspect demo/demo128.pkl
  python -m dnnlib inspect directions/demo128/eyes.npy
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _fail(f"{message}; see {self.prog} --help")


def _fail(message: str) -> NoReturn:
    print(f"error: {one_line(message)}", file=sys.stderr)
    sys.exit(2)


def main() -> None:
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
    args = parser.parse_args()
    file = args.file
    sys.stdout.reconfigure(
        errors="backslashreplace"
    )  # as stderr has it: names of files need not be text
    try:
        print(describe(find_file(file), args.ignore_setting or ()), flush=True)
    except InputError as error:
        _fail(str(error))
    except BrokenPipeError:  # whoever read the output has had enough, as after | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        _fail(
            f"{error.filename or file} cannot be read ({error.strerror or error}); expected a "
            "file: check the path"
        )
    except MemoryError:
        _fail(f"{file} does not fit into the memory; expected a smaller file, or more memory")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
