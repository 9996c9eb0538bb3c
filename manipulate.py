"""Step 3 of 3: walk latent codes along directions; write a web page and picture grids."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dnnlib import InputError, load_generator, read_latents, select_device
from dnnlib import directions as published
from dnnlib.catalogue import is_known, network_of_directions
from dnnlib.download import find_file, list_names
from dnnlib.latents import size_of_layers
from dnnlib.text import stem
from utils.cli.options import CodeOptions, RegionOptions, add_code_options, add_region_options
from utils.cli.parser import (
    MOST_STEPS,
    Parser,
    distance_or_auto,
    duration_text,
    end_row,
    finite_float,
    layer_list,
    name_part,
    not_negative_int,
    positive_float,
    positive_int,
    run,
    say,
    step_count,
    warn,
)
from utils.editing.codes import Codes
from utils.editing.strength import Effect, Probe, save_contact_sheet
from utils.editing.walk import Edit, edited_codes, even_distances, in_batches, walk
from utils.files.sidecar import provenance, read_json, sha256, write_json
from utils.files.writing import expect_room, size_text
from utils.pictures.images import PICTURE_SIZE
from utils.regions.region import (
    FRAME,
    RegionSource,
    region_from_facts,
)
from utils.results.edit_results import EditResults, claim_results_folder

EXAMPLES = """\
  python manipulate.py demo/demo128.pkl directions/demo128/*.npy --mani_layers 0-11 --distance auto
  python manipulate.py stylegan2-ffhq-config-f-1024x1024.pkl eyes_size.npy --mani_layers 4-7
"""
PROBES = 4  # faces that --distance auto and --contact_sheet measure on
DISTANCES_TRIED = 6  # about as many for each direction


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add(
        "restore_path",
        help="network: a StyleGAN2 pickle (TensorFlow or PyTorch, ADA or not) or .pt checkpoint; "
        "its "
        "http(s) address; or a name of --list",
    )
    add(
        "matrix_path",
        nargs="+",
        help="directions: .npy, .npz, .pt or .pkl files [K, w_dim], from "
        "compute_directions.py, from directions/ or of other programs, or [K, L, w_dim] "
        "with a vector for each layer; or their addresses or names",
    )
    add(
        "--ignore_setting",
        action="append",
        metavar="NAME",
        help="load the network without its setting NAME, which is not known; may be given several "
        "times",
    )
    add(
        "--list",
        action="version",
        version=list_names(),
        help="show the networks and directions that have a name",
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
    add(
        "--start",
        type=not_negative_int,
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
        default="4,5,6,7",
        help="layers to edit, such as 4,5,6,7 or 4-7",
    )
    add("--start_distance", type=finite_float, help="distance of the first step (default: -4)")
    add("--end_distance", type=finite_float, help="distance of the last step (default: 4)")
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
        "and --contact_sheet "
        "(default: 0.1)",
    )
    add("--step", type=step_count, default=7, help=f"number of steps, at most {MOST_STEPS}")
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
    return parser.parse_args()


def settle_options(args) -> None:
    """Fill in what depends on other options; raise InputError for those that would have no
    effect."""
    walked = [
        f"--{name}"
        for name in ("start_distance", "end_distance")
        if getattr(args, name) is not None
    ]
    if args.distance is not None and walked:
        raise InputError(
            f"--distance with {walked[0]}; expected one of the two: each says how far to walk"
        )
    if args.change is not None and not args.contact_sheet and args.distance != "auto":
        raise InputError(
            "--change without --distance auto or --contact_sheet; expected one of them with it"
        )
    if args.contact_sheet:
        for option in ("distance", "start_distance", "end_distance", "animate", "save_raw"):
            if (
                getattr(args, option) is not None and getattr(args, option) is not False
            ):  # 0 is given
                raise InputError(
                    f"--contact_sheet with --{option}; expected one of them: a contact sheet is "
                    "one picture of all rows, at the strength of --change"
                )
    args.end = args.end or (-1 if args.contact_sheet else args.start + 1)
    args.change = 0.1 if args.change is None else args.change
    args.start_distance = -4.0 if args.start_distance is None else args.start_distance
    args.end_distance = 4.0 if args.end_distance is None else args.end_distance


def main() -> None:
    args = parse_arguments()
    settle_options(args)
    args.restore_path = str(find_file(args.restore_path, "network"))
    args.matrix_path = [str(find_file(path, "directions")) for path in args.matrix_path]
    directions = {path: read_directions(args, path) for path in args.matrix_path}
    region = RegionOptions.from_arguments(args).source()
    latents = read_latents(args.latent_path) if args.latent_path else None
    say(select_device(args.gpu_id))
    generator = load_generator(args.restore_path, ignore_settings=args.ignore_setting or ())
    for note in generator.notes:
        warn(f"{args.restore_path}: {note}")
    network_hash = sha256(args.restore_path)
    hashes = [sha256(path) for path in directions]
    for (path, rows), directions_hash in zip(directions.items(), hashes, strict=True):
        check_directions(args, path, rows, generator)
        warn_of_another_origin(path, directions_hash, network_hash)
    asked = args.total_num
    codes = Codes(CodeOptions.from_arguments(args, default_num=10), generator, latents)
    ws = codes.w_plus(slice(PROBES if args.contact_sheet and not asked else None))
    args.total_num = len(ws)
    edits = list(edits_of(args, directions, region))
    walk(
        ws[:1], edits[0].direction, args.mani_layers, edits[0].distances
    )  # errors before anything is written
    check_regions(args, edits, generator.resolution)

    facts = provenance(
        vars(args),
        seed=None if latents else args.seed,
        network_sha256=network_hash,
        directions_sha256=hashes[0] if len(hashes) == 1 else hashes,
        latents_sha256=sha256(args.latent_path) if latents else None,
        regions_sha256=[
            region.digest(range(len(ws)), FRAME, FRAME) for region in regions_of(edits)
        ],
        names=codes.names and codes.names[: len(ws)],
    )
    record = f"{'contact_sheet' if args.contact_sheet else 'manipulate_results'}_{args.name}.json"
    with claim_results_folder(args.output_dir, args.matrix_path, record, facts) as args.output_dir:
        facts["options"]["output_dir"] = str(args.output_dir)
        edit_images(args, generator, ws, edits, facts, args.output_dir / record)


def edit_images(
    args, generator, ws: np.ndarray, edits: list[Edit], facts: dict, record: Path
) -> None:
    """Walk along all edits and write what is asked for."""
    probe = Probe(
        generator.synthesis,
        args.batch_size or generator.batch_size,
        ws if args.contact_sheet else ws[:PROBES],
        args.mani_layers,
    )
    announce_cost(generator, args, len(edits))
    if args.contact_sheet:
        write_contact_sheets(args, probe, edits, facts, record)
        return
    if args.distance == "auto":
        edits = [with_distance(args, edit, effect) for edit, effect in probed(args, probe, edits)]
    edited = edited_codes(ws, edits, args.mani_layers)
    with (
        EditResults(args, edits, facts) as results,
        tqdm(
            total=len(ws) * (1 + args.step * len(edits)), desc="editing", unit="image", disable=None
        ) as bar,
    ):
        for batch in in_batches(edited, args.batch_size or generator.batch_size):
            results.add(generator.synthesis(batch))
            bar.update(len(batch))


def edits_of(
    args, directions: dict[str, np.ndarray], region: RegionSource | None
) -> Iterator[Edit]:
    """What is to be walked along: rows --start to --end of each file, measured in the region asked
    for or recorded."""
    first, last = args.start_distance, args.end_distance
    if isinstance(args.distance, float):
        first, last = -args.distance, args.distance
    names = unique_names([stem(path) for path in directions])
    for name, (path, rows) in zip(names, directions.items(), strict=True):
        found = region or recorded_region(args, path)
        for row in range(args.start, args.end if args.end > 0 else len(rows)):
            yield Edit(name, row, rows[row], even_distances(first, last, args.step), found)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, with a number after one that is there already, also where a file system ignores
    case."""
    wanted = {name.casefold() for name in names}
    taken: dict[str, str] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        unique = (
            name
            if name.casefold() not in taken
            else next(
                each
                for each in numbered
                if each.casefold() not in taken and each.casefold() not in wanted
            )
        )
        taken[unique.casefold()] = unique
    return list(taken.values())


def recorded_region(args, path: str) -> RegionSource | None:
    """The region that the JSON file beside directions names, if it can still be drawn for every
    sample."""
    try:
        region = region_from_facts(read_json(Path(path).with_suffix(".json")) or {})
        if region:
            for sample in range(args.total_num):
                region.mask(sample, FRAME, FRAME)
        return region
    except (InputError, OSError) as error:
        warn(f"the region recorded beside {path} is not measured: {error}")
        return None


def check_regions(args, edits: list[Edit], resolution: int) -> None:
    """Raise InputError if a region lacks pixels, or is lacking where it is needed; say what is odd
    about one."""
    size = min(resolution, PICTURE_SIZE)
    for region in regions_of(edits):
        for doubt in region.describe(range(args.total_num), size, size)[1]:
            warn(doubt)
    for edit in edits:
        if edit.region is None and (args.contact_sheet or args.distance == "auto"):
            raise InputError(
                f"{'--contact_sheet' if args.contact_sheet else '--distance auto'} measures a "
                f"region, and none is recorded beside {edit.file}.npy; expected one: name it, such "
                "as --region eyes"
            )


def regions_of(edits: list[Edit]) -> list[RegionSource]:
    """Each region once."""
    return list({id(edit.region): edit.region for edit in edits if edit.region}.values())


def probed(args, probe: Probe, edits: list[Edit]) -> Iterator[tuple[Edit, Effect]]:
    """Each edit with its effect at the distance at which it changes the region by --change."""
    for edit in tqdm(edits, desc="finding distances", unit="direction", leave=False, disable=None):
        effect = probe.effect_of_change(edit.direction, args.change, edit.region)
        if not effect.reached:
            warn(
                f"{edit.name} changes {edit.region.name} by {effect.change_inside:.2g} at a "
                f"distance of {effect.distance:g}, not by {args.change:g}: lower --change, or edit "
                "other layers"
            )
        yield edit, effect


def with_distance(args, edit: Edit, effect: Effect) -> Edit:
    return edit._replace(distances=even_distances(-effect.distance, effect.distance, args.step))


def write_contact_sheets(args, probe: Probe, edits: list[Edit], facts: dict, record: Path) -> None:
    """A contact sheet for each file, and one record of them all."""
    write_json(record, facts | {"complete": False})
    rows = []
    for file, group in itertools.groupby(probed(args, probe, edits), lambda pair: pair[0].file):
        pairs = list(group)
        path = args.output_dir / f"{file}_contact_sheet_{args.name}.png"
        rows += save_contact_sheet(path, probe.originals, pairs)
        say(str(path))
    write_json(record, facts | {"directions": rows})


def announce_cost(generator, args, number: int) -> None:
    """Print the expected time, and the disk space of raw images; fail early if the disk is too
    full."""
    shown = 0 if args.contact_sheet else args.total_num * (1 + args.step * number)
    probed = number * DISTANCES_TRIED * 2 * (args.total_num if args.contact_sheet else PROBES)
    total = shown + (probed if args.contact_sheet or args.distance == "auto" else 0)
    space = (
        shown * generator.resolution**2 * (4 if generator.num_channels == 4 else 3)
        if args.save_raw
        else 0
    )
    expect_room(args.output_dir, space)
    disk = f" and up to {size_text(space)} of disk" if space else ""
    say(
        f"expected: {duration_text(total * generator.seconds_per_image())}{disk} for {total} images"
    )


def read_directions(args, path: str) -> np.ndarray:
    """The directions [K, w_dim] or [K, L, w_dim] of a file, with --start and --end checked against
    them."""
    found = published.read_directions(path, args.per_layer)
    for note in found.notes:
        print(f"{path}: {note}")
    if found.space == "z":
        warn(f"{path} says that its directions are of z, but w is edited: use directions of w")
    number = len(found.rows)
    end = args.end if args.end > 0 else number
    if not args.start < end <= number:
        raise InputError(
            f"--start {args.start} --end {args.end} of {path}; expected 0 <= start < end <= "
            f"{number}, the number of its rows, or --end -1 for all"
        )
    return found.rows


def check_directions(args, path: str, rows: np.ndarray, generator) -> None:
    """Raise InputError if directions do not fit the network; say how rows were read that can be
    read in two ways."""
    layers, vectors = generator.num_layers, rows.shape[-2]
    if rows.shape[-1] != generator.w_dim:
        raise InputError(
            f"{path} has directions of {rows.shape[-1]} dimensions; expected {generator.w_dim}, "
            f"the w of {args.restore_path}: use directions found on this network"
        )
    size = size_of_layers(vectors)
    if rows.ndim == 3 and vectors != layers:
        remedy = (
            "leave out --per_layer"
            if args.per_layer and not size
            else "use directions found on this network"
        )
        of_size = f" ({vectors} are those of a network of {size} x {size} pixels)" if size else ""
        raise InputError(
            f"{path} has {vectors} vectors for a direction; expected {layers}, one for each layer "
            f"of {args.restore_path}{of_size}: {remedy}"
        )
    if rows.ndim == 2 and vectors > layers and size and not published.are_unit(rows):
        raise InputError(
            f"{path} has {vectors} rows, not of length 1, as one direction of w+ in a network of "
            f"{size} x {size} pixels has; expected {layers} of these for {args.restore_path}: use "
            f"directions found on this network, or, if these are {vectors} directions, scale each "
            "to length 1"
        )
    if rows.ndim == 3:
        edited = ",".join(map(str, args.mani_layers))
        print(
            f"{path}: a vector for each of {layers} layers, of which those of --mani_layers "
            f"{edited} are used"
        )
    elif len(rows) == layers:
        print(
            f"{path}: {layers} directions; --per_layer reads them as one, a vector for each of "
            f"the {layers} layers"
        )


def warn_of_another_origin(matrix_path: str, directions_hash: str, network_hash: str) -> None:
    """Warn of directions that were found on another network, or in z."""
    facts = read_json(Path(matrix_path).with_suffix(".json")) or {}
    if facts.get("latent_space") == "z":
        warn(f"{matrix_path} was found in z, but w is edited: use directions from a w_dataset file")
    known = network_of_directions(directions_hash)
    if known and network_hash != known.sha256 and (known.sha256 or is_known(network_hash)):
        warn(
            f"{matrix_path} was found on {known.name}, which this network is not, by its checksum: "
            f"its effect may be anything, unless this is {known.name} in another format"
        )
    origin = facts.get("network_sha256")
    if origin not in (None, network_hash):
        warn(
            f"{matrix_path} was found on another network (SHA-256 {str(origin)[:12]}…, this one is "
            f"{network_hash[:12]}…): its effect may be anything"
        )


if __name__ == "__main__":
    run(main)
