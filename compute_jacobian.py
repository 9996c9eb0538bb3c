"""Step 1 of 3: the Jacobian of a few random images with respect to the latent code."""

from argparse import BooleanOptionalAction
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dnnlib import NetworkError, load_generator, select_device
from utils import files, sampling
from utils.command_line import Parser, duration_text, file_name_part, not_negative_int, positive_int, run, seed
from utils.pictures import save_png, to_uint8

EXAMPLES = """\
  python compute_jacobian.py demo/demo128.pkl --d_name demo
  python compute_jacobian.py stylegan2-ffhq-config-f-1024x1024.pkl --total_num 1 --gpu_id cpu
"""


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add("restore_path", help="network: a StyleGAN2 or StyleGAN2-ADA TensorFlow pickle")
    add("--image_size", type=positive_int, default=256, help="size that the image is resized to")
    add("--batch_size", type=positive_int, help="tangents at once (default: as many as fit into about 1 GB)")
    add("--output_dir", help="folder to write to (default: outputs/jacobian_seed_{seed})")
    add("--total_num", type=positive_int, default=5, help="number of random latent codes")
    add("--gpu_id", help="GPU number, or cpu (default: GPU 0 if there is one, else the CPU)")
    add("--compute_z", action="store_true", help="the Jacobian with respect to z as well")
    add("--save_png", action=BooleanOptionalAction, default=True, help="save the images as PNG")
    add("--fused_channel", action=BooleanOptionalAction, default=True, help="mean over RGB, not each channel by itself")
    add("--seed", type=seed, default=4, help="seed of the random latent codes")
    add("--d_name", type=file_name_part, default="ffhq", help="name of the data set, part of the file names")
    add("--class_index", type=not_negative_int, help="class, for networks with labels (default: all labels zero)")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    args.output_dir = Path(args.output_dir or f"outputs/jacobian_seed_{args.seed}")
    print(select_device(args.gpu_id), flush=True)
    generator = load_generator(args.restore_path)
    network_hash = files.sha256(args.restore_path)
    z = sampling.random_codes(args.seed, args.total_num, generator.z_dim)
    labels = sampling.class_labels(args.class_index, args.total_num, generator.label_dim)
    size = min(args.image_size, generator.resolution)
    if size < args.image_size:
        print(f"the network makes images of {size} x {size}: so is the Jacobian, not --image_size {args.image_size}")

    args.output_dir.mkdir(parents=True, exist_ok=True)
    announce_cost(generator, args, size)
    outputs = {"w": files.SampleFile(args.output_dir / f"w_dataset_{args.d_name}.npy")}
    if args.compute_z:
        outputs["z"] = files.SampleFile(args.output_dir / f"z_dataset_{args.d_name}.npy")
    try:
        compute_samples(args, generator, z, labels, size, outputs)
    finally:  # also after Ctrl-C or on a full disk: the finished samples are kept
        finish(args, outputs, network_hash)


def compute_samples(args, generator, z, labels, size: int, outputs: dict[str, files.SampleFile]) -> None:
    """Append the Jacobian of each latent code to the files, and save its image."""
    batches = -(-generator.w_dim // (args.batch_size or generator.batch_size))
    with tqdm(total=args.total_num * batches, desc="Jacobian", unit="batch", smoothing=0.1, disable=None) as bar:

        def progress(iterable):
            for item in iterable:
                yield item
                bar.update()

        for i in range(args.total_num):
            bar.set_description(f"Jacobian of sample {i + 1} of {args.total_num}")
            ws = generator.mapping(z[i:i + 1], labels[i:i + 1])
            if args.save_png:
                path = args.output_dir / f"syn_dataset_{args.d_name}_number_{i:04d}.png"
                save_png(path, to_uint8(generator.synthesis(ws))[0])
            jacobian = generator.jacobian(ws, size, args.fused_channel, args.batch_size, progress)
            if args.compute_z:  # dx/dz = dx/dw dw/dz
                mapping_jacobian = generator.mapping_jacobian(z[i:i + 1], labels[i:i + 1])
                outputs["z"].append(np.tensordot(jacobian, mapping_jacobian, axes=1))
            outputs["w"].append(jacobian)


def announce_cost(generator, args, size: int) -> None:
    """Print the expected time and disk space; fail early if the disk is too full."""
    rows = size**2 * (1 if args.fused_channel else generator.num_channels)
    columns = generator.w_dim + (generator.z_dim if args.compute_z else 0)
    space = 4 * args.total_num * rows * columns
    files.expect_room(args.output_dir, space)
    seconds = generator.seconds_per_image() * generator.w_dim * args.total_num
    print(f"expected: {duration_text(seconds)} and {files.size_text(space)} of disk for {args.total_num} "
          f"sample{'s' * (args.total_num > 1)}", flush=True)


def finish(args, outputs: dict[str, files.SampleFile], network_hash: str) -> None:
    """Give the files of finished samples their names, a JSON file of the same name beside each; say where they are."""
    count = outputs["w"].count
    try:
        for space, output in outputs.items() if count else ():
            output.finish(count)
            files.write_json(output.path.with_suffix(".json"), files.provenance(
                args, seed=args.seed, latent_space=space, samples=count, network_sha256=network_hash))
            print(f"{output.path}: Jacobian of {count} of {args.total_num} samples with respect to {space}")
    finally:
        for output in outputs.values():
            output.discard()


if __name__ == "__main__":
    run(main, NetworkError)
