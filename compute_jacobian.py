"""Step 1 of 3: the Jacobian of a few random images with respect to the latent code."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
from argparse import BooleanOptionalAction
from pathlib import Path

from tqdm import tqdm

from dnnlib import InputError, load_generator, read_latents, select_device
from dnnlib.download import find_file, list_names
from dnnlib.text import stem
from utils.cli.options import CodeOptions, add_code_options
from utils.cli.parser import Parser, duration_text, name_part, positive_int, run, say, warn
from utils.editing.codes import Codes
from utils.files import arrays as files
from utils.files.locks import lock_folder
from utils.pictures.images import save_png, to_uint8
from utils.results.jacobian_run import Progress

EXAMPLES = """\
  python compute_jacobian.py demo/demo128.pkl --d_name demo
  python compute_jacobian.py stylegan2-ffhq-config-f-1024x1024.pkl --total_num 1 --gpu_id cpu
"""


def parse_arguments():
    parser = Parser(__doc__, EXAMPLES)
    add = parser.add_argument
    add(
        "restore_path",
        help="network: a StyleGAN2 pickle (TensorFlow or PyTorch, ADA or not) or .pt checkpoint; "
        "its "
        "http(s) address; or a name of --list",
    )
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
        "is one, "
        "else the CPU)",
    )
    add("--compute_z", action="store_true", help="the Jacobian with respect to z as well")
    add("--save_png", action=BooleanOptionalAction, default=True, help="save the images as PNG")
    add(
        "--fused_channel",
        action=BooleanOptionalAction,
        default=True,
        help="mean over RGB, not each channel by itself",
    )
    add(
        "--d_name",
        type=name_part,
        default="ffhq",
        help="name of the data set, part of the file names",
    )
    add(
        "--allow_tf32",
        action="store_true",
        help="let GPUs multiply with mantissas of 10 bits: faster, less exact",
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
        "--overwrite",
        action="store_true",
        help="start anew, whatever an earlier run has left in --output_dir",
    )
    add_code_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    origin = stem(args.latent_path) if args.latent_path else f"seed_{args.seed}"
    args.output_dir = Path(args.output_dir or f"outputs/jacobian_{origin}")
    with lock_folder(args.output_dir):
        compute_missing(args)


def compute_missing(args) -> None:
    """All of the run that is not there yet."""
    args.restore_path = str(find_file(args.restore_path, "network"))
    if args.compute_z and args.trunc_psi != 1:
        raise InputError(
            f"--trunc_psi {args.trunc_psi:g} with --compute_z; expected one of them: z has no "
            "truncation"
        )
    network_hash = files.sha256(args.restore_path)
    latents = read_latents(args.latent_path) if args.latent_path else None
    args.total_num = args.total_num or (None if latents else 5)
    progress = Progress(args, network_hash, files.sha256(args.latent_path) if latents else None)
    if progress.complete:
        say(
            f"{progress.path('w')}: complete, with {progress.previous.get('samples')} samples; "
            "--overwrite makes it anew"
        )
        return
    device = select_device(args.gpu_id)
    say(device)
    generator = load_generator(
        args.restore_path, allow_tf32=args.allow_tf32, ignore_settings=args.ignore_setting or ()
    )
    for note in generator.notes:
        warn(f"{args.restore_path}: {note}")
    codes = Codes(CodeOptions.from_arguments(args, default_num=5), generator, latents)
    codes.expect_z(compute_z=args.compute_z)
    args.total_num = len(codes)
    size = min(args.image_size, generator.resolution)
    if size < args.image_size:
        say(
            f"the network makes images of {size} x {size}: so is the Jacobian, not --image_size "
            f"{args.image_size}"
        )

    channels = () if args.fused_channel else (generator.num_channels,)
    shapes = {
        "w": (*channels, size, size, 1, generator.w_dim),
        "z": (*channels, size, size, 1, generator.z_dim),
    }
    with progress.resumed(device.split(" (")[0], generator.batch_size, shapes):
        announce_cost(generator, args, size, args.total_num - progress.count)
        compute_samples(args, generator, codes, size, progress)


def compute_samples(args, generator, codes: Codes, size: int, progress: Progress) -> None:
    """Append the Jacobian of each latent code that is missing, and save its image."""
    with tqdm(
        total=args.total_num * generator.w_dim,
        initial=progress.count * generator.w_dim,
        desc="Jacobian",
        unit="tangent",
        smoothing=0.1,
        disable=None,
    ) as bar:
        for i in range(progress.count, args.total_num):
            bar.set_description(f"Jacobian of sample {i + 1} of {args.total_num}")
            ws = codes.w_plus(slice(i, i + 1))
            if args.save_png:
                path = args.output_dir / f"syn_dataset_{args.d_name}_number_{i:04d}.png"
                save_png(path, to_uint8(generator.synthesis(ws))[0])
            while True:
                try:
                    jacobian = generator.jacobian(
                        ws, size, args.fused_channel, progress.batch_size, bar.update
                    )
                    break
                except MemoryError:
                    if progress.batch_size == 1:
                        raise
                    bar.n = i * generator.w_dim
                    progress.halve_batch()
            sample = {"w": jacobian}
            if args.compute_z:
                sample["z"] = generator.chain_to_z(
                    jacobian, codes.values[i : i + 1], codes.labels[i : i + 1]
                )
            progress.append(sample)


def announce_cost(generator, args, size: int, missing: int) -> None:
    """Print the expected time and disk space; fail early if the disk is too full."""
    rows = size**2 * (1 if args.fused_channel else generator.num_channels)
    columns = generator.w_dim + (generator.z_dim if args.compute_z else 0)
    space = 4 * missing * rows * columns
    files.expect_room(args.output_dir, space)
    seconds = generator.seconds_per_image() * generator.w_dim * missing
    say(
        f"expected: {duration_text(seconds)} and {files.size_text(space)} of disk for {missing} "
        f"sample{'s' * (missing > 1)}"
    )


if __name__ == "__main__":
    run(main)
