"""Latent codes as encoders, projectors and scripts save them: .npy, .npz, and PyTorch's .pt; NumPy only.

Such a file holds an array, or a list of them, by itself or under a key; or a dict of name to codes, as some encoders
pickle it into a .npy file, there a list of iterations for each name. What a file declares is compared with its size
before memory is taken for it, and nothing in it is executed.
"""

import io
import itertools
import math
import mmap
import os
import pickle
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..errors import InputError
from ..reading import open_file
from ..text import one_line
from . import rosinality, torch_file
from .safe_pickle import PLAIN, Array, Memory, StandIn, brief, unpickle
from .torch_file import ZIP_START, Tensor

KEYS = ("w", "dlatents", "latents", "latent", "z")  # the first that is there is read
_EXPECTED = ("Expected latent codes: a .npy, .npz or .pt file with an array [N, D] or [N, L, D] of finite floats, by "
             f"itself or under a key of {', '.join(KEYS)}; or a .npy or .pt file with a dict of name to codes")
NPY_START = b"\x93NUMPY"
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_OF_CODE = 512  # bytes that the views of one take
HEADER_SIZE = 1000  # bytes: to parse one that is no header may take the square of its length


class Latents(NamedTuple):
    """Latent codes as a file has them, which does not say whether they are z, w or w+."""

    values: np.ndarray  # [D], [N, D], [L, D] or [N, L, D]: float32 or float64
    key: str | None  # that they were found under
    names: list[str] | None  # of the N codes of a dict


def read_latents(path: str | Path) -> Latents:
    """The latent codes of a file, whose format is told by its content; of iterations, the last. For
    its memory see safe_pickle; a mapped file is not counted.

    Raises InputError, naming what was found, if the file is damaged, hostile, of another kind, or holds no finite
    codes; OSError if it cannot be opened.
    """
    with open_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
        try:
            memory = Memory(os.fstat(file.fileno()).st_size)
            content, key, names = _find_codes(_read(file, memory))
            values = _finite_floats(content, memory)
        except InputError as error:
            raise InputError(f"{path} {one_line(error)}. {_EXPECTED}") from None
        except Exception as error:  # a damaged file can raise nearly anything
            reason = one_line(error, 200) or type(error).__name__
            raise InputError(f"{path} is truncated or damaged ({reason}). {_EXPECTED}") from None
    return Latents(values, key and one_line(key, 80), names)


# From a file to arrays in plain containers ----------------------------------------------------------------------------


class _ObjectType(StandIn):
    """The numpy.dtype of Python objects."""


class _AnyArray(Array):
    """numpy.ndarray, also of Python objects: then `objects` is a list of them, or the one of an array of shape []."""

    objects: Any = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, _, content = state
        if not isinstance(dtype, _ObjectType):
            super().__setstate__(state)
        elif not isinstance(content, list):
            raise pickle.UnpicklingError("an array of objects that are not listed")
        else:
            self.objects = content[0] if shape == () else content


def _new_type(code: str, *more: Any) -> Any:
    return _ObjectType() if code == "O8" else PLAIN["numpy", "dtype"](code, *more)


def _new_array(*_: Any) -> _AnyArray:
    return _AnyArray()


_ALLOWED = rosinality.ALLOWED | {("numpy", "dtype"): _new_type} | {
    (f"{package}.multiarray", "_reconstruct"): _new_array for package in ("numpy.core", "numpy._core")}


def _read(file: BinaryIO, memory: Memory) -> Any:
    start = file.read(16)
    if start.startswith(NPY_START):
        return _read_npy(file, memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), memory)
    if not torch_file.is_torch_file(start):
        pickled = "a pickle, as networks are, and " if start.startswith(b"\x80") else ""
        raise InputError(f"is {pickled}no .npy, .npz or .pt file")
    if start.startswith(ZIP_START):
        entries = torch_file.zip_entries(file, memory)
        if not any(name.endswith("/data.pkl") for name in entries):
            return _read_npz(file, entries, memory)
    return torch_file.parse(file, _ALLOWED, memory)


def _read_npy(file: BinaryIO, data: memoryview, memory: Memory) -> Any:
    """The array, or what is pickled in its place, in a file of these data."""
    head = io.BytesIO(data[:2 * HEADER_SIZE])
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, column_major, dtype = headers[np.lib.format.read_magic(head)](head, HEADER_SIZE)
    except (ValueError, MemoryError) as error:  # the latter is the parser's, of brackets in brackets
        raise pickle.UnpicklingError(str(error).partition("\n")[0] or "a header that cannot be parsed") from None
    if dtype.kind == "O":
        file.seek(head.tell())
        return _unwrapped(unpickle(file, _ALLOWED, None, memory))
    _expect_numbers(dtype)
    return np.ndarray(shape, dtype, data, head.tell(), order="F" if column_major else "C")


def _read_npz(file: BinaryIO, entries: Mapping[str, zipfile.ZipInfo], memory: Memory) -> Any:
    """The array under its key, or what is pickled in its place; of several, one of KEYS."""
    members = {name.removesuffix(".npy"): name for name in entries if name.endswith(".npy")}
    key = _key(members)
    if key is None:
        raise InputError(f"holds {_listed(members or entries)}, of which none is known to be latent codes")
    entry = entries[members[key]]
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise pickle.UnpicklingError(f"{members[key]} is compressed in a way that NumPy does not know")
    memory.take(entry.file_size)
    with zipfile.ZipFile(file) as archive, archive.open(entry) as member:
        data = member.read(entry.file_size)  # without a number it would be decompressed as a whole, whatever its size
    content = _read_npy(io.BytesIO(data), memoryview(data), memory)
    return {key: content} if isinstance(content, np.ndarray) else content


def _unwrapped(value: Any) -> Any:
    return value.objects if isinstance(value, _AnyArray) and value.values is None else value


# From there to codes --------------------------------------------------------------------------------------------------


def _find_codes(content: Any) -> tuple[Any, str | None, list[str] | None]:
    """The array of all codes, or a list with one for each; its key; the names of the codes."""
    if not isinstance(content, dict):
        return content, None, None
    key = _key(content)
    is_picture = (key or "").lower().endswith(_PICTURES)  # then it is the name of one
    if key in KEYS or (not is_picture and isinstance(content.get(key), (np.ndarray, Array, Tensor))):
        return content[key], key, None
    codes, keys = [], set()
    for value in content.values():
        key = None
        if isinstance(value, dict):  # rosinality's projector: {"img": ..., "latent": ..., "noise": ...}
            key = _key(value)
            value = value.get(key)
        value = _unwrapped(value)
        if isinstance(value, (list, tuple)) and value:
            value = value[-1]
        if not isinstance(value, (np.ndarray, Array, Tensor)):
            raise InputError(f"holds {_listed(content)}, which are no latent codes")
        code = _array(value)
        codes.append(code[-1] if code.ndim == 3 else code)
        keys.add(key)
    return codes, keys.pop() if len(keys) == 1 else None, [one_line(name if isinstance(name, str) else brief(name), 80)
                                                              for name in content]


def _key(found: Iterable[Any]) -> str | None:
    """Under which of these keys the codes are: one of KEYS, or the only one."""
    names = [name for name in found if isinstance(name, str)]
    return next((key for key in KEYS if key in names), names[0] if len(names) == 1 else None)


def _listed(names: Iterable[Any]) -> str:
    names = [brief(name) for name in itertools.islice(names, 7)]
    return f"{', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"


def _array(value: Any) -> np.ndarray:
    """The numbers of an array or of a stand-in for one."""
    values = value.values if isinstance(value, (Array, Tensor)) else value
    if not isinstance(values, np.ndarray):
        raise InputError(f"holds an object of type {type(value).__name__}, which is no array")
    _expect_numbers(values.dtype)
    return values


def _expect_numbers(dtype: np.dtype) -> None:
    if dtype.kind not in "fiu":
        name = "bfloat16, which NumPy does not have" if dtype == np.dtype("V2") else dtype
        raise InputError(f"holds values of type {name}; save them as float32")


def _finite_floats(content: Any, memory: Memory) -> np.ndarray:
    """A copy of one array, or of a list of arrays, each a code [D], [L, D] or [1, L, D]."""
    if isinstance(content, (list, tuple)):
        memory.take(_OF_CODE * len(content))
        arrays = [_array(value) for value in content]
        arrays = [array[0] if array.ndim == 3 and len(array) == 1 else array for array in arrays]
        if not arrays:
            raise InputError("holds no codes at all")
        if different := [array.shape for array in arrays if array.shape != arrays[0].shape]:
            raise InputError(f"holds codes of shapes {list(arrays[0].shape)} and {list(different[0])}, not all alike")
        content, shape, dtype = arrays, (len(arrays), *arrays[0].shape), arrays[0].dtype
    else:
        content = _array(_unwrapped(content))
        shape, dtype = content.shape, content.dtype
    if not 1 <= len(shape) <= 3 or 0 in shape:
        raise InputError(f"has shape {list(shape)}")
    dtype = np.dtype(np.float64 if dtype.itemsize >= 8 else np.float32)
    memory.take(math.prod(shape) * dtype.itemsize)
    with np.errstate(all="ignore"):
        values = np.array(content, dtype)
    if not max(values.max(), -values.min()) <= np.finfo(np.float32).max:
        raise InputError("holds NaN or infinity")
    return values
