"""Step 2 of 3: directions that change one region of the image and leave the rest alone."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dnnlib.errors import InputError
from utils import direction_files, files
from utils.command_line import Parser, file_name_part, finite_float, not_negative_int, positive_int, run, warn
from utils.low_rank import factorize
from utils.parallel import worker_processes
from utils.regions import RegionSource, add_region_options, region_from_options
from utils.resefa import resefa
from utils.subspaces import Directions, default_lamb, gram_matrices, projected_directions

EXAMPLES = """\
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_ffhq.npy
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_demo.npy --mask my_mask.png --name demo
"""


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add("jaco_path", help="Jacobian: a .npy file from compute_jacobian.py")
    add("--output_dir", default="outputs/directions", help="folder to write to")
    add("--lamb", type=finite_float,
        help="lower: higher ranks, a stricter null space (default: 60 sqrt(w_dim / 512), the published 60 for 512)")
    add("--max_iter", type=positive_int, default=10000, help="steps of the factorization at the most")
    add("--num_relax", type=not_negative_int, default=0, help="dimensions that the background gives back")
    add("--method", choices=("lowrank", "resefa"), default="lowrank",
        help="principal space of the region's low-rank part, or generalized eigenvectors in closed form (ReSeFa)")
    add("--pool", action="store_true", help="one set of directions for all samples, from their mean Gram matrices")
    add("--name", type=file_name_part, default="lowrankgan", help="last part of the file names")
    add_region_options(parser, default="eyes")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    region = region_from_options(args)
    jacobians = read_jacobians(args)
    size = jacobians.shape[-4:-2]
    line, doubts = region.describe(range(len(jacobians)), *size)  # errors of all samples, before any work
    if args.lamb is None:
        args.lamb = default_lamb(jacobians.shape[-1])
    if args.lamb <= 0:
        raise InputError(f"--lamb {args.lamb}; expected a positive number")
    print(line, flush=True)
    for doubt in doubts:
        warn(doubt)

    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    groups = [range(len(jacobians))] if args.pool else [range(i, i + 1) for i in range(len(jacobians))]
    saved = 0
    with tqdm(total=len(jacobians), desc=f"directions, {region.name}", unit="sample", leave=False, disable=None) as bar:
        matrices = (mean_gram_matrices(args, jacobians, region, samples) for samples in groups)
        for samples, (directions, factorized) in zip(groups, found(args, matrices), strict=True):
            bar.update(len(samples))
            name = f"pool of {len(samples)} samples" if args.pool else f"sample {samples[0]}"
            bar.write(f"{name}\n{direction_files.report(directions)}")
            if directions.foreground.rank:
                for note in save(args, region, size, samples, directions, factorized):
                    bar.write(f"  {note}")
                saved += 1
    if not saved:
        raise InputError(f"{'the pool' if args.pool else 'every sample'} has foreground rank 0 at --lamb "
                         f"{args.lamb:g}; expected at least one direction: lower --lamb")
    shown = region_picture_path(args, region, 0 if len(jacobians) == 1 else "*")
    print(f"{shown}: the region over the picture{'s' * (len(jacobians) > 1)}")
    whose = f"a pool of {len(jacobians)} samples" if args.pool else f"{saved} sample{'s' * (saved > 1)}"
    print(f"{args.output_dir}: directions of {whose}, principal and _projected")


def read_jacobians(args) -> np.ndarray:
    """The Jacobian file, memory-mapped."""
    jacobians = files.read_npy(args.jaco_path, "a Jacobian from compute_jacobian.py", mmap=True)
    if jacobians.ndim not in (5, 6) or jacobians.shape[-2] != 1 or not jacobians.size:
        raise InputError(f"{args.jaco_path} has shape {list(jacobians.shape)}; expected a Jacobian [N, H, W, 1, w_dim] "
                         "or [N, C, H, W, 1, w_dim] from compute_jacobian.py")
    return jacobians


def mean_gram_matrices(args, jacobians: np.ndarray, region: RegionSource, samples: range) -> np.ndarray:
    """M_f and M_b [2, D, D], averaged over some samples, which are read one at a time."""
    total = 0.0
    for i in tqdm(samples, desc="reading", unit="sample", leave=False, disable=True if len(samples) == 1 else None):
        try:
            total += gram_matrices(jacobians[i], region.mask(i, *jacobians.shape[-4:-2]))
        except InputError as error:
            raise InputError(f"{args.jaco_path}, sample {i}: {error}") from None
    return total / len(samples)


def found(args, matrices: Iterable[np.ndarray]) -> Iterator[tuple[Directions, np.ndarray]]:
    """The directions for each pair of Gram matrices, and the pair. Workers factorize while the next ones are made."""
    pending: deque[tuple] = deque()

    def next_directions() -> tuple[Directions, np.ndarray]:
        pair, foreground, background = pending.popleft()
        return projected_directions(*pair, foreground.result(), background.result(), args.num_relax), pair

    with worker_processes() as workers:
        for pair in matrices:
            inside, outside = pair
            foreground = (workers.submit(resefa, inside, outside) if args.method == "resefa" else
                          workers.submit(factorize, inside, args.lamb, args.max_iter))
            pending.append((pair, foreground, workers.submit(factorize, outside, args.lamb, args.max_iter)))
            if len(pending) > os.cpu_count():
                yield next_directions()
        while pending:
            yield next_directions()


def save(args, region: RegionSource, size: tuple[int, int], samples: range, directions: Directions,
         matrices: np.ndarray) -> list[str]:
    """All files of a sample, or of the pool of samples; what is to be said about them."""
    origin = files.read_json(Path(args.jaco_path).with_suffix(".json")) or {}
    facts = files.provenance(
        args, **{name: origin.get(name) for name in ("seed", "network_sha256", "latents_sha256", "latent_space")},
        region=region.name, region_options=region.facts, sample="pool" if args.pool else samples[0],
        samples=len(samples), method=args.method)
    folder, number = Path(args.output_dir), "pool" if args.pool else f"{samples[0]:02d}"
    stem = folder / f"directions_img_{number}_region_{region.name}_{args.name}"
    direction_files.save(stem, directions, matrices, facts)
    notes = [direction_files.save_region_picture(region_picture_path(args, region, i), Path(args.jaco_path), i,
                                                 region.mask(i, *size)) for i in samples]
    return [note for note in notes if note]


def region_picture_path(args, region: RegionSource, sample: int | str) -> Path:
    number = sample if sample == "*" else f"{sample:02d}"
    return Path(args.output_dir) / f"region_img_{number}_{region.name}_{args.name}.png"


if __name__ == "__main__":
    run(main)
