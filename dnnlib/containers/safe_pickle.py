"""A pickle reader that executes nothing from the file.

Objects of a network file become inert stand-ins that only hold what the file says of them. Whatever
else a file asks for is refused by name, before anything of it runs. Arrays are built here, from
their bytes, never by NumPy's own unpickling. What is on the allow-list is for a format to say.

Memory: at most twice the file and 64 MiB, for all that is read from a file together, its arrays in
float32 and the copy of one that is being put in order included; what was read of a file counts for
as long as it is in use.
"""

import contextlib
import math
import os
import pickle
import reprlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from dnnlib.errors import InputError
from dnnlib.text import one_line

_EXPECTED = (
    "Expected a StyleGAN2 network (a TensorFlow or PyTorch pickle, or a rosinality-style .pt "
    "checkpoint): download one from a source you trust"
)
BOUND = 64 << 20  # bytes
_SMALL = 1 << 16  # a read of this size may simply be tried
_LONGEST_NAME = 1 << 12  # characters
_LONGEST_NUMBER = 16  # bytes
_MOST_ARGUMENTS = 16
_MOST_WHOLE_KEYS = 10_000  # of the dicts of a file; the states of optimizers have hundreds
_MOST_DIMENSIONS = 32
# The opcodes of protocols 2 to 5 that network files need, and Python 2's strings, by the bytes that
# each takes at the most besides those that it reads: an object, its place on the stack, and in a
# container or the memo.
_OPCODES = {
    96: "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 "
    "LONG1 BINFLOAT BINSTRING "
    "SHORT_BINSTRING SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 "
    "BYTEARRAY8 "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS "
    "ADDITEMS BUILD "
    "BINGET LONG_BINGET BINPERSID",
    128: "BINPUT LONG_BINPUT MEMOIZE",
    256: "EMPTY_SET GLOBAL STACK_GLOBAL REDUCE NEWOBJ",
}
_OF_MEMBER = 64  # what a set takes for a member

# By (module, name): a class, a function or a string, handed out as they are, or a Metered function.
AllowList = Mapping[tuple[str, str], Any]


class Refusal(InputError):
    """A file asks for something that is not on the allow-list."""

    def __init__(self, asked: str) -> None:
        super().__init__(f"asks for {asked}; refused, nothing was executed")
        self.asked = asked


class Memory:
    """What reading a file may take: twice its size, and BOUND more. Whatever is kept is asked for
    here first."""

    def __init__(self, file_size: int) -> None:
        self._left = 2 * file_size + BOUND
        self.whole_keys = _MOST_WHOLE_KEYS  # that are left

    def take(self, size: int, besides: int = 0) -> None:
        """Raises InputError if so many bytes are not left, nor those that are needed `besides` for
        a moment."""
        self._left -= size
        if self._left < besides:
            raise InputError(
                f"would take more memory than twice its size and {BOUND >> 20} MiB; refused"
            )

    def give_back(self, size: int) -> None:
        """So many bytes that were taken are no longer in use."""
        self._left += size


class _Brief(reprlib.Repr):
    """The text of an object in a message: that of a hostile one may be endless."""

    def repr_instance(self, x: Any, level: int) -> str:
        return repr(x) if isinstance(x, (bool, float, NoneType)) else f"a {type(x).__name__}"


brief = _Brief().repr


class StandIn:
    """What an object of a file becomes that is given its state after it was made; all others keep
    what they are."""

    def __setstate__(self, state: Any) -> None:
        """Nothing of the state is used, unless a format says otherwise."""


class Dict(dict):
    """A dnnlib.util.EasyDict or an OrderedDict, without attributes; not made from another dict,
    which would copy it."""

    def __init__(self) -> None:
        super().__init__()


class _DType(StandIn):
    """numpy.dtype: plain booleans, integers and floats only."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in _PLAIN_TYPES:
            raise pickle.UnpicklingError(f"an array of type {brief(code)}")
        self.plain = np.dtype(code).newbyteorder("<")

    def __setstate__(self, state: tuple) -> None:
        self.plain = self.plain.newbyteorder(">" if state[1] == ">" else "<")


_PLAIN_TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


class Array(StandIn):
    """numpy.ndarray: `values` is a read-only view of the bytes in the file."""

    values: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, column_major, buffer = state
        self.values = _view(buffer, dtype, shape, "F" if column_major else "C")


def expect_shape(shape: Any) -> None:
    """Raises UnpicklingError if this is no tuple of whole numbers, or has more than arrays have
    dimensions."""
    if not (
        isinstance(shape, tuple)
        and len(shape) <= _MOST_DIMENSIONS
        and all(type(n) is int and n >= 0 for n in shape)
    ):
        raise pickle.UnpicklingError(f"{brief(shape)} where the shape of an array is expected")


def _view(buffer: Any, dtype: _DType, shape: tuple, order: str) -> np.ndarray:
    expect_shape(shape)
    if not isinstance(buffer, (bytes, bytearray)) or math.prod(shape) * dtype.plain.itemsize != len(
        buffer
    ):
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
    ("dnnlib.util", "EasyDict"): Dict,
    ("collections", "OrderedDict"): Dict,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): _DType,
}
for _package in ("numpy.core", "numpy._core"):
    PLAIN[_package + ".multiarray", "_reconstruct"] = _new_array
    PLAIN[_package + ".multiarray", "scalar"] = _scalar
    PLAIN[_package + ".numeric", "_frombuffer"] = _array_from_buffer


class Metered(NamedTuple):
    """A function of an allow-list that keeps or reads more than its arguments: it is given the
    file's Memory first."""

    function: Callable[..., Any]


class _Bound:
    """A Metered function with the memory of its file. No functools.partial, whose state a file
    could alter."""

    __slots__ = ("_function", "_memory")

    def __init__(self, function: Callable[..., Any], memory: Memory) -> None:
        self._function, self._memory = function, memory

    def __call__(self, *arguments: Any) -> Any:
        return self._function(self._memory, *arguments)


class _Input:
    """A file of which nothing is read that the memory does not allow for, and no less than was
    asked for."""

    def __init__(self, file: BinaryIO, memory: Memory | None) -> None:
        self.file = file
        start = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(start)
        self.memory = memory or Memory(self.size)

    def read(self, count: int) -> bytes:
        if count > _SMALL and count > self.size - self.file.tell():
            raise EOFError(f"{count} bytes announced, {self.size - self.file.tell()} left")
        self.memory.take(count)
        data = self.file.read(count)
        if len(data) < count:
            raise EOFError("it ends too early")
        return data

    def readline(self) -> bytes:
        return self.file.readline(_LONGEST_NAME)


def expect_keys(keys: Iterable[Any], whole_numbers: int = 0) -> int:
    """How many of these keys of a dict or a set are whole numbers. Raises UnpicklingError if they
    are more than that, or one is no plain key.

    To hash a tuple of tuples may take forever, or all of the stack; and whole numbers can be made
    to collide, so that the time for them grows with the square of their number. Names cannot:
    Python hashes them in a secret way.
    """
    count = 0
    for key in keys:
        count += isinstance(key, int)
        if count > whole_numbers or not (
            key is None
            or (isinstance(key, (str, bytes)) and len(key) <= _LONGEST_NAME)
            or (isinstance(key, int) and abs(key) < 1 << 62)
        ):
            raise pickle.UnpicklingError(
                "a dict or a set with a key that is no name, or with too many whole numbers"
            )
    return count


class _Opcodes(dict):
    """What the unpickler does for each opcode."""

    def __missing__(self, code: int) -> None:
        raise pickle.UnpicklingError(f"the opcode {bytes([code])!r}, which no network needs")


# Python's own unpickler, not the one in C: there LONG_BINPUT 2^32 - 1, five bytes, makes a memo of
# 64 GB. Here the memo is a dict. Weights are read in one piece, so that it is fast enough.
class _Unpickler(pickle._Unpickler):
    dispatch = _Opcodes()  # filled below

    def __init__(
        self, file: _Input, allowed: AllowList, storage: Callable[[Any], Any] | None
    ) -> None:
        super().__init__(file)
        self._allowed, self._storage, self._memory = allowed, storage, file.memory

    def find_class(self, module: str, name: str) -> Any:
        try:
            allowed = self._allowed[module, name]
        except KeyError:
            raise Refusal(f"{module[:200]}.{name[:200]}") from None
        return _Bound(allowed.function, self._memory) if isinstance(allowed, Metered) else allowed

    def persistent_load(self, pid: Any) -> Any:
        if self._storage is None:
            raise pickle.UnpicklingError(f"asks for the external object {brief(pid)}")
        return self._storage(pid)

    def _load_frame(self) -> None:
        """FRAME: its length is of use to who reads ahead."""
        self.read(8)

    def _load_long1(self) -> None:
        (count,) = self.read(1)
        if count > _LONGEST_NUMBER:
            raise pickle.UnpicklingError(f"a whole number of {count} bytes")
        self.append(int.from_bytes(self.read(count), "little", signed=True))

    def _load_text(self, count: int) -> None:
        data = self.read(count)
        if (
            not data.isascii() and np.frombuffer(data, np.uint8).max() > 0xC3
        ):  # then all take four bytes each, not one
            self._memory.take(
                3 * count, besides=3 * count
            )  # the bytes, and the text with two for each
        self.append(str(data, "utf-8", "surrogatepass"))

    def _load_short_binunicode(self) -> None:
        self._load_text(*self.read(1))

    def _load_binunicode(self) -> None:
        self._load_text(*struct.unpack("<I", self.read(4)))

    def _load_binunicode8(self) -> None:
        self._load_text(*struct.unpack("<Q", self.read(8)))

    def _load_bytearray8(self) -> None:
        """Read, then copied, where Python fills an array of the size announced first."""
        (count,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(count)))

    def _load_setitem(self) -> None:
        self._memory.whole_keys -= expect_keys(self.stack[-2:-1], self._memory.whole_keys)
        self.load_setitem()

    def _load_setitems(self) -> None:
        self._memory.whole_keys -= expect_keys(self.stack[::2], self._memory.whole_keys)
        self.load_setitems()

    def _load_additems(self) -> None:
        self._memory.take(_OF_MEMBER * len(self.stack))
        expect_keys(self.stack)
        self.load_additems()

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        if not isinstance(arguments, tuple) or len(arguments) > _MOST_ARGUMENTS:
            raise pickle.UnpicklingError("a call without a tuple of arguments, or with too many")
        self.stack[-1] = self.stack[-1](*arguments)

    def _load_newobj(self) -> None:
        if self.stack.pop() != ():
            raise pickle.UnpicklingError("an object made from arguments")
        self.stack[-1] = self.stack[-1].__new__(self.stack[-1])

    def _load_build(self) -> None:
        """BUILD: only stand-ins get a state. The attributes of a dict are of no use."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, StandIn):
            target.__setstate__(state)
        elif not isinstance(target, Dict):
            raise pickle.UnpicklingError(f"the file tries to change a {type(target).__name__}")


def _charged(load: Callable[[_Unpickler], None], cost: int) -> Callable[[_Unpickler], None]:
    def charged(unpickler: _Unpickler) -> None:
        unpickler._memory.take(cost)
        load(unpickler)

    return charged


for _cost, _names in _OPCODES.items():
    for _name in _names.split():
        (_code,) = getattr(pickle, _name)
        _load = getattr(_Unpickler, f"_load_{_name.lower()}", pickle._Unpickler.dispatch[_code])
        _Unpickler.dispatch[_code] = _charged(_load, _cost)


def unpickle(
    file: BinaryIO,
    allowed: AllowList,
    storage: Callable[[Any], Any] | None = None,
    memory: Memory | None = None,
) -> Any:
    """The object in the pickle at the file's position, which moves to its end.

    `storage` makes an object of a persistent id; None: there are none. `memory` is what is left for
    this file; None: nothing of it was taken yet. May raise nearly anything: see `naming`.
    """
    return _Unpickler(_Input(file, memory), allowed, storage).load()


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Turns whatever reading a network raises into a InputError that names the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path} {one_line(error)}. {_EXPECTED}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = one_line(error, 200) or type(error).__name__
        raise InputError(
            f"{path} is no network file, or a truncated or damaged one ({reason}). {_EXPECTED}"
        ) from None


def load(file: BinaryIO, path: str | Path, allowed: AllowList, memory: Memory | None = None) -> Any:
    """The object in an open pickle, made of plain containers and the stand-ins above.

    Raises InputError if the file is damaged, is no pickle, or asks for anything outside the
    allow-list, or for more than the memory.
    """
    with naming(path):
        return unpickle(file, allowed, None, memory)
