"""A pickle reader that executes nothing from the file.

Objects of a network file become inert stand-ins that only hold what the file says of them. Whatever else a file asks
for is refused by name, before anything of it runs. Arrays are built here, from their bytes, never by NumPy's own
unpickling.
"""

import collections
import math
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import NetworkError

_EXPECTED = "Expected a StyleGAN2 or StyleGAN2-ADA TensorFlow pickle: download one from a source you trust"


class _Sealed(type):
    """A class that a file cannot alter: pickle's BUILD may set attributes on whatever object it is pointed at."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise pickle.UnpicklingError(f"the file tries to change {cls.__name__}.{name}")


class Network(metaclass=_Sealed):
    """The state of a dnnlib.tflib.network.Network, as a dict."""

    def __setstate__(self, state: dict) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a network whose state is no dict")
        self.state = state


class EasyDict(dict, metaclass=_Sealed):
    """A dnnlib.util.EasyDict, without its attribute access."""


class _DType(metaclass=_Sealed):
    """numpy.dtype: plain booleans, integers and floats only."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in _PLAIN_TYPES:
            raise pickle.UnpicklingError(f"an array of type {code!r}")
        self.plain = np.dtype(code).newbyteorder("<")

    def __setstate__(self, state: tuple) -> None:
        self.plain = self.plain.newbyteorder(">" if state[1] == ">" else "<")


_PLAIN_TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


class Array(metaclass=_Sealed):
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


_ALLOWED: dict[tuple[str, str], Any] = {
    ("dnnlib.tflib.network", "Network"): Network,
    ("dnnlib.util", "EasyDict"): EasyDict,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): _DType,
}
for _package in ("numpy.core", "numpy._core"):
    _ALLOWED[_package + ".multiarray", "_reconstruct"] = _new_array
    _ALLOWED[_package + ".multiarray", "scalar"] = _scalar
    _ALLOWED[_package + ".numeric", "_frombuffer"] = _array_from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            allowed = _ALLOWED[module, name]
            # A function goes out in a fresh wrapper: a file could alter the attributes of the original.
            return allowed if isinstance(allowed, type) else lambda *arguments: allowed(*arguments)
        except KeyError:
            raise NetworkError(f"asks for {module}.{name}; refused, nothing was executed. {_EXPECTED}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"asks for the external object {str(pid)[:80]!r}")


def load(file: BinaryIO, path: str | Path) -> Any:
    """The object in an open pickle, made of plain containers and the stand-ins above.

    Raises NetworkError if the file is damaged, is no pickle, or asks for anything outside the allow-list.
    """
    try:
        return _Unpickler(file).load()
    except NetworkError as error:
        raise NetworkError(f"{path} {error}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NetworkError(f"{path} is truncated, damaged or no pickle at all ({reason}). {_EXPECTED}") from None
