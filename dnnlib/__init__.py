"""Generators of other programs read, run and differentiated, and latent codes and directions read.

    from dnnlib import load_generator
    G = load_generator("demo")                          # a name, a path or an address
    codes = G.truncate(G.mapping(np.random.RandomState(4).randn(2, G.z_dim)), psi=0.7)
    images = G.synthesis(codes)                         # [N, H, W, C], about -1 to 1
    jacobian = G.jacobian(codes[:1], image_size=128)    # [H, W, 1, G.edit_dim]
    changes = G.linearize(codes[:1], image_size=128).push(np.eye(G.edit_dim)[:3])   # [3, H, W, 1]

Arrays are NumPy's. TensorFlow is imported by `load_generator` and `select_device`, not before.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlib.class_names import read_class_names
from dnnlib.device import import_tensorflow, select_device
from dnnlib.directions import read_directions
from dnnlib.download import find_file
from dnnlib.errors import InputError
from dnnlib.families import network_files, read_network
from dnnlib.latents import read_latents

if TYPE_CHECKING:
    from dnnlib.generator import Generator

NetworkError = InputError  # its name in earlier versions

__all__ = [
    "InputError",
    "NetworkError",
    "load_generator",
    "network_files",
    "read_directions",
    "read_latents",
    "read_network",
    "select_device",
]


def load_generator(
    path: str | Path,
    dtype: str = "float32",
    allow_tf32: bool = False,
    ignore_settings: Iterable[str] = (),
    truncation: float = 1.0,
    rotate: float | None = None,
    translate: tuple[float, float] | None = None,
) -> "Generator":
    """The generator in a network file of any family, ready to run on all visible devices.

    `path` may also be an http(s) address, or a name that `python manipulate.py --list` shows: what
    is not here is fetched.
    `dtype` float64 is for checks; `allow_tf32` lets GPUs multiply with mantissas of 10 bits;
    `ignore_settings` names settings of the file to load it without, although they are not known.
    `truncation` is a BigGAN's, which chooses the statistics of its batch norms (above 0, 1 at most;
    other families truncate codes alone). `rotate` (degrees, anticlockwise) and `translate` (to the
    right and down, in widths of the picture) are a StyleGAN3's, whose picture they move. The
    generator's `notes` are lines that say what was ignored or guessed.

    Raises InputError if the file, or that of its classes' names, is damaged, hostile or
    unsupported, OSError if it cannot be read.
    """
    path = find_file(os.fspath(path), "network")
    record = read_network(path, ignore_settings).at_truncation(truncation)
    if rotate is not None or translate is not None:
        record = record.moved(rotate or 0.0, translate or (0.0, 0.0))
    import_tensorflow(allow_tf32)
    from dnnlib.generator import Generator

    return Generator(record, dtype, read_class_names(path, record.label_dim))
