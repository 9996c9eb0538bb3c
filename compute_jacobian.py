"""Step 1 of 3: the Jacobian of a few random images with respect to the latent code."""

import utils.cli.stopping  # noqa: F401, first: from here on Ctrl-C is one line

# isort: split
from typing import TYPE_CHECKING

import numpy as np

from dnnlib import InputError, load_generator, network_files, read_latents, select_device
from dnnlib.download import find_file
from dnnlib.latents import fit_codes
from dnnlib.progress import ProgressBar
from dnnlib.text import counted
from utils.cli.cost import announce
from utils.cli.options import JacobianOptions, add_jacobian_options
from utils.cli.parser import Parser, run, say, warn
from utils.editing.codes import Codes
from utils.files.locks import lock_folder
from utils.files.sidecar import sha256
from utils.files.writing import expect_room
from utils.pictures.images import save_png, to_uint8
from utils.results.jacobian_run import JacobianRun

if TYPE_CHECKING:
    from dnnlib.generator import Generator

EXAMPLES = """\
  python compute_jacobian.py demo/demo128.pkl --d_name demo
  python compute_jacobian.py stylegan2-ffhq-config-f-1024x1024.pkl --total_num 1 --gpu_id cpu
"""


def main() -> None:
    parser = Parser(__doc__, EXAMPLES)
    add_jacobian_options(parser)
    arguments = parser.parse_args()
    network = find_file(arguments.restore_path, "network")
    options = JacobianOptions.from_arguments(arguments, network)
    with lock_folder(options.output_dir):
        compute_missing(options)


def compute_missing(options: JacobianOptions) -> None:
    """All of the run that is not there yet."""
    path = options.codes.latent_path
    latents, latents_hash = (read_latents(path), sha256(path)) if path else (None, None)
    network_hash = sha256(*network_files(options.restore_path))
    jacobians = JacobianRun(options, network_hash, latents_hash)
    if jacobians.is_complete:
        file = jacobians.names.jacobian(jacobians.spaces[0])
        number = counted(jacobians.previous_count, "sample")
        say(f"{file}: complete, with {number}; --overwrite makes it anew")
        return
    say("starting TensorFlow …")
    device = select_device(options.gpu_id)
    say(str(device))
    generator = load_generator(
        options.restore_path,
        allow_tf32=options.allow_tf32,
        ignore_settings=options.ignore_setting or (),
        truncation=options.codes.trunc_psi,
        rotate=options.rotate,
        translate=options.translate,
    )
    for note in generator.notes:
        warn(f"{options.restore_path}: {note}")
    if generator.space == "z" and options.compute_z:
        raise InputError(
            "this network has no w, and its Jacobian is of z: leave it out", "compute_z"
        )
    generator.expect_layers(options.layers)  # before anything is written
    layers = range(generator.num_layers) if options.layers is None else options.layers
    jacobians.set_network(generator.space, layers)
    sizes = generator.z_dim, generator.edit_dim, generator.num_layers, generator.space == "w"
    found = latents and fit_codes(str(path), latents, options.codes.latent_space, *sizes)
    codes = Codes(options.codes, generator, found)
    codes.expect_z(compute_z=options.compute_z)
    shapes = sample_shapes(options, generator)
    with jacobians.resumed(f"device: {device.name}", generator.batch_size, shapes, len(codes)):
        missing = len(codes) - jacobians.count
        space = 4 * missing * sum(int(np.prod(shapes[space])) for space in jacobians.spaces)
        expect_room(options.output_dir, space)
        graph, tangent = generator.time_synthesis()
        announce(graph + tangent * generator.edit_dim * missing, space, counted(missing, "sample"))
        compute_samples(options, generator, codes, jacobians)


def sample_shapes(options: JacobianOptions, generator: "Generator") -> dict[str, tuple[int, ...]]:
    """The shape of a sample's Jacobian with respect to each space."""
    height, width = size = generator.jacobian_size(options.image_size)
    if max(size) < options.image_size:
        say(
            f"the network makes images of {width} x {height}: so is the Jacobian, not --image_size "
            f"{options.image_size}"
        )
    pixels = (*size, 1) if options.fused_channel else (generator.num_channels, *size, 1)
    return {"w": (*pixels, generator.edit_dim), "z": (*pixels, generator.z_dim)}


def compute_samples(
    options: JacobianOptions, generator: "Generator", codes: Codes, jacobians: JacobianRun
) -> None:
    """Append the Jacobian of each latent code that is missing, and save its image."""
    total, columns, first = len(codes), generator.edit_dim, jacobians.count
    with ProgressBar(
        total=total * columns, initial=first * columns, unit="tangent", smoothing=0.1
    ) as bar:
        for i in range(first, total):
            bar.set_description(f"Jacobian of sample {i + 1} of {total}")
            one = slice(i, i + 1)
            code = codes.w_plus(one)
            if options.save_png:
                save_png(jacobians.names.picture(i), to_uint8(generator.synthesis(code))[0])
            jacobian = compute_jacobian(options, generator, code, jacobians, bar)
            sample: dict[str, np.ndarray] = {generator.space: jacobian}
            if options.compute_z:
                labels = None if codes.labels is None else codes.labels[one]
                sample["z"] = generator.chain_to_z(jacobian, codes.values[one], labels)
            jacobians.append(sample)


def compute_jacobian(
    options: JacobianOptions,
    generator: "Generator",
    code: np.ndarray,
    jacobians: JacobianRun,
    bar: ProgressBar,
) -> np.ndarray:
    """The Jacobian at a code [1, L, .], in smaller batches if the memory does not suffice."""
    size, fused, start = options.image_size, options.fused_channel, bar.n
    while True:
        try:
            return generator.jacobian(
                code, size, fused, jacobians.batch_size, bar.update, options.layers
            )
        except MemoryError:
            if jacobians.batch_size == 1:
                raise
            bar.n = start
            jacobians.halve_batch()


if __name__ == "__main__":
    run(main)
