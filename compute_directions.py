"""Step 2 of 3: directions that change one region of the image and leave the rest alone."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dnnlib.errors import InputError
from dnnlib.text import file_name_part
from utils.cli.options import RegionOptions, add_region_options
from utils.cli.parser import (
    Parser,
    finite_float,
    name_part,
    not_negative_int,
    positive_int,
    run,
    say,
    warn,
)
from utils.files import arrays as files
from utils.files.jacobians import JacobianFile
from utils.files.output_folder import claim_folder, is_same_run
from utils.method.directions import (
    Directions,
    default_lamb,
    gram_matrices_of_blocks,
    projected_directions,
)
from utils.method.low_rank import factorize
from utils.method.resefa import resefa
from utils.method.workers import worker_processes
from utils.regions.region import RegionSource
from utils.results import direction_set as direction_files
from utils.results import jacobian_run as progress

EXAMPLES = """\
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_ffhq.npy
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_demo.npy --mask my_mask.png
"""


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add("jaco_path", help="Jacobian: a .npy file from compute_jacobian.py")
    add("--output_dir", default="outputs/directions", help="folder to write to")
    add(
        "--lamb",
        type=finite_float,
        help="lower: higher ranks, a stricter null space (default: 60 sqrt(w_dim / 512), the "
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
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    region_options = RegionOptions.from_arguments(args)
    args.region = region_options.region
    region = region_options.source()
    jacobians = JacobianFile(args.jaco_path)
    samples = range(jacobians.samples)
    line, doubts = region.describe(
        samples, *jacobians.size
    )  # errors of all samples, before any work
    if args.lamb is None:
        args.lamb = default_lamb(jacobians.dimensions)
    if args.lamb <= 0:
        raise InputError(f"--lamb {args.lamb}; expected a positive number")
    say(line)
    for doubt in doubts:
        warn(doubt)
    groups = [samples] if args.pool else [range(i, i + 1) for i in samples]
    outputs = {
        name_of(group, args, region): facts_of(group, args, region, jacobians.size)
        for group in groups
    }

    def is_taken(folder: Path) -> bool:
        return any(
            os.path.lexists(folder / f"{name}{suffix}")
            and not is_same_run(folder / f"{name}.json", facts)
            for name, facts in outputs.items()
            for suffix in (".npy", ".json")
        )

    part = file_name_part(f"{region.name}_{args.name}")
    with claim_folder(Path(args.output_dir), is_taken, part) as folder:
        args.output_dir = str(folder)
        compute_groups(
            args,
            region,
            jacobians,
            groups,
            [folder / name for name in outputs],
            list(outputs.values()),
        )


def name_of(samples: range, args, region: RegionSource) -> str:
    """The beginning of the names of a group's files."""
    number = "pool" if args.pool else f"{samples[0]:02d}"
    return f"directions_img_{number}_region_{region.name}_{args.name}"


def facts_of(samples: range, args, region: RegionSource, size: tuple[int, int]) -> dict[str, Any]:
    """What is recorded of a group of samples before its directions are known."""
    return files.provenance(
        vars(args),
        **origin_of(args.jaco_path),
        region=region.name,
        region_options=region.facts,
        region_sha256=region.digest(samples, *size),
        sample="pool" if args.pool else samples[0],
        samples=len(samples),
        method=args.method,
    )


def origin_of(jaco_path: str) -> dict[str, Any]:
    """What is known of a Jacobian: from its JSON file, or else what the file system knows."""
    path = Path(jaco_path)
    origin = files.read_json(path.with_suffix(".json"))
    if origin is None:
        return {"jacobian": {"bytes": path.stat().st_size, "modified": path.stat().st_mtime_ns}}
    known = {
        name: origin.get(name)
        for name in ("seed", "network_sha256", "latents_sha256", "latent_space")
    }
    options = {
        name: value
        for name, value in origin.get("options", {}).items()
        if name not in progress.FREE_OPTIONS
    }
    return known | {
        "jacobian": {
            "options": options,
            "device": origin.get("device"),
            "batch_size": origin.get("batch_size"),
        }
    }


def compute_groups(
    args,
    region: RegionSource,
    jacobians: JacobianFile,
    groups: list[range],
    stems: list[Path],
    facts: list[dict[str, Any]],
) -> None:
    """Find and save the directions of each group of samples."""
    saved = 0
    with tqdm(
        total=jacobians.samples,
        desc=f"directions, {region.name}",
        unit="sample",
        leave=False,
        disable=None,
    ) as bar:
        matrices = (mean_gram_matrices(jacobians, region, samples) for samples in groups)
        for samples, stem, known, (directions, factorized) in zip(
            groups, stems, facts, found(args, matrices), strict=True
        ):
            bar.update(len(samples))
            name = f"pool of {len(samples)} samples" if args.pool else f"sample {samples[0]}"
            say(f"{name}\n{direction_files.report(directions)}")
            if directions.foreground.rank:
                direction_files.save(stem, directions, factorized, known | {"options": vars(args)})
                for note in save_region_pictures(args, region, jacobians.size, samples):
                    say(f"  {note}")
                saved += 1
    if not saved:
        raise InputError(
            f"{'the pool' if args.pool else 'every sample'} has foreground rank 0 at --lamb "
            f"{args.lamb:g}; expected at least one direction: lower --lamb"
        )
    shown = region_picture_path(args, region, 0 if jacobians.samples == 1 else "*")
    say(f"{shown}: the region over the picture{'s' * (jacobians.samples > 1)}")
    whose = (
        f"a pool of {jacobians.samples} samples"
        if args.pool
        else f"{saved} sample{'s' * (saved > 1)}"
    )
    say(f"{args.output_dir}: directions of {whose}, principal and _projected")


def mean_gram_matrices(jacobians: JacobianFile, region: RegionSource, samples: range) -> np.ndarray:
    """M_f and M_b [2, D, D], averaged over some samples, which are read one at a time."""
    total = 0.0
    for i in tqdm(
        samples,
        desc="reading",
        unit="sample",
        leave=False,
        disable=True if len(samples) == 1 else None,
    ):
        try:
            total += gram_matrices_of_blocks(jacobians.blocks(i), region.mask(i, *jacobians.size))
        except InputError as error:
            raise InputError(f"{jacobians.path}, sample {i}: {error}", error.option) from None
    return total / len(samples)


def found(args, matrices: Iterable[np.ndarray]) -> Iterator[tuple[Directions, np.ndarray]]:
    """The directions for each pair of Gram matrices, and the pair. Workers factorize while the next
    ones are made."""
    pending: deque[tuple] = deque()

    def next_directions() -> tuple[Directions, np.ndarray]:
        pair, foreground, background = pending.popleft()
        return projected_directions(
            *pair, foreground.result(), background.result(), args.num_relax
        ), pair

    with worker_processes() as workers:
        for pair in matrices:
            inside, outside = pair
            foreground = (
                workers.submit(resefa, inside, outside)
                if args.method == "resefa"
                else workers.submit(factorize, inside, args.lamb, args.max_iter)
            )
            pending.append(
                (pair, foreground, workers.submit(factorize, outside, args.lamb, args.max_iter))
            )
            if len(pending) > os.cpu_count():
                yield next_directions()
        while pending:
            yield next_directions()


def save_region_pictures(
    args, region: RegionSource, size: tuple[int, int], samples: range
) -> list[str]:
    """A picture of the region in each sample; what is to be said about them."""
    notes = [
        direction_files.save_region_picture(
            region_picture_path(args, region, i), Path(args.jaco_path), i, region.mask(i, *size)
        )
        for i in samples
    ]
    return [note for note in notes if note]


def region_picture_path(args, region: RegionSource, sample: int | str) -> Path:
    number = sample if sample == "*" else f"{sample:02d}"
    return Path(args.output_dir) / f"region_img_{number}_{region.name}_{args.name}.png"


if __name__ == "__main__":
    run(main)
