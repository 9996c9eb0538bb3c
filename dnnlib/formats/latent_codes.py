"""Latent codes as encoders, projectors and scripts save them: .npy, .npz, and PyTorch's .pt; NumPy only.

Such a file holds an array, or a list of them, by itself or under a key; or a dict of name to codes, as some encoders
pickle it into a .npy file, there a list of iterations for each name. What a file declares is compared with its size
before memory is taken for it, and nothing in it is executed.
"""

import io
import mmap
import pickle
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from reprlib import repr as brief  # the text of any object may be endless
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..errors import NetworkError
from . import rosinality, torch_file
from .safe_pickle import PLAIN, Array, Sealed, one_line, unpickle
from .torch_file import Tensor

KEYS = ("w", "dlatents", "latents", "latent")  # the first that is there is read
MOST = 1 << 28  # bytes that codes may take where the file is smaller: compressed, or the same array many times
_EXPECTED = ("Expected latent codes: a .npy, .npz or .pt file with an array [N, D] or [N, L, D] of floats, by itself "
             f"or under a key of {', '.join(KEYS)}; or with a dict of name to codes")
_NPY_START, _ZIP_START = b"\x93NUMPY", b"PK\x03\x04"
_NPY_HEADER = 1 << 16  # bytes: more than NumPy allows


class Latents(NamedTuple):
    """Latent codes as a file has them, which does not say whether they are z, w or w+."""

    values: np.ndarray  # [D], [N, D], [L, D] or [N, L, D]: float32 or float64
    key: str | None  # that they were found under
    names: list[str] | None  # of the N codes of a dict


def read_latents(path: str | Path) -> Latents:
    """The latent codes of a file, whose format is told by its content; of iterations, the last.

    Raises NetworkError, naming what was found, if the file is damaged, hostile, of another kind, or holds no finite
    codes; OSError if it cannot be opened.
    """
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
        try:
            content, key, names = _find_codes(_read(file))
            values = _finite_floats(content, most=max(MOST, file.seek(0, io.SEEK_END)))
        except NetworkError as error:
            raise NetworkError(f"{path} {one_line(error)}. {_EXPECTED}") from None
        except Exception as error:  # a damaged file can raise nearly anything
            reason = one_line(error, 200) or type(error).__name__
            raise NetworkError(f"{path} is truncated or damaged ({reason}). {_EXPECTED}") from None
    return Latents(values, key and one_line(key, 80), names)


# From a file to arrays in plain containers ----------------------------------------------------------------------------


class _ObjectType(metaclass=Sealed):
    """The numpy.dtype of Python objects."""

    def __setstate__(self, state: Any) -> None:
        pass


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


def _read(file: BinaryIO) -> Any:
    start = file.read(16)
    if start.startswith(_NPY_START):
        return _read_npy(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    if not torch_file.is_torch_file(start):
        pickled = "a pickle, as networks are, and " if start.startswith(b"\x80") else ""
        raise NetworkError(f"is {pickled}no .npy, .npz or .pt file")
    if start.startswith(_ZIP_START):
        with zipfile.ZipFile(file) as archive:
            if not any(name.endswith("/data.pkl") for name in archive.namelist()):
                return _read_npz(archive, file.seek(0, io.SEEK_END))
    return torch_file.parse(file, _ALLOWED)


def _read_npy(data: memoryview) -> Any:
    """The array, or what is pickled in its place."""
    head = io.BytesIO(data[:_NPY_HEADER])
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, column_major, dtype = headers[np.lib.format.read_magic(head)](head)
    if dtype.kind == "O":
        return _unwrapped(unpickle(io.BytesIO(data[head.tell():]), _ALLOWED))
    _expect_numbers(dtype)
    return np.ndarray(shape, dtype, data, head.tell(), order="F" if column_major else "C")


def _read_npz(archive: zipfile.ZipFile, size: int) -> Any:
    """The array under its key, or what is pickled in its place; of several, one of KEYS."""
    members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
    key = _key(members)
    if key is None:
        raise NetworkError(f"holds {_listed(members or archive.namelist())}, of which none is known to be latent codes")
    member = archive.getinfo(members[key])
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise pickle.UnpicklingError(f"{members[key]} is compressed in a way that NumPy does not know")
    if member.file_size > max(MOST, size):
        raise NetworkError(f"holds {members[key]}, which would be {member.file_size} bytes from a file of {size}; "
                           "refused: if that is right, save it by np.savez, uncompressed")
    content = _read_npy(memoryview(archive.read(member)))
    return {key: content} if isinstance(content, np.ndarray) else content


def _unwrapped(value: Any) -> Any:
    return value.objects if isinstance(value, _AnyArray) and value.values is None else value


# From there to codes --------------------------------------------------------------------------------------------------


def _find_codes(content: Any) -> tuple[Any, str | None, list[str] | None]:
    """The array of all codes, or a list with one for each; its key; the names of the codes."""
    if not isinstance(content, dict):
        return content, None, None
    key = _key(content)
    if key in KEYS or isinstance(content.get(key), (np.ndarray, Array, Tensor)):
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
            raise NetworkError(f"holds {_listed(content)}, which are no latent codes")
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
    names = [brief(name) for name in names]
    return f"{', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"


def _array(value: Any) -> np.ndarray:
    """The numbers of an array or of a stand-in for one."""
    values = value.values if isinstance(value, (Array, Tensor)) else value
    if not isinstance(values, np.ndarray):
        raise NetworkError(f"holds an object of type {type(value).__name__}, which is no array")
    _expect_numbers(values.dtype)
    return values


def _expect_numbers(dtype: np.dtype) -> None:
    if dtype.kind not in "fiu":
        name = "bfloat16, which NumPy does not have" if dtype == np.dtype("V2") else dtype
        raise NetworkError(f"holds values of type {name}; save them as float32")


def _finite_floats(content: Any, most: int) -> np.ndarray:
    """A copy of one array, or of a list of arrays, each a code [D], [L, D] or [1, L, D]."""
    if isinstance(content, (list, tuple)):
        arrays = [_array(value) for value in content]
        arrays = [array[0] if array.ndim == 3 and len(array) == 1 else array for array in arrays]
        if not arrays:
            raise NetworkError("holds no codes at all")
        if different := [array.shape for array in arrays if array.shape != arrays[0].shape]:
            raise NetworkError(f"holds codes of shapes {list(arrays[0].shape)} and {list(different[0])}, not all alike")
        if sum(array.nbytes for array in arrays) > most:
            raise NetworkError("holds the same array too many times")
        content, shape, dtype = arrays, (len(arrays), *arrays[0].shape), arrays[0].dtype
    else:
        content = _array(_unwrapped(content))
        shape, dtype = content.shape, content.dtype
    if not 1 <= len(shape) <= 3 or 0 in shape:
        raise NetworkError(f"has shape {list(shape)}")
    values = np.array(content, np.float64 if dtype.itemsize >= 8 else np.float32)
    if not (np.abs(values) <= np.finfo(np.float32).max).all():
        raise NetworkError("holds NaN or infinity")
    return values
