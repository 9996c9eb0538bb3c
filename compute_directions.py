"""Step 2 of 3: directions that change one region of the image and leave the rest alone."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
from pathlib import Path

import numpy as np

from dnnlib.catalogue import ENTRIES
from dnnlib.errors import InputError
from dnnlib.progress import ProgressBar
from dnnlib.text import counted, file_name_part
from utils.cli.options import DirectionsOptions, RegionOptions, add_directions_options
from utils.cli.parser import Parser, run, say, warn
from utils.files.jacobians import JacobianFile
from utils.files.output_folder import claim_folder
from utils.method.directions import gram_matrices_of_blocks, projected_directions
from utils.method.workers import factorize_all
from utils.regions.region import RegionSource
from utils.results.direction_set import BestRow, DirectionSet, plan_sets, report

EXAMPLES = """\
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_ffhq.npy
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_demo.npy --mask my_mask.png
"""


def main() -> None:
    parser = Parser(__doc__, EXAMPLES)
    add_directions_options(parser)
    arguments = parser.parse_args()
    region = RegionOptions.from_arguments(arguments).expect_source()
    expect_no_name(arguments.jaco_path)
    jacobians = JacobianFile(arguments.jaco_path)
    options = DirectionsOptions.from_arguments(arguments, jacobians.dimensions)
    samples = range(jacobians.samples)
    line, doubts = region.describe(samples, *jacobians.size)  # errors of all, before any work
    say(line)
    for doubt in doubts:
        warn(doubt)
    sets = plan_sets(options, region, samples, jacobians.size)
    if sets[0].facts.latent_space == "z":
        say("the Jacobian is with respect to z: so are its directions")
    part = file_name_part(f"{region.name}_{options.name}")

    def is_taken(folder: Path) -> bool:
        return any(each.is_taken(folder) for each in sets)

    with claim_folder(options.output_dir, is_taken, part) as folder:
        best = compute_sets(options, jacobians, sets, folder)
    pictures = folder / sets[0].names.region_picture(0 if len(samples) == 1 else None)
    say(f"{pictures}: the region over the picture{'s' * (len(samples) > 1)}")
    whose = sets[0].title if options.pool else counted(len(best), "sample")
    say(f"{folder}: directions of {'a ' * options.pool}{whose}, principal and _projected")
    say(max(best, key=lambda each: each.ratio).next_step(Path(options.jaco_path)))


def expect_no_name(jaco_path: str) -> None:
    """Raise InputError for the name of a network or of directions."""
    entry = next((entry for entry in ENTRIES if entry.name == jaco_path), None)
    if entry and not Path(jaco_path).is_file():
        raise InputError(
            f"{jaco_path} is the name of {entry.what} ({entry.kind}); expected a Jacobian, such as "
            f"python compute_jacobian.py {entry.network or entry.name} makes: name its file"
        )


def compute_sets(
    options: DirectionsOptions, jacobians: JacobianFile, sets: list[DirectionSet], folder: Path
) -> list[BestRow]:
    """Find, report and save the directions of each set; the best of each that has any."""
    matrices = (mean_gram_matrices(jacobians, each.region, each.samples) for each in sets)
    factorized = factorize_all(matrices, options.method, options.lamb, options.max_iter)
    best = []
    with ProgressBar(
        total=jacobians.samples,
        desc=f"directions, {sets[0].region.name}",
        unit="sample",
        leave=False,
    ) as bar:
        for each, (pair, foreground, background) in zip(sets, factorized, strict=True):
            directions = projected_directions(
                pair[0], pair[1], foreground, background, options.num_relax
            )
            bar.update(len(each.samples))
            say(f"{each.title}\n{report(directions)}")
            if foreground.rank:
                for note in each.save(folder, directions, pair):
                    say(f"  {note}")
                path = folder / each.names.directions(each.samples[0], projected=True)
                best.append(BestRow.of(path, directions))
    if not best:
        raise InputError(
            f"{'the pool' if options.pool else 'every sample'} has foreground rank 0 at --lamb "
            f"{options.lamb:g}; expected at least one direction: lower --lamb"
        )
    return best


def mean_gram_matrices(jacobians: JacobianFile, region: RegionSource, samples: range) -> np.ndarray:
    """M_f and M_b [2, D, D], averaged over some samples, which are read one at a time."""
    total = np.zeros((2, jacobians.dimensions, jacobians.dimensions))
    is_quiet = len(samples) == 1
    for i in ProgressBar(samples, desc="reading", unit="sample", leave=False, disable=is_quiet):
        try:
            total += gram_matrices_of_blocks(jacobians.blocks(i), region.mask(i, *jacobians.size))
        except InputError as error:
            raise InputError(f"{jacobians.path}, sample {i}: {error}", error.option) from None
    return total / len(samples)


if __name__ == "__main__":
    run(main)
