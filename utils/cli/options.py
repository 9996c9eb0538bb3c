"""The options of a run, settled once: what the command line says, checked as far as it can be
without opening a file, in frozen dataclasses.

Each field has the name of its option. `plain_options` gives them as the JSON files beside outputs
record them.
"""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from dnnlib.errors import InputError
from dnnlib.text import stem
from utils.cli.parser import (
    class_list,
    finite_float,
    layer_list,
    name_part,
    not_negative_int,
    pair_of_floats,
    positive_float,
    positive_int,
    seed,
)
from utils.method.directions import default_lamb
from utils.method.workers import Method
from utils.regions.region import BOXES, FRAME, RegionSource, check_box, region_source
from utils.regions.segmentations import NAMES, PARSERS, Label

LatentSpace = Literal["auto", "z", "w", "wp"]
Options = TypeVar("Options")


def plain_options(options: Any) -> dict[str, Any]:
    """The fields of a dataclass of options, and of those in it, by their names: for a JSON file."""
    named: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            named |= plain_options(value)
        elif isinstance(value, Path):
            named[field.name] = str(value)
        else:
            named[field.name] = list(value) if isinstance(value, tuple) else value
    return named


def settle(kind: type[Options], arguments: argparse.Namespace, **settled: Any) -> Options:
    """The dataclass of options, each as given unless it is among the `settled`."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(arguments).items()
        if name in names
    }
    return kind(**given | settled)


# Latent codes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CodeOptions:
    """Which latent codes a run is about: random ones, or those of a file."""

    seed: int = 4
    latent_path: str | None = None
    latent_space: LatentSpace = "auto"  # of the file; wp: w+
    # One class, or several in turn; without either all labels are zero.
    class_index: int | tuple[int, ...] | None = None
    class_name: str | None = None
    trunc_psi: float = 1.0  # 1: off
    trunc_layers: int | None = None  # None: all
    total_num: int | None = None  # None: all of the file

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, default_num: int) -> "CodeOptions":
        """`default_num` is the number of random codes. Raises InputError for an option that would
        have no effect."""
        if arguments.trunc_layers and arguments.trunc_psi == 1:
            raise InputError(
                f"--trunc_layers {arguments.trunc_layers} without --trunc_psi; expected both: add, "
                "for example, --trunc_psi 0.7"
            )
        if arguments.latent_path is None and arguments.latent_space != "auto":
            raise InputError(
                f"--latent_space {arguments.latent_space} without --latent_path; expected both: "
                "name the file of the codes"
            )
        if arguments.class_index is not None and arguments.class_name is not None:
            raise InputError(
                "--class with --class_index; expected one of the two: each says which class"
            )
        random_num = None if arguments.latent_path else default_num
        return settle(cls, arguments, total_num=arguments.total_num or random_num)


def add_code_options(parser: argparse.ArgumentParser) -> None:
    """The options of `CodeOptions` but --total_num, whose default is the script's."""
    add = parser.add_argument
    add("--seed", type=seed, default=4, help="seed of the random latent codes")
    add(
        "--latent_path",
        help="latent codes of your own instead: .npy, .npz, .pt or .pkl, such as an encoder or a "
        "projector writes; [N, z_dim] of z, [N, w_dim] of w, [N, L, w_dim] or [L, w_dim] of w+",
    )
    add(
        "--latent_space",
        choices=get_args(LatentSpace),
        default="auto",
        help="what they are; wp: w+. auto: w or w+ under the keys w, dlatents and latent, z under "
        "z; elsewhere three dimensions are w+, and of two the length of the rows decides, if it "
        "can",
    )
    add(
        "--class_index",
        type=class_list,
        help="class, or classes in turn as 0-5, of z codes only, for networks with labels "
        "(default: all labels zero; a BigGAN needs one)",
    )
    add(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="the same by its name, or a part of it, such as 'golden retriever', or several after "
        "commas: ImageNet's names for a network of 1000 classes, else those in "
        "NETWORK.classes.txt beside it",
    )
    add(
        "--trunc_psi",
        type=finite_float,
        default=1.0,
        help="truncation, of z codes only: how far from the mean of w; 1 is off",
    )
    add(
        "--trunc_layers",
        type=positive_int,
        help="truncate this many layers, from the first (default: all)",
    )


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """restore_path, --ignore_setting, --rotate and --translate."""
    add = parser.add_argument
    add(
        "restore_path",
        help="network: a generator of StyleGAN 1, 2 or 3, ProGAN or BigGAN (docs/formats.md lists "
        "the files); its http(s) address; or a name that python manipulate.py --list shows",
    )
    add(
        "--ignore_setting",
        action="append",
        metavar="NAME",
        help="load the network without its setting NAME, which is not known; may be given several "
        "times",
    )
    add(
        "--rotate",
        type=finite_float,
        metavar="DEGREES",
        help="turn the picture anticlockwise, of a StyleGAN3 (default: as the network does)",
    )
    add(
        "--translate",
        type=pair_of_floats,
        metavar="X,Y",
        help="shift it to the right and down, by so many of its widths, after it is turned",
    )


# Regions ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RegionOptions:
    """Which region of the image: one of region, box, mask and segmentation, or none of them."""

    region: str | None = None
    box: tuple[int, int, int, int] | None = None
    mask: str | None = None
    segmentation: str | None = None
    labels: tuple[Label, ...] | None = None
    parser: str | None = None
    invert: bool = False

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "RegionOptions":
        """Without the default of --region where another kind is given. Raises InputError for an
        option that would have no effect."""
        others = (arguments.box, arguments.mask, arguments.segmentation)
        region = arguments.region if all(value is None for value in others) else None
        options = settle(cls, arguments, region=region)
        if not options.is_given:
            for name in ("labels", "parser", "invert"):
                if getattr(options, name):
                    raise InputError(
                        f"--{name} without a region; expected --region, --box, --mask or "
                        "--segmentation with it"
                    )
        return options

    @property
    def is_given(self) -> bool:
        """Whether they name a region."""
        kinds = (self.region, self.box, self.mask, self.segmentation)
        return any(value is not None for value in kinds)

    def source(self) -> RegionSource | None:
        """The region, or None if none is named. Raises InputError for what cannot be."""
        return self.expect_source() if self.is_given else None

    def expect_source(self) -> RegionSource:
        """The region. Raises InputError if none is named, or for what cannot be."""
        return region_source(**vars(self) | {"labels": self.labels or ()})


def add_region_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    """The options of `RegionOptions`; `default` is that of --region, or None for no region."""
    group = parser.add_argument_group("the region: one of these")
    add = group.add_mutually_exclusive_group().add_argument
    add(
        "--region",
        default=default,
        help=f"a box by name, or several after commas: {', '.join(BOXES)}",
    )
    add(
        "--box",
        type=_box,
        metavar="ROW,COL,HEIGHT,WIDTH",
        help="a box: its centre and size in a 256 x 256 frame",
    )
    add(
        "--mask",
        metavar="FILE",
        help="a PNG or .npy file of any size, bright inside; or a folder with one a sample: "
        "3.png or ..._number_0003.png belongs to sample 3",
    )
    add(
        "--segmentation",
        metavar="FILE",
        help="a label map, PNG or .npy, of any size; or a folder with one a sample",
    )
    group.add_argument(
        "--labels",
        type=_labels,
        metavar="L,L,...",
        help="labels of --segmentation that are inside: numbers, colours such as '#ff0000', or "
        f"names: {', '.join(NAMES)}",
    )
    group.add_argument(
        "--parser",
        choices=PARSERS,
        help="whose label maps they are, where --labels has names that mean other numbers in "
        "those of another: celebamask (CelebAMask-HQ, MaskGAN) or bisenet (face-parsing.PyTorch)",
    )
    group.add_argument("--invert", action="store_true", help="swap inside and outside")


def _box(text: str) -> list[int]:
    try:
        row, column, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} given; expected four whole numbers ROW,COL,HEIGHT,WIDTH in a "
            f"{FRAME} x {FRAME} frame, such as 120,128,20,115"
        ) from None
    try:
        check_box([row, column, height, width])
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return [row, column, height, width]


def _labels(text: str) -> list[Label]:
    """Labels as they are given, each once; `region_source` checks what they mean."""
    parts = dict.fromkeys(
        part.lower() if part.startswith("#") else part for part in text.split(",")
    )
    return [
        int(part) if part.isascii() and part.isdigit() and len(part) < 12 else part
        for part in parts
    ]


# Steps 1 and 2 ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JacobianOptions:
    """Those of compute_jacobian.py."""

    restore_path: str
    output_dir: Path
    image_size: int = 256
    batch_size: int | None = None
    gpu_id: str | None = None
    compute_z: bool = False
    save_png: bool = True
    fused_channel: bool = True
    d_name: str = "ffhq"
    layers: tuple[int, ...] | None = None  # None: all
    allow_tf32: bool = False
    ignore_setting: tuple[str, ...] | None = None
    rotate: float | None = None
    translate: tuple[float, float] | None = None
    overwrite: bool = False
    codes: CodeOptions = CodeOptions(total_num=5)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, network: Path) -> "JacobianOptions":
        """`network` is the file of restore_path, a name or a path. Raises InputError for options
        that exclude each other, or would have no effect."""
        codes = CodeOptions.from_arguments(arguments, default_num=5)
        if arguments.compute_z and codes.trunc_psi != 1:
            raise InputError(
                f"--trunc_psi {codes.trunc_psi:g} with --compute_z; expected one of them: z has no "
                "truncation"
            )
        origin = stem(codes.latent_path) if codes.latent_path else f"seed_{codes.seed}"
        return settle(
            cls,
            arguments,
            restore_path=str(network),
            output_dir=Path(arguments.output_dir or f"outputs/jacobian_{origin}"),
            codes=codes,
            d_name=arguments.d_name or data_set_of(arguments.restore_path, network),
            layers=None if arguments.layers in (None, "all") else tuple(arguments.layers),
        )


def data_set_of(named: str, network: Path) -> str:
    """What files are called after a network: by its name, or the stem of its file; ffhq, as
    published, if that is in it."""
    name = stem(network) if named.lower().startswith("http") or "." in named else stem(named)
    return "ffhq" if "ffhq" in name.lower() else name


def add_jacobian_options(parser: argparse.ArgumentParser) -> None:
    """Those of compute_jacobian.py."""
    add_network_options(parser)
    add = parser.add_argument
    add("--image_size", type=positive_int, default=256, help="size that the image is resized to")
    add(
        "--batch_size",
        type=positive_int,
        help="tangents at once (default: as many as fit into about 2 GB)",
    )
    add(
        "--output_dir",
        help="folder to write to (default: outputs/jacobian_seed_{seed}, or "
        "outputs/jacobian_{stem of latent_path})",
    )
    add(
        "--total_num",
        type=positive_int,
        help="number of latent codes (default: 5, or all of --latent_path)",
    )
    add(
        "--gpu_id",
        help="GPU number, several to share the work, such as 0,1, or cpu (default: GPU 0 if there "
        "is one, else the CPU)",
    )
    _add_kind_options(parser)
    add(
        "--d_name",
        type=name_part,
        help="data set, a part of the file names (default: the network's name, or the stem of its "
        "file; ffhq if that is in it)",
    )
    add(
        "--layers",
        type=layer_list,
        help="shift the code on these layers only, such as 4-7, for directions that are edited on "
        "them (default: all)",
    )
    add(
        "--allow_tf32",
        action="store_true",
        help="let GPUs multiply with mantissas of 10 bits: faster, less exact",
    )
    add(
        "--overwrite",
        action="store_true",
        help="start anew, whatever an earlier run has left in --output_dir",
    )
    add_code_options(parser)


def _add_kind_options(parser: argparse.ArgumentParser) -> None:
    """Of what the Jacobian is, with respect to what, and whether with pictures."""
    add = parser.add_argument
    add("--compute_z", action="store_true", help="the Jacobian with respect to z as well")
    add(
        "--save_png",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="save the images as PNG",
    )
    add(
        "--fused_channel",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="mean over RGB, not each channel by itself",
    )


@dataclass(frozen=True)
class DirectionsOptions:
    """Those of compute_directions.py."""

    jaco_path: str
    output_dir: Path
    lamb: float
    max_iter: int = 10000
    num_relax: int = 0
    method: Method = "lowrank"
    pool: bool = False
    name: str = "lowrankgan"
    region: RegionOptions = RegionOptions(region="eyes")

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, dimensions: int) -> "DirectionsOptions":
        """`dimensions` are those of the Jacobian, on which the default of lamb depends."""
        return settle(
            cls,
            arguments,
            output_dir=Path(arguments.output_dir),
            lamb=arguments.lamb or default_lamb(dimensions),
            region=RegionOptions.from_arguments(arguments),
        )


def add_directions_options(parser: argparse.ArgumentParser) -> None:
    """Those of compute_directions.py."""
    add = parser.add_argument
    add("jaco_path", help="Jacobian: a .npy file from compute_jacobian.py")
    add("--output_dir", default="outputs/directions", help="folder to write to")
    add(
        "--lamb",
        type=positive_float,
        help="lower: higher ranks, a stricter null space (default: 60 (w_dim / 512)^0.75, the "
        "published 60 for 512)",
    )
    add(
        "--max_iter",
        type=positive_int,
        default=10000,
        help="steps of the factorization at the most",
    )
    add(
        "--num_relax",
        type=not_negative_int,
        default=0,
        help="dimensions that the background gives back",
    )
    add(
        "--method",
        choices=("lowrank", "resefa"),
        default="lowrank",
        help="principal space of the region's low-rank part, or generalized eigenvectors in "
        "closed form (ReSeFa)",
    )
    add(
        "--pool",
        action="store_true",
        help="one set of directions for all samples, from their mean Gram matrices",
    )
    add("--name", type=name_part, default="lowrankgan", help="last part of the file names")
    add_region_options(parser, default="eyes")
