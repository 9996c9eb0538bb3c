"""Step 2 of 3: directions that change one region of the image and leave the rest alone."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils import files
from utils.command_line import Parser, file_name_part, finite_float, not_negative_int, positive_int, run
from utils.errors import InputError
from utils.low_rank import LowRank, factorize
from utils.parallel import worker_processes
from utils.regions import BOXES, region_mask
from utils.subspaces import NOISE, Directions, default_lamb, gram_matrix, projected_directions

EXAMPLES = """\
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_ffhq.npy
  python compute_directions.py outputs/jacobian_seed_4/w_dataset_demo.npy --region mouth --name demo
"""


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add("jaco_path", help="Jacobian: a .npy file from compute_jacobian.py")
    add("--region", default="eyes", help=f"region of interest: {', '.join(BOXES)}")
    add("--output_dir", default="outputs/directions", help="folder to write to")
    add("--lamb", type=finite_float,
        help="lower: higher ranks, a stricter null space (default: 60 sqrt(w_dim / 512), the published 60 for 512)")
    add("--max_iter", type=positive_int, default=10000, help="steps of the factorization at the most")
    add("--num_relax", type=not_negative_int, default=0, help="dimensions that the background gives back")
    add("--name", type=file_name_part, default="lowrankgan", help="last part of the file names")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    jacobians = files.read_npy(args.jaco_path, "a Jacobian from compute_jacobian.py", mmap=True)
    if jacobians.ndim not in (5, 6) or jacobians.shape[-2] != 1 or not jacobians.size:
        raise InputError(f"{args.jaco_path} has shape {list(jacobians.shape)}; expected a Jacobian [N, H, W, 1, w_dim] "
                         "or [N, C, H, W, 1, w_dim] from compute_jacobian.py")
    mask = region_mask(args.region, *jacobians.shape[-4:-2])
    if args.lamb is None:
        args.lamb = default_lamb(jacobians.shape[-1])
    if args.lamb <= 0:
        raise InputError(f"--lamb {args.lamb}; expected a positive number")

    Path(args.output_dir).mkdir(parents=True, exist_ok=True)
    saved = 0
    with tqdm(total=len(jacobians), desc=f"directions, {args.region}", unit="sample", leave=False, disable=None) as bar:
        for i, directions in enumerate(factorized(args, jacobians, mask)):
            bar.update()
            bar.write(report(i, directions))
            if directions.foreground.rank:
                save(args, i, directions)
                saved += 1
    if not saved:
        raise InputError(f"every sample has foreground rank 0 at --lamb {args.lamb:g}; expected at least one "
                         "direction: lower --lamb")
    print(f"{args.output_dir}: directions of {saved} samples, principal and _projected")


def factorized(args, jacobians: np.ndarray, mask: np.ndarray) -> Iterator[Directions]:
    """The directions of each sample, in order. Workers factorize while the next samples are read."""
    pending: deque[list[Future[LowRank]]] = deque()

    def next_directions() -> Directions:
        foreground, background = (future.result() for future in pending.popleft())
        return projected_directions(foreground, background, args.num_relax)

    with worker_processes() as workers:
        for i, jacobian in enumerate(jacobians):
            try:
                matrices = gram_matrix(jacobian, mask), gram_matrix(jacobian, ~mask)
            except InputError as error:
                raise InputError(f"{args.jaco_path}, sample {i}: {error}") from None
            pending.append([workers.submit(factorize, matrix, args.lamb, args.max_iter) for matrix in matrices])
            if len(pending) > os.cpu_count():
                yield next_directions()
        while pending:
            yield next_directions()


def report(sample: int, directions: Directions) -> str:
    """The lines that a user reads of one sample."""
    lines = [f"sample {sample}"]
    for name, low_rank in (("foreground", directions.foreground), ("background", directions.background)):
        lines.append(f"  {name}: rank {low_rank.rank} of {len(low_rank.vectors)}, {low_rank.steps} steps, "
                     f"residuals {low_rank.primal_residual:.0e} primal, {low_rank.dual_residual:.0e} dual, "
                     f"error at most {low_rank.error_bound:.0e}"
                     + ("" if low_rank.converged else "; WARNING: not converged, raise --max_iter"))
    if not directions.foreground.rank:
        return "\n".join([*lines, "  WARNING: rank 0, no directions: skipped; lower --lamb to get some"])
    lines.append("  --start  singular value  norm kept by the projection")
    for row, kept in enumerate(directions.norm_kept):
        noise = "  WARNING: noise, hardly anything is left of it" if kept < NOISE else ""
        lines.append(f"  {row:7d}  {directions.foreground.singular_values[row]:14.4g}  {kept:.3f}{noise}")
    return "\n".join(lines)


def save(args, sample: int, directions: Directions) -> None:
    """The principal and the projected directions of a sample, a JSON file beside each."""
    jacobian_options = files.read_json(Path(args.jaco_path).with_suffix(".json")) or {}
    stem = f"directions_img_{sample:02d}_region_{args.region}_{args.name}"
    facts = files.provenance(
        args, seed=jacobian_options.get("seed"), network_sha256=jacobian_options.get("network_sha256"),
        latent_space=jacobian_options.get("latent_space"), region=args.region, sample=sample,
        foreground=solver_facts(directions.foreground), background=solver_facts(directions.background),
        null_space_dimension=directions.null_space_dimension, norm_kept=directions.norm_kept.tolist(),
        noise=(directions.norm_kept < NOISE).tolist(),
        converged=directions.foreground.converged and directions.background.converged,
    )
    for suffix, rows in (("", directions.principal), ("_projected", directions.projected)):
        path = Path(args.output_dir) / f"{stem}{suffix}.npy"
        files.write_npy(path, rows.astype("float32"))
        files.write_json(path.with_suffix(".json"), facts | {"projected": bool(suffix)})


def solver_facts(low_rank: LowRank) -> dict:
    return {
        "rank": low_rank.rank, "steps": low_rank.steps, "primal_residual": low_rank.primal_residual,
        "dual_residual": low_rank.dual_residual, "error_bound": low_rank.error_bound,
        "rotation_bound": low_rank.rotation_bound, "converged": low_rank.converged,
        "singular_values": low_rank.singular_values[:low_rank.rank].tolist(),
    }


if __name__ == "__main__":
    run(main)
