"""Step 3 of 3: walk latent codes along directions; write a web page and picture grids."""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dnnlib import NetworkError, load_generator, select_device
from utils import files, sampling
from utils.command_line import (
    Parser,
    duration_text,
    file_name_part,
    finite_float,
    layer_list,
    not_negative_int,
    positive_int,
    run,
    seed,
)
from utils.editing import edited_codes, in_batches, walk
from utils.errors import InputError
from utils.results import EditResults, choose_output_dir

EXAMPLES = """\
  python manipulate.py demo/demo128.pkl directions/demo128/eyes.npy
  python manipulate.py stylegan2-ffhq-config-f-1024x1024.pkl eyes_size.npy --total_num 20 --mani_layers 4-7
"""


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add("restore_path", help="network: a StyleGAN2 pickle (TensorFlow or PyTorch, ADA or not) or .pt checkpoint")
    add("matrix_path", help="directions: a .npy file [K, w_dim], from compute_directions.py or from directions/")
    add("--batch_size", type=positive_int, help="images at once (default: as many as fit into about 1 GB)")
    add("--output_dir", help="folder to write to (default: outputs/manipulations/{stem of matrix_path})")
    add("--total_num", type=positive_int, help="number of latent codes (default: 10, or all of --latent_path)")
    add("--gpu_id", help="GPU number, or cpu (default: GPU 0 if there is one, else the CPU)")
    add("--start", type=not_negative_int, default=0, help="first row of the directions to walk along")
    add("--end", type=positive_int, default=1, help="the row after the last one")
    add("--mani_layers", type=layer_list, default="4,5,6,7", help="layers to edit, such as 4,5,6,7 or 4-7")
    add("--start_distance", type=finite_float, default=-4.0, help="distance of the first step")
    add("--end_distance", type=finite_float, default=4.0, help="distance of the last step")
    add("--step", type=positive_int, default=7, help="number of steps")
    add("--save_raw", action="store_true", help="save each image at full size as well")
    add("--seed", type=seed, default=4, help="seed of the random latent codes")
    add("--name", type=file_name_part, default="lowrankgan", help="last part of the file names")
    add("--latent_path", help="latent codes to edit: a .npy file [N, z_dim] of z")
    add("--class_index", type=not_negative_int, help="class, for networks with labels (default: all labels zero)")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    directions = read_directions(args)
    print(select_device(args.gpu_id), flush=True)
    generator = load_generator(args.restore_path)
    if directions.shape[1] != generator.w_dim:
        raise InputError(f"{args.matrix_path} has directions of {directions.shape[1]} dimensions; expected "
                         f"{generator.w_dim}, the w of {args.restore_path}: use directions found on this network")
    network_hash = files.sha256(args.restore_path)
    warn_of_another_origin(args.matrix_path, network_hash)
    z = read_or_draw_codes(args, generator.z_dim)
    ws = generator.mapping(z, sampling.class_labels(args.class_index, len(z), generator.label_dim))
    distances = np.linspace(args.start_distance, args.end_distance, args.step)
    walk(ws[:1], directions[0], args.mani_layers, distances)  # a wrong layer is an error before anything is written

    facts = files.provenance(args, seed=args.seed, network_sha256=network_hash,
                             directions_sha256=files.sha256(args.matrix_path), distances=distances.tolist())
    args.output_dir = choose_output_dir(args.output_dir, args.matrix_path, args.name, facts)
    facts["options"]["output_dir"] = str(args.output_dir)
    codes = edited_codes(ws, directions[args.start:args.end], args.mani_layers, distances)
    total = len(z) * (1 + args.step * (args.end - args.start))
    announce_cost(generator, args, total)
    with (EditResults(args, distances, facts) as results,
          tqdm(total=total, desc="editing", unit="image", disable=None) as bar):
        for batch in in_batches(codes, args.batch_size or generator.batch_size):
            results.add(generator.synthesis(batch))
            bar.update(len(batch))


def announce_cost(generator, args, total: int) -> None:
    """Print the expected time, and the disk space of raw images; fail early if the disk is too full."""
    space = total * generator.resolution**2 * 3 if args.save_raw else 0
    files.expect_room(args.output_dir, space)
    disk = f" and up to {files.size_text(space)} of disk" if space else ""
    print(f"expected: {duration_text(total * generator.seconds_per_image())}{disk} for {total} images", flush=True)


def read_directions(args) -> np.ndarray:
    """The directions [K, w_dim] of matrix_path, with --start and --end checked against them."""
    directions = files.read_npy(args.matrix_path, "directions [K, w_dim]")
    if directions.ndim == 1:
        directions = directions[None]
    if directions.ndim != 2 or not directions.size:
        raise InputError(f"{args.matrix_path} has shape {list(directions.shape)}; expected directions [K, w_dim]")
    if not np.isfinite(directions).all():
        raise InputError(f"{args.matrix_path} holds NaN or infinity; expected finite directions: compute them again")
    if not args.start < args.end <= len(directions):
        raise InputError(f"--start {args.start} --end {args.end} of {args.matrix_path}; expected 0 <= start < end <= "
                         f"{len(directions)}, the number of its rows")
    return directions


def warn_of_another_origin(matrix_path: str, network_hash: str) -> None:
    """Warn of directions that were found on another network, or in z."""
    facts = files.read_json(Path(matrix_path).with_suffix(".json")) or {}
    if facts.get("latent_space") == "z":
        print(f"WARNING: {matrix_path} was found in z, but w is edited: use directions from a w_dataset file",
              file=sys.stderr)
    origin = facts.get("network_sha256")
    if origin not in (None, network_hash):
        print(f"WARNING: {matrix_path} was found on another network (SHA-256 {str(origin)[:12]}…, this one is "
              f"{network_hash[:12]}…): its effect may be anything", file=sys.stderr)


def read_or_draw_codes(args, z_dim: int) -> np.ndarray:
    """z [N, z_dim] of --latent_path or --seed; sets --total_num to N."""
    if args.latent_path:
        z = sampling.read_codes(args.latent_path, z_dim)[:args.total_num]
    else:
        z = sampling.random_codes(args.seed, args.total_num or 10, z_dim)
    args.total_num = len(z)
    return z


if __name__ == "__main__":
    run(main, NetworkError)
