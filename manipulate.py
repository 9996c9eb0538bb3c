"""Step 3 of 3: walk latent codes along directions; write a web page and picture grids."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
import math
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlib import InputError, load_generator, network_files, read_latents, select_device
from dnnlib.catalogue import doubt_of_directions, network_of_directions
from dnnlib.directions import expect_fit, read_directions
from dnnlib.download import find_run_files, list_names
from dnnlib.latents import FittedCodes, Latents, fit_codes
from utils.cli.cost import announce
from utils.cli.edit_options import EditOptions, add_edit_options
from utils.cli.live_options import LiveOptions, add_live_options
from utils.cli.options import plain_options
from utils.cli.parser import Parser, run, say, warn
from utils.editing.codes import Codes
from utils.editing.edits import DirectionFile, Plan, check_regions, edits_of, regions_of, walks_of
from utils.editing.walk import Edit, Walker, doubt_of_distance
from utils.files.names import ResultNames
from utils.files.sidecar import DirectionFacts, ResultFacts, read_facts, sha256
from utils.files.writing import expect_room
from utils.pictures.images import PICTURE_SIZE
from utils.regions.region import frame_of
from utils.results.edit_results import claim_results_folder
from utils.results.edit_run import names_written, write_edits

if TYPE_CHECKING:
    from dnnlib.generator import Generator

EXAMPLES = """\
  python manipulate.py demo eyes smile --open
  python manipulate.py ffhq ffhq1024/eyes_size --total_num 20
"""


def main() -> None:
    parser = Parser(__doc__, EXAMPLES)
    add_edit_options(parser, list_names())
    add_live_options(parser)
    arguments = parser.parse_args()
    live = LiveOptions.from_arguments(arguments)
    options = EditOptions.from_arguments(arguments)
    network, paths = find_run_files(options.restore_path, options.matrix_path)
    directions = [read_file(path, options) for path in paths]
    region = options.measured.source()
    path = options.codes.latent_path
    latents = read_latents(path) if path else None
    generator, device = open_generator(options, network)
    if live.live:
        run_live(live, options, generator, network, directions, latents, device)
        return
    network_hash = check_all(directions, options, generator, network)
    codes = Codes(options.codes, generator, fitted(options, generator, latents))
    samples = options.count_of(len(codes))
    walker = Walker(codes.w_plus(slice(samples)), [], codes.z, codes.w_plus_of)

    def plan_of(file: DirectionFile, has_region: bool) -> Plan:
        return options.plan(file, has_region, generator.num_layers, generator.default_edit_layers)

    rows = slice(options.start, options.end if options.end > 0 else None)
    frame = frame_of(*generator.size)
    has_w = generator.space == "w"  # else z is what all directions move
    edits = list(edits_of(directions, rows, plan_of, region, samples, frame, has_w))
    check_regions(edits, samples, generator.jacobian_size(PICTURE_SIZE))
    warn_of_distances(edits, generator)

    hashes = [file.sha256 for file in directions]
    facts = ResultFacts.of_run(
        plain_options(options) | {"total_num": samples} | walks_of(edits),
        seed=None if latents else options.codes.seed,
        network_sha256=network_hash,
        directions_sha256=hashes[0] if len(hashes) == 1 else hashes,
        latents_sha256=sha256(path) if path else None,
        regions_sha256=[area.digest(range(samples), *frame) for area in regions_of(edits)],
        names=codes.names and codes.names[:samples],
    )
    names = [str(path) for path in paths]
    written = names_written(options, edits, samples)
    with claim_results_folder(options.output_dir, names, options.record, facts, written) as folder:
        facts = replace(facts, options=facts.options | {"output_dir": str(folder)})
        batch_size = announce_cost(generator, options, samples, edits, folder)
        write_edits(generator.synthesis, batch_size, options, walker, edits, facts, folder)
    if arguments.open:
        open_in_browser(folder / ResultNames(options.name).page)


def run_live(
    live: LiveOptions,
    options: EditOptions,
    generator: "Generator",
    network: Path,
    directions: list[DirectionFile],
    latents: Latents | None,
    device: str,
) -> None:
    """A page on this machine until Ctrl-C; or, with --keep, only what it would keep."""
    # Not above: other runs start without a server and workers.
    from utils.live.keeping import keep
    from utils.live.server import show
    from utils.live.session import LiveInputs, LiveSession
    from utils.live.state import State
    from utils.method.workers import worker_processes

    network_hash = check_all(directions, options, generator, network)
    layers = options.mani_layers
    inputs = LiveInputs(
        network=network,
        codes=options.codes,
        directions=directions,
        layers=tuple(range(generator.num_layers)) if isinstance(layers, str) else layers,
        latents=fitted(options, generator, latents),
        network_sha256=network_hash,
        output_dir=Path(options.output_dir or "outputs/live"),
        device=f"device: {device}",
        options=plain_options(options),
    )
    with worker_processes() as workers:
        session = LiveSession(generator, inputs, workers)
        if live.keep:
            keep(session, State.from_text(live.state or ""), live.keep)
        else:
            show(session, live)


def fitted(
    options: EditOptions, generator: "Generator", latents: Latents | None
) -> FittedCodes | None:
    """The codes of --latent_path as the network takes them; None without."""
    if latents is None:
        return None
    sizes = generator.z_dim, generator.edit_dim, generator.num_layers, generator.space == "w"
    path, space = str(options.codes.latent_path), options.codes.latent_space
    return fit_codes(path, latents, space, *sizes)


def open_generator(options: EditOptions, network: Path) -> tuple["Generator", str]:
    """The generator on the chosen device, and the name of that."""
    say("starting TensorFlow …")
    device = select_device(options.gpu_id)
    say(str(device))
    generator = load_generator(
        network,
        ignore_settings=options.ignore_setting,
        truncation=options.codes.trunc_psi,
        rotate=options.rotate,
        translate=options.translate,
    )
    for note in generator.notes:
        warn(f"{network}: {note}")
    return generator, device.name


def read_file(path: Path, options: EditOptions) -> DirectionFile:
    """The directions of a file, in which the rows asked for are."""
    found = read_directions(path, options.per_layer)
    for note in found.notes:
        say(f"{path}: {note}")
    facts = read_facts(path.with_suffix(".json"), DirectionFacts, "its region and network are")
    file = DirectionFile(path, found.rows, facts, sha256(path), found.space)
    file.expect_rows(options.start, options.end)
    return file


def check_all(
    directions: list[DirectionFile], options: EditOptions, generator: "Generator", network: Path
) -> str:
    """Check each file of directions; the checksum of the network."""
    network_hash = sha256(*network_files(network))
    for file in directions:
        check_directions(file, options, generator, network_hash)
    return network_hash


def check_directions(
    file: DirectionFile, options: EditOptions, generator: "Generator", network_hash: str
) -> None:
    """Raise InputError if directions do not fit the network; say how they were read, and warn of
    those that were found on another one."""
    path, of_z = file.path, file.is_of_z and generator.space != "z"
    if file.is_of_w and generator.space == "z":
        raise InputError(
            f"{path} was found in w, which this network does not have; expected directions found "
            "in its z"
        )
    psi = options.codes.trunc_psi
    if generator.truncation == "threshold" and file.truncation not in (None, psi):
        warn(
            f"{path} was found at truncation {file.truncation:g}, not at {psi:g}: --trunc_psi "
            f"{file.truncation:g} edits the network that it was found in"
        )
    dimensions = generator.z_dim if of_z else generator.edit_dim
    note = expect_fit(path, file.rows, dimensions, generator.num_layers)
    if note:
        say(f"{path}: {note}")
    known_space = file.says_space or network_of_directions(file.sha256)
    if not known_space and generator.z_dim == generator.edit_dim and generator.space == "w":
        say(f"{path}: taken for directions of w, as no JSON file beside it says otherwise")
    if of_z:
        say(f"{path}: found in z, so z is moved and mapped, for the layers that are edited")
    for doubt in (doubt_of_directions(file.sha256, network_hash), file.doubt(network_hash)):
        if doubt:
            warn(f"{path} {doubt}")


def warn_of_distances(edits: Sequence[Edit], generator: "Generator") -> None:
    """Warn of edits that leave what the network was trained on."""
    radius = {in_z: generator.radius_of_codes(in_z) for in_z in {edit.in_z for edit in edits}}
    for edit in edits:
        if doubt := doubt_of_distance(edit, radius[edit.in_z]):
            warn(doubt)


def open_in_browser(page: Path) -> None:
    if not webbrowser.open(page.resolve().as_uri()):
        warn("no browser is found here; the page is at the address above")


def announce_cost(
    generator: "Generator",
    options: EditOptions,
    samples: int,
    edits: Sequence[Edit],
    folder: Path,
) -> int:
    """Print the expected time, and the disk space of raw images; fail early if the disk is too
    full. Returns how many images are made at once."""
    shown = options.images_shown(samples, len(edits))
    pixel = 4 if generator.num_channels == 4 else 3
    space = shown * math.prod(generator.size) * pixel if options.save_raw else 0
    expect_room(folder, space)
    unknown = sum(edit.finds_distance for edit in edits)
    images = shown + options.images_tried(samples, unknown)
    at_once = options.batch_size or generator.even_batch_size(shown or images)
    _, seconds = generator.time_synthesis(at_once)
    announce(images * seconds, space, f"{images} images", at_most=True)
    return at_once


if __name__ == "__main__":
    run(main)
