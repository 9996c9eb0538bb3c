"""Step 3 of 3: walk latent codes along directions; write a web page and picture grids."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from dnnlib import load_generator, read_latents, select_device
from dnnlib.catalogue import is_known, network_of_directions
from dnnlib.directions import expect_fit, read_directions
from dnnlib.download import find_file, list_names
from dnnlib.latents import fit_codes
from utils.cli.edit_options import EditOptions, parse_edit_arguments
from utils.cli.options import plain_options
from utils.cli.parser import duration_text, run, say, warn
from utils.editing.codes import Codes
from utils.editing.edits import DirectionFile, check_regions, edits_of, regions_of
from utils.editing.strength import IMAGES_TRIED, PROBES, Probe, measure_strengths, with_strength
from utils.editing.walk import (
    Edit,
    Walker,
    edited_codes,
    even_distances,
    expect_layers,
    in_batches,
)
from utils.files.sidecar import provenance, read_facts, sha256
from utils.files.writing import expect_room, size_text
from utils.regions.region import FRAME
from utils.results.contact_sheet import write_contact_sheets
from utils.results.edit_results import EditResults, Subject, claim_results_folder

if TYPE_CHECKING:
    from dnnlib.generator import Generator

EXAMPLES = """\
  python manipulate.py demo/demo128.pkl directions/demo128/*.npy --mani_layers 0-11 --distance auto
  python manipulate.py stylegan2-ffhq-config-f-1024x1024.pkl eyes_size.npy --mani_layers 4-7
"""


def main() -> None:
    options = EditOptions.from_arguments(parse_edit_arguments(str(__doc__), EXAMPLES, list_names()))
    network = find_file(options.restore_path, "network")
    paths = [find_file(path, "directions") for path in options.matrix_path]
    directions = [read_file(path, options) for path in dict.fromkeys(paths)]
    region = options.measured.source()
    latent_path = options.codes.latent_path
    latents = read_latents(latent_path) if latent_path else None

    say(select_device(options.gpu_id))
    generator = load_generator(network, ignore_settings=options.ignore_setting)
    for note in generator.notes:
        warn(f"{network}: {note}")
    network_hash = sha256(network)
    for file in directions:
        check_directions(file, options, generator, network_hash)
    sizes = generator.z_dim, generator.w_dim, generator.num_layers
    found = latents and fit_codes(str(latent_path), latents, options.codes.latent_space, *sizes)
    codes = Codes(options.codes, generator, found)
    samples = options.count_of(len(codes))
    walker = Walker(
        codes.w_plus(slice(samples)), list(options.mani_layers), codes.z, codes.w_plus_of
    )
    expect_layers(walker.layers, generator.num_layers)  # errors before anything is written
    distances = even_distances(options.start_distance, options.end_distance, options.step)
    rows = slice(options.start, options.end if options.end > 0 else None)
    edits = list(edits_of(directions, rows, distances, region, samples, generator.space == "w"))
    check_regions(edits, samples, generator.resolution, needed=options.finds_distances)

    hashes = [file.sha256 for file in directions]
    facts = provenance(
        plain_options(options) | {"total_num": samples},
        seed=None if latents else options.codes.seed,
        network_sha256=network_hash,
        directions_sha256=hashes[0] if len(hashes) == 1 else hashes,
        latents_sha256=sha256(latent_path) if latent_path else None,
        regions_sha256=[area.digest(range(samples), FRAME, FRAME) for area in regions_of(edits)],
        names=codes.names and codes.names[:samples],
    )
    names = [str(path) for path in paths]
    with claim_results_folder(options.output_dir, names, options.record, facts) as folder:
        facts["options"]["output_dir"] = str(folder)
        announce_cost(generator, options, samples, len(edits), folder)
        write_edits(generator, options, walker, edits, facts, folder)


def write_edits(
    generator: "Generator",
    options: EditOptions,
    walker: Walker,
    edits: list[Edit],
    facts: dict[str, Any],
    folder: Path,
) -> None:
    """Walk along all edits, as far as asked for, and write what is to be seen."""
    batch_size, samples = options.batch_size or generator.batch_size, len(walker.codes)
    if options.finds_distances:
        few = walker if options.contact_sheet else walker.first(PROBES)
        probe = Probe(generator.synthesis, batch_size, few)
        effects = measure_strengths(probe, edits, options.change)
        if options.contact_sheet:
            record = folder / options.record
            write_contact_sheets(record, options.name, probe.originals, effects, facts)
            return
        edits = [with_strength(edit, effect) for edit, effect in effects]
    seed, layers = options.codes.seed, ", ".join(map(str, options.mani_layers))
    subject = Subject(
        network=Path(options.restore_path).stem,
        codes=options.codes.latent_path or f"random, seed {seed}",
        edit=f"{'z' if edits[0].in_z else 'w'} + distance × direction on layers {layers}",
    )
    total = samples * (1 + options.step * len(edits))
    with (
        EditResults(
            folder,
            edits,
            samples,
            options.name,
            facts,
            subject,
            raw=options.save_raw,
            animation=options.animate,
        ) as results,
        tqdm(total=total, desc="editing", unit="image", disable=None) as bar,
    ):
        for batch in in_batches(edited_codes(walker, edits), batch_size):
            results.add(generator.synthesis(batch))
            bar.update(len(batch))


def read_file(path: Path, options: EditOptions) -> DirectionFile:
    """The directions of a file, in which the rows asked for are."""
    found = read_directions(path, options.per_layer)
    for note in found.notes:
        say(f"{path}: {note}")
    facts = read_facts(path.with_suffix(".json"), "its region and network are")
    file = DirectionFile(path, found.rows, facts, sha256(path), found.space)
    file.expect_rows(options.start, options.end)
    return file


def check_directions(
    file: DirectionFile, options: EditOptions, generator: "Generator", network_hash: str
) -> None:
    """Raise InputError if directions do not fit the network; say how they were read, and warn of
    those that were found on another one."""
    path, of_z = file.path, file.is_of_z and generator.space != "z"
    dimensions = generator.z_dim if of_z else generator.edit_dim
    note = expect_fit(path, file.rows, dimensions, generator.num_layers)
    if note:
        say(f"{path}: {note}")
    if of_z:
        layers = ",".join(map(str, options.mani_layers))
        say(f"{path}: found in z, so z is moved and mapped, for the layers {layers}")
    known = network_of_directions(file.sha256)
    if known and network_hash != known.sha256 and (known.sha256 or is_known(network_hash)):
        warn(
            f"{path} was found on {known.name}, which this network is not, by its checksum: its "
            f"effect may be anything, unless this is {known.name} in another format"
        )
    origin = file.facts.get("network_sha256")
    if origin not in (None, network_hash):
        warn(
            f"{path} was found on another network (SHA-256 {str(origin)[:12]}…, this one is "
            f"{network_hash[:12]}…): its effect may be anything"
        )


def announce_cost(
    generator: "Generator", options: EditOptions, samples: int, number: int, folder: Path
) -> None:
    """Print the expected time, and the disk space of raw images; fail early if the disk is too
    full."""
    shown = 0 if options.contact_sheet else samples * (1 + options.step * number)
    probes = samples if options.contact_sheet else PROBES
    tried = number * IMAGES_TRIED * probes if options.finds_distances else 0
    pixel = 4 if generator.num_channels == 4 else 3
    space = shown * generator.resolution**2 * pixel if options.save_raw else 0
    expect_room(folder, space)
    disk = f" and up to {size_text(space)} of disk" if space else ""
    seconds = (shown + tried) * generator.seconds_per_image()
    say(f"expected: {duration_text(seconds)}{disk} for {shown + tried} images")


if __name__ == "__main__":
    run(main)
