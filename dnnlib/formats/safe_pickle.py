"""A pickle reader that executes nothing from the file.

Objects of a network file become inert stand-ins that only hold what the file says of them. Whatever else a file asks
for is refused by name, before anything of it runs. Arrays are built here, from their bytes, never by NumPy's own
unpickling. What is on the allow-list is for a format to say; ALLOWED is what TensorFlow pickles need.
"""

import collections
import contextlib
import math
import os
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import NetworkError

_EXPECTED = ("Expected a StyleGAN2 network (a TensorFlow or PyTorch pickle, or a rosinality-style .pt checkpoint): "
             "download one from a source you trust")
_SMALL = 1 << 16  # a read of this size may simply be tried

# By (module, name): a class or a string, which are handed out as they are, or a function.
AllowList = Mapping[tuple[str, str], Any]


class Sealed(type):
    """A class that a file cannot alter: pickle's BUILD may set attributes on whatever object it is pointed at."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise pickle.UnpicklingError(f"the file tries to change {cls.__name__}.{name}")


class Network(metaclass=Sealed):
    """The state of a dnnlib.tflib.network.Network, as a dict."""

    def __setstate__(self, state: dict) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a network whose state is no dict")
        self.state = state


class EasyDict(dict, metaclass=Sealed):
    """A dnnlib.util.EasyDict, without its attribute access."""


class _DType(metaclass=Sealed):
    """numpy.dtype: plain booleans, integers and floats only."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in _PLAIN_TYPES:
            raise pickle.UnpicklingError(f"an array of type {code!r}")
        self.plain = np.dtype(code).newbyteorder("<")

    def __setstate__(self, state: tuple) -> None:
        self.plain = self.plain.newbyteorder(">" if state[1] == ">" else "<")


_PLAIN_TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


class Array(metaclass=Sealed):
    """numpy.ndarray: `values` is a read-only view of the bytes in the file."""

    values: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, column_major, buffer = state
        self.values = _view(buffer, dtype, shape, "F" if column_major else "C")


def _view(buffer: Any, dtype: _DType, shape: tuple, order: str) -> np.ndarray:
    if not isinstance(buffer, (bytes, bytearray)) or math.prod(shape) * dtype.plain.itemsize != len(buffer):
        raise pickle.UnpicklingError(f"an array of shape {shape} that does not fit its data")
    return np.frombuffer(buffer, dtype.plain).reshape(shape, order=order)


def _new_array(*_: Any) -> Array:
    return Array()


def _array_from_buffer(buffer: Any, dtype: _DType, shape: tuple, order: str) -> Array:
    array = Array()
    array.values = _view(buffer, dtype, shape, "F" if order == "F" else "C")
    return array


def _scalar(dtype: _DType, buffer: bytes) -> int | float | bool:
    return _view(buffer, dtype, (), "C").item()


PLAIN: dict[tuple[str, str], Any] = {  # what any format may hold
    ("dnnlib.util", "EasyDict"): EasyDict,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): _DType,
}
for _package in ("numpy.core", "numpy._core"):
    PLAIN[_package + ".multiarray", "_reconstruct"] = _new_array
    PLAIN[_package + ".multiarray", "scalar"] = _scalar
    PLAIN[_package + ".numeric", "_frombuffer"] = _array_from_buffer
ALLOWED = PLAIN | {("dnnlib.tflib.network", "Network"): Network}


class _Bounded:
    """A file in which no read takes memory for more than is left of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.readline = file, file.readline
        start = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(start)

    def read(self, count: int) -> bytes:
        if count > _SMALL and count > self.size - self.file.tell():
            raise EOFError(f"{count} bytes announced, {self.size - self.file.tell()} left")
        return self.file.read(count)


# Python's own unpickler, not the one in C: there LONG_BINPUT 2^32 - 1, five bytes, makes a memo of 64 GB. Here the memo
# is a dict, and has no more entries than the file has bytes. Weights are read in one piece, so that it is fast enough.
class _Unpickler(pickle._Unpickler):
    def __init__(self, file: BinaryIO, allowed: AllowList, storage: Callable[[Any], Any] | None) -> None:
        super().__init__(_Bounded(file))
        self._allowed, self._storage = allowed, storage

    def find_class(self, module: str, name: str) -> Any:
        try:
            allowed = self._allowed[module, name]
            # A function goes out in a fresh wrapper: a file could alter the attributes of the original.
            return allowed if isinstance(allowed, (type, str)) else lambda *arguments: allowed(*arguments)
        except KeyError:
            asked = f"{module[:200]}.{name[:200]}"
            raise NetworkError(f"asks for {asked}; refused, nothing was executed") from None

    def persistent_load(self, pid: Any) -> Any:
        if self._storage is None:
            # Never the text of any object: one of a few bytes can have one of gigabytes.
            what = repr(pid[:80]) if isinstance(pid, str) else f"of a {type(pid).__name__}"
            raise pickle.UnpicklingError(f"asks for the external object {what}")
        return self._storage(pid)

    def _load_bytearray(self) -> None:
        """BYTEARRAY8: read, then copied, where Python fills an array of the size announced first."""
        (count,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(count)))

    dispatch = pickle._Unpickler.dispatch | {pickle.BYTEARRAY8[0]: _load_bytearray}


def unpickle(file: BinaryIO, allowed: AllowList, storage: Callable[[Any], Any] | None = None) -> Any:
    """The object in the pickle at the file's position, which moves to its end.

    `storage` makes an object of a persistent id; None: there are none. May raise nearly anything: see `naming`.
    """
    return _Unpickler(file, allowed, storage).load()


def one_line(error: object, length: int = 1000) -> str:
    """What an error says: names and texts of a hostile file may be of any length, and hold what steers a terminal."""
    text = " ".join(str(error)[:length].split())
    return "".join(character if character.isprintable() else "?" for character in text)


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Turns whatever reading a network raises into a NetworkError that names the file."""
    try:
        yield
    except NetworkError as error:
        raise NetworkError(f"{path} {one_line(error)}. {_EXPECTED}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = one_line(error, 200) or type(error).__name__
        raise NetworkError(f"{path} is truncated, damaged or no pickle at all ({reason}). {_EXPECTED}") from None


def load(file: BinaryIO, path: str | Path, allowed: AllowList = ALLOWED) -> Any:
    """The object in an open pickle, made of plain containers and the stand-ins above.

    Raises NetworkError if the file is damaged, is no pickle, or asks for anything outside the allow-list.
    """
    with naming(path):
        return unpickle(file, allowed)
