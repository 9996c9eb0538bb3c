"""StyleGAN2 networks read, run and differentiated. TensorFlow is imported by `load_generator`, not before."""

from pathlib import Path
from typing import TYPE_CHECKING

from .device import import_tensorflow, select_device
from .errors import NetworkError
from .formats import read_network

if TYPE_CHECKING:
    from .generator import Generator

__all__ = ["NetworkError", "load_generator", "read_network", "select_device"]


def load_generator(path: str | Path, dtype: str = "float32") -> "Generator":
    """The generator in a network file, ready to run. `dtype` float64 is for checks.

    Raises NetworkError if the file is damaged, hostile or unsupported, OSError if it cannot be read.
    """
    record = read_network(path)
    import_tensorflow()
    from .generator import Generator

    return Generator(record, dtype)
