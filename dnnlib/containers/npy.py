"""NumPy's .npy files: their headers, and numbers of them a part at a time; nothing is executed.

    6 bytes      \\x93NUMPY
    2 bytes      the version of the format: 1, 0 or 2, 0
    2 or 4 bytes the length of the text that follows (4 in version 2), little-endian
    text         the literal of a Python dict, filled up with spaces:
                 {'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }
                 descr is the type of a number, or of records, for which there is no use here
    numbers      the last axis varies fastest or, with fortran_order, the first; of type |O, Python
                 objects, there is a pickle in their place

Version 3, whose text is UTF-8, is only for records with names. A file is read, never mapped: a
mapped file that another program shortens would end the process without a word.
"""

import io
import math
import os
import warnings
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from dnnlib.containers.safe_pickle import expect_shape
from dnnlib.errors import InputError
from dnnlib.reading import open_file
from dnnlib.text import one_line

NPY_START = b"\x93NUMPY"
_LONGEST_HEADER = 1000  # bytes: to parse text that is no header may take the square of its length
_BLOCK = 1 << 18  # numbers that are read together


class NpyHeader(NamedTuple):
    """What a .npy file declares, and how many bytes of it are no numbers."""

    shape: tuple[int, ...]
    column_major: bool
    dtype: np.dtype
    begin: int  # bytes before the numbers
    spare: int  # bytes behind the numbers

    @property
    def order(self) -> str:
        """NumPy's letter for the order of the numbers."""
        return "F" if self.column_major else "C"


def read_header(file: BinaryIO, size: int) -> NpyHeader:
    """The header of a .npy file of `size` bytes that is open at its beginning.

    Raises ValueError if there is none, or it announces more numbers than there are.
    """
    head = io.BytesIO(file.read(2 * _LONGEST_HEADER))
    parsers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(head)
        length = int.from_bytes(head.getvalue()[8 : 10 if version == (1, 0) else 12], "little")
        if length > _LONGEST_HEADER:  # which may be more than is read here
            raise ValueError(f"a header of {length} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
            shape, column_major, dtype = parsers[version](head, _LONGEST_HEADER)
        expect_shape(shape)
        if 0 in shape:
            np.empty(shape, dtype)  # raises ValueError for lengths that no array has
    except Exception as error:  # MemoryError, too, is the parser's: of brackets in brackets
        reason = str(error).partition("\n")[0] or "a header that cannot be parsed"
        raise ValueError(reason) from None
    begin = head.tell()
    needed = 0 if dtype.kind == "O" else math.prod(shape) * dtype.itemsize
    if begin + needed > size:
        raise ValueError(f"{size} bytes where {begin + needed} are needed")
    return NpyHeader(shape, column_major, dtype, begin, size - begin - needed)


def read_numbers(file: BinaryIO, dtype: np.dtype, into: np.ndarray) -> None:
    """Reads numbers of this type from where the file is into an array [their number], maybe of
    another type.

    Raises ValueError if they are not all there.
    """
    for place in range(0, len(into), _BLOCK):
        part = into[place : place + _BLOCK]
        data = file.read(len(part) * dtype.itemsize)
        if len(data) < len(part) * dtype.itemsize:
            raise ValueError("it has become shorter while it was read")
        part[:] = np.frombuffer(data, dtype)


class NpyFile:
    """A .npy file of numbers, open for reading a part at a time."""

    def __init__(self, path: str | Path, what: str, kinds: str = "fiu") -> None:
        """`kinds` are NumPy's letters for the types allowed: floats, integers, unsigned integers, b
        for booleans.

        Raises InputError, speaking of `what` was expected, if the file is no .npy file of numbers
        or is damaged; OSError if it cannot be opened.
        """
        self.path, self._what = path, what
        self._file = open_file(path)
        try:
            self._header = self._read_header(kinds)
        except BaseException:
            self._file.close()
            raise
        self.shape, self.dtype = self._header.shape, self._header.dtype
        self.spare = self._header.spare

    def __enter__(self) -> "NpyFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read_header(self, kinds: str) -> NpyHeader:
        try:
            header = read_header(self._file, os.fstat(self._file.fileno()).st_size)
        except ValueError as error:
            raise self._damaged(error) from None
        if header.dtype.kind not in kinds:
            raise InputError(
                f"{self.path} holds values of type {str(header.dtype)[:80]}; expected {self._what}"
            )
        return header

    def _damaged(self, error: ValueError) -> InputError:
        return InputError(
            f"{self.path} is truncated, damaged or no .npy file of numbers "
            f"({one_line(error, 200)}); expected {self._what}: check the path, or make it again"
        )

    def read(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """`count` numbers from number `start` on, in the order of the file: [count]; None: all.

        Raises InputError if they are not there any more.
        """
        count = math.prod(self.shape) - start if count is None else count
        self._file.seek(self._header.begin + start * self.dtype.itemsize)
        values = np.empty(count, self.dtype)
        try:
            read_numbers(self._file, self.dtype, values)
        except ValueError as error:
            raise self._damaged(error) from None
        return values

    def read_all(self) -> np.ndarray:
        """The whole array."""
        return self.read().reshape(self.shape, order=self._header.order)

    @property
    def in_rows(self) -> bool:
        """Whether the last axis varies fastest, as NumPy writes by default."""
        return not self._header.column_major or math.prod(self.shape) in self.shape
