"""Files of arrays: NumPy's .npy and .npz, PyTorch's .pt, and pickles of either's arrays; NumPy
only.

A file holds an array, or lists, tuples and dicts of them. Its format is told by its content:

    .npy      an array (see npy); of Python objects: a pickle of the list of them
    .npz      a zip file with a .npy file for each key, compressed or not
    .pt       what torch.save wrote (see torch_file)
    pickle    of protocols 2 to 5 (see safe_pickle, also for the memory)

Nothing in it is executed, and what it declares is compared with its size before memory is taken.
"""

import contextlib
import functools
import io
import itertools
import math
import os
import pickle
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from dnnlib.containers import torch_file
from dnnlib.containers.named_arrays import MAX_DIMENSIONS
from dnnlib.containers.npy import NPY_START, NpyHeader, read_header, read_numbers
from dnnlib.containers.safe_pickle import (
    PLAIN,
    AllowList,
    Array,
    Memory,
    StandIn,
    brief,
    naming,
    unpickle,
)
from dnnlib.containers.torch_file import ZIP_START, Tensor
from dnnlib.errors import InputError
from dnnlib.foreign import START_SIZE, name_of_foreign, name_of_old_pickle
from dnnlib.reading import open_file
from dnnlib.text import one_line

# Under which keys latent codes or directions are in a dict: the first that is there is read.
CODE_KEYS = ("w", "dlatents", "latents", "latent", "z")
DIRECTION_KEYS = ("lat_comp", "comp", "eigvec", "directions", "direction", "boundary")
PICKLE_START = b"\x80"  # of protocol 2 and later
_BYTES_PER_LIST_ITEM = 512  # what the views of an array in a list take
_NUMBERS_AT_ONCE = _BYTES_AT_ONCE = 1 << 18


def is_array_file(start: bytes) -> bool:
    """Whether a file that begins with these bytes may be one of arrays."""
    return start.startswith((NPY_START, ZIP_START, PICKLE_START))


def name_of_other(start: bytes) -> str:
    """What a file is that begins with these bytes and is none of arrays, as a message says it after
    "is"."""
    return name_of_old_pickle(start) or name_of_foreign(start) or "no .npy, .npz, .pt or .pkl file"


@contextlib.contextmanager
def open_arrays(path: str | Path, expected: str) -> Iterator[tuple[Any, Memory]]:
    """What is in a file, as long as it is open, and the memory that is left for it.

    That is an array, of which `shape_of` and `read_floats` speak, or a list, tuple or dict; see
    `unwrapped`. Raises InputError, also for whatever the block raises, with the file's name, what
    was found, and what was `expected`; OSError if the file cannot be opened.
    """
    with open_file(path) as file, naming(path, "truncated or damaged", expected):
        memory = Memory(os.fstat(file.fileno()).st_size)
        try:
            yield _content(file, memory), memory
        except UnicodeDecodeError as error:
            if error.encoding != "ascii":
                raise
            raise InputError(  # bytes were text in Python 2
                "is a pickle of Python 2: load it there and numpy.save the array"
            ) from None


# From a file to arrays in plain containers --------------------------------------------------------


class _ObjectType(StandIn):
    """The numpy.dtype of Python objects."""


class _AnyArray(Array):
    """numpy.ndarray, also of Python objects: then `objects` is the list of them or, of shape [],
    the one object."""

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
    if code == "O8":
        return _ObjectType()
    try:
        return PLAIN["numpy", "dtype"](code, *more)
    except pickle.UnpicklingError as error:
        raise InputError(f"holds {error}; save its numbers as float32") from None


def _new_array(*_: Any) -> _AnyArray:
    return _AnyArray()


class _Network:
    """What a network is in a file of arrays: an error."""

    def __new__(cls, *_: Any) -> "_Network":
        raise InputError("is a network")


_ALLOWED: AllowList = (
    torch_file.CHECKPOINTS
    | {("numpy", "dtype"): _new_type}
    | {
        (f"{package}.multiarray", "_reconstruct"): _new_array
        for package in ("numpy.core", "numpy._core")
    }
    | {
        ("dnnlib.tflib.network", "Network"): _Network,
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Network,
    }
)


class NpyArray:
    """An array in a .npy file or in a member of a .npz file, whose numbers are read when they are
    asked for."""

    def __init__(self, open_again: Callable[[], IO[bytes]], size: int) -> None:
        """`open_again` gives the file, at its beginning, as often as it is called; `size` is that
        of all its bytes."""
        self._open, self._size = open_again, size

    @functools.cached_property
    def header(self) -> NpyHeader:
        """Raises ValueError if the file has none."""
        return read_header(self._open(), self._size)

    def objects(self, memory: Memory) -> Any:
        """What is pickled in the place of numbers."""
        begin, file = self.header.begin, self._open()
        if isinstance(file, zipfile.ZipExtFile):  # whose size the unpickler cannot tell
            memory.take(self._size + self._size // 8)  # with the room to grow that BytesIO takes
            data = io.BytesIO()
            for _ in range(0, self._size, _BYTES_AT_ONCE):  # the whole would take twice as much
                data.write(file.read(_BYTES_AT_ONCE))
            file = data
        file.seek(begin)
        return unpickle(file, _ALLOWED, None, memory)

    def fill(self, values: np.ndarray) -> None:
        """Reads the numbers into an array [their number], in their order in the file."""
        file = self._open()
        file.read(self.header.begin)
        read_numbers(file, self.header.dtype, values)


def _content(file: BinaryIO, memory: Memory) -> Any:
    start = file.read(START_SIZE)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if start.startswith(NPY_START):
        return NpyArray(lambda: _rewound(file), size)
    if start.startswith(ZIP_START):
        entries = torch_file.zip_entries(file, memory)
        if not any(name.endswith("/data.pkl") for name in entries):
            return _members(file, entries.values())
    if torch_file.is_torch_file(start):
        content = torch_file.parse(file, _ALLOWED, memory)
        if isinstance(content, dict) and "g_ema" in content:
            raise InputError("is a network: it holds g_ema")
        return content
    if start.startswith(PICKLE_START):
        return unpickle(file, _ALLOWED, None, memory)
    raise InputError(f"is {name_of_other(start)}")


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def _members(file: BinaryIO, entries: Iterable[zipfile.ZipInfo]) -> dict[str, NpyArray]:
    """The arrays of a .npz file, by key."""
    archive = zipfile.ZipFile(file)
    entries = list(entries)

    def open_member(entry: zipfile.ZipInfo) -> IO[bytes]:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"has {entry.filename} compressed in a way that NumPy does not know; save it with "
                "numpy.savez"
            )
        return archive.open(entry)

    members = {
        entry.filename.removesuffix(".npy"): NpyArray(
            functools.partial(open_member, entry), entry.file_size
        )
        for entry in entries
        if entry.filename.endswith(".npy")
    }
    if not members:
        raise InputError(
            f"is a zip file of {listed(entry.filename for entry in entries)}, of which none is an "
            "array"
        )
    return members


# Arrays -------------------------------------------------------------------------------------------


def unwrapped(value: Any, memory: Memory) -> Any:
    """A value; of an array of Python objects, the list of them or, of shape [], the one object."""
    if isinstance(value, NpyArray) and value.header.dtype.kind == "O":
        value = value.objects(memory)
    return value.objects if isinstance(value, _AnyArray) and value.values is None else value


def shape_of(value: Any) -> tuple[int, ...] | None:
    """The shape of an array; None if this is none."""
    if isinstance(value, NpyArray):
        return value.header.shape
    if isinstance(value, Tensor):
        return value.shape
    return value.values.shape if isinstance(value, Array) and value.values is not None else None


def listed(names: Iterable[Any]) -> str:
    """Some names of a file, for a message."""
    names = [brief(name) for name in itertools.islice(names, 7)]
    return f"{', '.join(names[:6])}{' ...' if len(names) > 6 else ''}" or "nothing"


def read_floats(value: Any, memory: Memory) -> np.ndarray:
    """A copy of an array, or of a list of arrays alike, as finite float32 or float64, of 1 to 3
    dimensions.

    Axes of length 1 are left out where there are more, and at the end; of arrays in a list, all of
    them. Raises InputError for whatever is no array of numbers, has another shape, or that of a
    Jacobian.
    """
    is_list = isinstance(value, (list, tuple))
    parts = list(value) if is_list else [value]
    memory.take(_BYTES_PER_LIST_ITEM * len(parts))
    shapes = [_expect_array(part) for part in parts]
    if not parts:
        raise InputError("holds no arrays at all")
    if is_list:
        shapes = [tuple(n for n in shape if n != 1) or (1,) for shape in shapes]
        different = [shape for shape in shapes if shape != shapes[0]]
        if different:
            of_styles = ", as codes of StyleSpace have" if len(different) > 3 else ""
            raise InputError(
                f"holds arrays of shapes {list(shapes[0])} and {list(different[0])}, not all "
                f"alike{of_styles}"
            )
    shape = _few_dimensions((len(parts), *shapes[0]) if is_list else shapes[0])
    dtype = np.dtype(
        np.float64 if any(_dtype_of(part).itemsize >= 8 for part in parts) else np.float32
    )
    memory.take(math.prod(shape) * dtype.itemsize)
    with np.errstate(all="ignore"):  # what is too large is an error, not a warning before it
        if is_list:
            values = np.empty((len(parts), *shapes[0]), dtype)
            for i, part in enumerate(parts):
                values[i] = _numbers(part, dtype, memory).reshape(shapes[0])
        else:
            values = _numbers(value, dtype, memory)
            if not values.flags.writeable:  # a view of the file
                values = np.array(values)
        values = values.reshape(shape)
        if not max(values.max(), -values.min()) <= np.finfo(np.float32).max:
            raise InputError("holds NaN, infinity or numbers beyond float32")
    return values


def is_jacobian(shape: tuple[int, ...]) -> bool:
    """Whether this is the shape of a Jacobian, [N, H, W, 1, D] or [N, C, H, W, 1, D]."""
    return (
        len(shape) in (5, 6)
        and shape[-2] == 1
        and min(shape) > 0
        and min(shape[-3], shape[-4], shape[-1]) > 1
    )


def _expect_array(value: Any) -> tuple[int, ...]:
    shape = shape_of(value)
    if shape is None:
        if isinstance(value, (list, tuple, int, float)):
            raise InputError(
                "holds plain numbers, or lists in lists; save them as an array, with numpy.save"
            )
        raise InputError(f"holds an object of type {_type_name(value)}, which is no array")
    if isinstance(value, NpyArray) and value.header.spare:
        raise InputError(
            f"has {value.header.spare} bytes behind its array, as a file of several arrays has; "
            "save each by itself"
        )
    if is_jacobian(shape):
        raise InputError(
            f"has shape {list(shape)}, as a Jacobian has, in which compute_directions.py finds "
            "directions"
        )
    if not shape or 0 in shape:
        raise InputError(f"has shape {list(shape)}")
    return shape


def _type_name(value: Any) -> str:
    """What a value is, without the names of the stand-ins here."""
    return "numpy.ndarray of objects" if isinstance(value, Array) else type(value).__name__


def _few_dimensions(shape: tuple[int, ...]) -> list[int]:
    """A shape without ones at its end, and without others as long as it has more than three
    dimensions."""
    few = list(shape)
    while len(few) > 1 and few[-1] == 1:
        few.pop()
    while len(few) > 3 and 1 in few:
        del few[len(few) - 1 - few[::-1].index(1)]  # the last 1: [1, L, 1, D] is one code of w+
    if len(few) > 3:
        raise InputError(f"has shape {list(shape)}")
    if few[-1] > MAX_DIMENSIONS:
        raise InputError(
            f"has shape {list(shape)}, more than the {MAX_DIMENSIONS} dimensions that networks may "
            "have"
        )
    return few


def _dtype_of(value: Any) -> np.dtype:
    """The type of an array's numbers. Raises InputError if they are none."""
    dtype = (
        value.header.dtype
        if isinstance(value, NpyArray)
        else np.dtype(value.storage.code)
        if isinstance(value, Tensor)
        else value.values.dtype
    )
    if dtype.kind not in "fiu" and not _is_bfloat16(value, dtype):
        raise InputError(f"holds values of type {one_line(dtype, 80)}; save them as float32")
    return dtype


def _is_bfloat16(value: Any, dtype: np.dtype) -> bool:
    return dtype == np.dtype("V2") and not isinstance(value, NpyArray)


def _numbers(value: Any, dtype: np.dtype, memory: Memory) -> np.ndarray:
    """The numbers of an array, maybe a read-only view of the file."""
    if isinstance(value, NpyArray):
        values = np.empty(math.prod(value.header.shape), dtype)
        value.fill(values)
        if value.header.column_major:
            memory.take(0, besides=values.nbytes)
        return np.ascontiguousarray(values.reshape(value.header.shape, order=value.header.order))
    values = value.values
    if _is_bfloat16(value, values.dtype):  # the upper half of a float32
        bits = np.array(values.view("<u2"), "<u4", order="C")
        bits <<= 16
        values = bits.view("<f4")
    return np.asarray(values, dtype, order="C")


def last_of(value: Any) -> Array:
    """The last of those that an array [N, ...] in a pickle holds."""
    last = Array()
    last.values = value.values[-1]
    return last


# Rows ---------------------------------------------------------------------------------------------


def blocks_of_rows(values: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of an array [..., D] in float64, a block [rows, D] at a time, since all together may
    not fit into the memory."""
    rows = values.reshape(-1, values.shape[-1])
    step = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        yield rows[start : start + step].astype(np.float64)


def row_lengths(values: np.ndarray) -> np.ndarray:
    """The lengths [...] of the rows of an array [..., D], in float64."""
    lengths = [np.sqrt(np.einsum("ij,ij->i", block, block)) for block in blocks_of_rows(values)]
    return np.concatenate(lengths).reshape(values.shape[:-1])
