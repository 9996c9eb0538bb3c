"""Readers of network files, one file a format; NumPy only. All give a NetworkRecord."""

from pathlib import Path

from . import tensorflow_pickle
from .record import NetworkRecord


def read_network(path: str | Path) -> NetworkRecord:
    """The generator in a network file.

    Raises NetworkError if the file is damaged, hostile or of an unknown kind, OSError if it cannot be read.
    """
    return tensorflow_pickle.read(path)
