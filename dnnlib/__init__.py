"""StyleGAN2 networks read, run and differentiated. TensorFlow is imported by `load_generator`, not
before."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlib.device import import_tensorflow, select_device
from dnnlib.errors import InputError
from dnnlib.families import read_network
from dnnlib.latents import read_latents

if TYPE_CHECKING:
    from dnnlib.generator import Generator

NetworkError = InputError  # its name in earlier versions

__all__ = [
    "InputError",
    "NetworkError",
    "load_generator",
    "read_latents",
    "read_network",
    "select_device",
]


def load_generator(
    path: str | Path,
    dtype: str = "float32",
    allow_tf32: bool = False,
    ignore_settings: Iterable[str] = (),
) -> "Generator":
    """The generator in a network file, ready to run on all visible devices.

    `dtype` float64 is for checks; `allow_tf32` lets GPUs multiply with mantissas of 10 bits;
    `ignore_settings` names settings of the file to load it without, although they are not known.
    The generator's `notes` are lines that say what was ignored or guessed.

    Raises InputError if the file is damaged, hostile or unsupported, OSError if it cannot be read.
    """
    record = read_network(path, ignore_settings)
    import_tensorflow(allow_tf32)
    from dnnlib.generator import Generator

    return Generator(record, dtype)
