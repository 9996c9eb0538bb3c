"""The options of manipulate.py, settled once."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

from dnnlib.errors import InputError
from dnnlib.text import spans_text
from utils.cli.options import (
    CodeOptions,
    RegionOptions,
    add_code_options,
    add_network_options,
    add_region_options,
    settle,
)
from utils.cli.parser import (
    MOST_STEPS,
    distance_or_auto,
    end_row,
    finite_float,
    first_row,
    layer_list,
    name_part,
    positive_float,
    positive_int,
    say,
    step_count,
)
from utils.editing.edits import DirectionFile, Plan
from utils.editing.strength import IMAGES_TRIED, PROBES
from utils.editing.walk import even_distances, expect_layers
from utils.files.names import ResultNames

CHANGE = 0.1  # mean absolute change inside the region, of images in [-1, 1]
FARTHEST = 4.0  # the published distances are -4 and 4


@dataclass(frozen=True)
class EditOptions:
    """What to walk along, how far, and what to write of it."""

    restore_path: str
    matrix_path: tuple[str, ...]
    codes: CodeOptions
    measured: RegionOptions
    batch_size: int | None
    output_dir: str | None  # None: named after the first directions
    gpu_id: str | None
    ignore_setting: tuple[str, ...]
    rotate: float | None
    translate: tuple[float, float] | None
    start: int
    end: int  # the row after the last one; -1: all
    per_layer: bool
    # None: those recorded beside the directions, or that the network's family edits by default.
    mani_layers: tuple[int, ...] | str | None  # or "all"
    start_distance: float | None  # None: minus the recorded distance, or the published one
    end_distance: float | None
    distance: float | str | None  # "auto": found for each direction, by `change`
    change: float
    step: int
    save_raw: bool
    animate: str | None
    contact_sheet: bool
    name: str

    def plan(
        self, file: DirectionFile, has_region: bool, num_layers: int, default: Iterable[int]
    ) -> Plan:
        """How the directions of a file are walked along, by what is given, else recorded beside
        them, else published; a line says what was taken from the record.

        `default` are the layers that the family edits. Raises InputError for a layer that is not
        there.
        """
        recorded = file.layers if self.mani_layers in (None, "all") else _readable_layers(file)
        if self.mani_layers == "all":
            layers = tuple(range(num_layers))
        elif isinstance(self.mani_layers, tuple):
            layers = self.mani_layers
        else:
            layers = recorded or tuple(default)
            if recorded and recorded[-1] >= num_layers:
                raise InputError(
                    f"{file.path} was found for layers {spans_text(recorded)}; expected 0 to "
                    f"{num_layers - 1}, those of this network: use directions found on it, or name "
                    "the layers",
                    option="mani_layers",
                )
        expect_layers(list(layers), num_layers)
        if recorded and layers != recorded:
            say(
                f"{file.path}: edited on layers {spans_text(layers)}, found for "
                f"{spans_text(recorded)}: what is recorded of its effect need not hold"
            )
        far = file.distance if layers == recorded else None
        is_free = (self.start_distance, self.end_distance, self.distance) == (None, None, None)
        if self.mani_layers is None and recorded and not self.contact_sheet:
            walked = f", to ±{far:g}" if far and is_free else ""
            say(f"{file.path}: layers {spans_text(layers)}{walked}, as recorded beside it")
        first = -(far or FARTHEST) if self.start_distance is None else self.start_distance
        last = far or FARTHEST if self.end_distance is None else self.end_distance
        finds = self.contact_sheet or self.distance == "auto"
        finds |= is_free and far is None and has_region
        return Plan(layers, even_distances(first, last, self.step), finds)

    @property
    def record(self) -> str:
        """The name of the JSON file that says what the results are of."""
        names = ResultNames(self.name)
        return names.contact_sheet_facts if self.contact_sheet else names.facts

    def count_of(self, codes: int) -> int:
        """How many of the latent codes at hand are edited."""
        few = self.contact_sheet and self.codes.total_num is None
        return min(codes, PROBES) if few else codes

    def images_shown(self, samples: int, edits: int) -> int:
        """How many images are made to be seen."""
        return 0 if self.contact_sheet else samples * (1 + self.step * edits)

    def images_tried(self, samples: int, edits: int) -> int:
        """About how many images are made to find the strength of so many edits."""
        return edits * IMAGES_TRIED * (samples if self.contact_sheet else PROBES)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "EditOptions":
        """Raises InputError for options that exclude each other or would have no effect."""
        _expect_effect(arguments)
        first, last = arguments.start_distance, arguments.end_distance
        if isinstance(arguments.distance, float):
            first, last = -arguments.distance, arguments.distance
        walked = arguments.contact_sheet or (first, last) != (None, None)
        rows = -1 if arguments.contact_sheet else arguments.start + 1
        number = PROBES if arguments.contact_sheet else 10
        return settle(
            cls,
            arguments,
            codes=CodeOptions.from_arguments(arguments, number),
            measured=RegionOptions.from_arguments(arguments),
            ignore_setting=tuple(arguments.ignore_setting or ()),
            start_distance=first,
            end_distance=last,
            distance="auto" if arguments.change and not walked else arguments.distance,
            end=arguments.end or rows,
            change=arguments.change or CHANGE,
        )


def _readable_layers(file: DirectionFile) -> tuple[int, ...] | None:
    """Those recorded; None where they cannot be read, which others given make harmless."""
    try:
        return file.layers
    except InputError:
        return None


def _expect_effect(arguments: argparse.Namespace) -> None:
    walked = [
        name for name in ("start_distance", "end_distance") if getattr(arguments, name) is not None
    ]
    if arguments.distance is not None and walked:
        raise InputError(
            f"--distance with --{walked[0]}; expected one of the two: each says how far to walk"
        )
    given = walked[0] if walked else "distance"
    if arguments.change is not None and (walked or isinstance(arguments.distance, float)):
        raise InputError(
            f"--change with --{given}; expected one of the two: each says how far to walk"
        )
    if not arguments.contact_sheet:
        return
    for option in ("distance", "start_distance", "end_distance", "animate", "save_raw", "open"):
        value = getattr(arguments, option)
        if value is not None and value is not False:  # a distance of 0 is given
            raise InputError(
                f"--contact_sheet with --{option}; expected one of them: a contact sheet is one "
                "picture of all rows, at the strength of --change"
            )


def add_edit_options(parser: argparse.ArgumentParser, names: str) -> None:
    """Those of manipulate.py; `names` is what --list shows."""
    add_network_options(parser)
    parser.add_argument(
        "--list",
        action="version",
        version=names,
        help="show the networks and directions that have a name",
    )
    add = parser.add_argument
    add(
        "matrix_path",
        nargs="*",
        help="directions: .npy, .npz, .pt or .pkl files [K, w_dim], from compute_directions.py, "
        "from directions/ or of other programs, or [K, L, w_dim] with a vector for each layer; or "
        "their addresses or names; none will do for --live",
    )
    add(
        "--batch_size",
        type=positive_int,
        help="images at once (default: as many as fit into about 2 GB)",
    )
    add(
        "--output_dir",
        help="folder to write to (default: outputs/manipulations/{stem of matrix_path})",
    )
    add(
        "--total_num",
        type=positive_int,
        help=f"number of latent codes (default: 10, or all of --latent_path; {PROBES} for "
        "--contact_sheet)",
    )
    add("--gpu_id", help="GPU number, or cpu (default: GPU 0 if there is one, else the CPU)")
    _add_walk_options(parser)
    _add_distance_options(parser)
    add("--open", action="store_true", help="open the page in the browser when it is ready")
    add("--save_raw", action="store_true", help="save each image at full size as well")
    add("--animate", choices=("gif", "webp"), help="moving pictures too, of each sample and of all")
    add(
        "--contact_sheet",
        action="store_true",
        help="only one picture a file: every row at the strength of --change, to choose from",
    )
    add("--name", type=name_part, default="lowrankgan", help="last part of the file names")
    add_code_options(parser)
    add_region_options(parser, default=None)


def _add_walk_options(parser: argparse.ArgumentParser) -> None:
    """Which rows are walked along, and on which layers."""
    add = parser.add_argument
    add(
        "--start",
        type=first_row,
        default=0,
        help="first row of the directions to walk along",
    )
    add(
        "--end",
        type=end_row,
        help="the row after the last one; -1: all rows (default: only --start, or all for "
        "--contact_sheet)",
    )
    add(
        "--per_layer",
        action="store_true",
        help="the rows of a file [L, w_dim] are one direction, a vector for each layer, not L "
        "directions",
    )
    add(
        "--mani_layers",
        type=layer_list,
        help="layers to edit, such as 4,5,6,7 or 4-7, or all (default: those recorded beside the "
        "directions; else 4-7, and all of a network without w)",
    )


def _add_distance_options(parser: argparse.ArgumentParser) -> None:
    """How far, and in how many steps."""
    add = parser.add_argument
    add(
        "--start_distance",
        type=finite_float,
        help="distance of the first step (default: minus that recorded beside the directions; "
        "else --distance auto where their region is known, and -4 where not)",
    )
    add(
        "--end_distance",
        type=finite_float,
        help="distance of the last step (default: likewise, and 4)",
    )
    add(
        "--distance",
        type=distance_or_auto,
        metavar="D",
        help="walk from -D to D; auto: as far as --change asks for",
    )
    add(
        "--change",
        type=positive_float,
        help="mean absolute change inside the region, of images in [-1, 1], for --distance auto "
        f"and --contact_sheet (default: {CHANGE})",
    )
    add("--step", type=step_count, default=7, help=f"number of steps, at most {MOST_STEPS}")
