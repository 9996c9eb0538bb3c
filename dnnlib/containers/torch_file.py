"""PyTorch's tensors and its two file formats, read with NumPy: a zip file, or a stream of pickles
and raw data.

A tensor is `_rebuild_tensor_v2(storage, offset, size, stride, ...)` in a pickle, a storage there
the persistent id ('storage', class, key, device, count). A zip file has FOLDER/data.pkl,
FOLDER/byteorder and the numbers of a storage in FOLDER/data/KEY. A stream is pickles of a magic
number, 1001, facts of the system, the object, and a list of keys; then for each key a count (int64)
and the numbers. In a pickle that is no such file, a storage is a call with a stream.

A storage knows its place in the file, and reads only when its numbers are taken: of a checkpoint
with optimizers, only the tensors that are used take memory. The file must be open until then.
Whatever a file declares (counts, sizes, strides) is compared with what is there before it is used.
"""

import io
import math
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dnnlib.containers.safe_pickle import (
    PLAIN,
    AllowList,
    Memory,
    Metered,
    StandIn,
    expect_keys,
    expect_shape,
    naming,
    unpickle,
)
from dnnlib.errors import InputError
from dnnlib.text import one_line

_MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_START = pickle.dumps(_MAGIC, protocol=2)
_STREAM_VERSION = 1001
ZIP_START = b"PK\x03\x04"
_OF_STREAM = 1 << 14  # bytes that reading one is charged, so that it is not read over and over
_OF_SET = 96  # bytes that a set takes for a member, at most
# Numbers of a storage for each of a tensor's, so that a small file is not read over and over.
_MOST_APART = 64
_CHUNK = 1 << 20  # bytes that are checked at once
_OF_DIRECTORY = 24  # bytes that one of a zip file's directory takes at most

# A storage class is handed out as the type of its numbers: text cannot be altered by a file.
_STORAGES = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
    "BFloat16Storage": "|V2",  # not a type of NumPy: may be in the file, not in the generator
}
_STORAGE_CLASSES = {("torch", name): code for name, code in _STORAGES.items()}


class _Lent(bytearray):
    """Bytes of a file, which count as memory for as long as they are in use."""

    def __init__(self, size: int, memory: Memory) -> None:
        self._memory: Memory | None = None
        memory.take(size)
        self._memory = memory
        super().__init__(size)

    def __del__(self) -> None:
        if self._memory is not None:
            self._memory.give_back(len(self))


class _File:
    """An open file of which parts are read, wherever they are."""

    def __init__(self, file: BinaryIO, memory: Memory) -> None:
        self._file, self._memory = file, memory
        self.size = file.seek(0, os.SEEK_END)

    def read(self, begin: int, size: int) -> bytearray:
        """The bytes, whose memory is asked for. Raises InputError if they are not there any
        more."""
        data = _Lent(size, self._memory)
        self._file.seek(begin)
        if self._file.readinto(data) < size:
            raise InputError(
                "became shorter while it was read; expected a file that no other program writes: "
                "wait until it is complete"
            )
        return data


class _Bytes:
    """Bytes of a pickle, likewise."""

    def __init__(self, data: bytes) -> None:
        self._data, self.size = memoryview(data), len(data)

    def read(self, begin: int, size: int) -> memoryview:
        return self._data[begin : begin + size]


class Storage:
    """`count` numbers of a file, by themselves, read when they are asked for."""

    def __init__(self, code: str, count: int) -> None:
        self.code, self.count = code, count
        self._itemsize = np.dtype(code).itemsize
        self._source: _File | _Bytes | None = None
        self._begin, self._checksum = 0, None

    @property
    def is_placed(self) -> bool:
        return self._source is not None

    def place(
        self, source: _File | _Bytes, begin: int, size: int, checksum: int | None = None
    ) -> None:
        """Its numbers are these bytes. Raises UnpicklingError if they cannot be."""
        if size != self.count * self._itemsize or begin + size > source.size:
            raise pickle.UnpicklingError(
                f"a storage of {self.count} numbers that does not fit its data"
            )
        self._source, self._begin, self._checksum = source, begin, checksum

    def read(self, first: int, count: int) -> bytearray | memoryview:
        """The bytes of some of its numbers. Raises InputError if the numbers are not those that
        were written."""
        if self._checksum is not None:
            self._check()
        return self._source.read(self._begin + first * self._itemsize, count * self._itemsize)

    def _check(self) -> None:
        checksum, size = 0, self.count * self._itemsize
        for begin in range(0, size, _CHUNK):
            checksum = zlib.crc32(
                self._source.read(self._begin + begin, min(_CHUNK, size - begin)), checksum
            )
        if checksum != self._checksum:
            raise InputError(
                "holds numbers that do not fit their checksum; expected those that were written: "
                "download it again"
            )
        self._checksum = None


class Tensor:
    """A torch.Tensor: numbers of a storage, with a shape and strides."""

    def __init__(
        self,
        storage: Storage,
        offset: int,
        shape: tuple,
        strides: tuple,
        requires_grad: bool = False,
        hooks: Any = None,
        metadata: Any = None,
    ) -> None:
        if not isinstance(storage, Storage) or metadata:
            raise pickle.UnpicklingError("a tensor that is not made of a storage alone")
        for numbers in ((offset,), shape, strides):
            expect_shape(numbers)
        length = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if math.prod(shape) and offset + length > storage.count:
            raise pickle.UnpicklingError(
                f"a tensor that does not fit its storage of {storage.count} numbers"
            )
        self.storage, self._offset, self._length, self.shape, self._strides = (
            storage,
            offset,
            length,
            shape,
            strides,
        )

    @property
    def values(self) -> np.ndarray:
        """The numbers, read-only, some maybe repeated; read anew each time.

        Raises InputError if they are damaged or the file became shorter, ValueError if it is
        closed.
        """
        if not math.prod(self.shape):
            return np.zeros(self.shape)
        if self._length > _MOST_APART * (
            math.prod(self.shape) + _MOST_APART
        ):  # all between is read
            raise InputError(
                "holds a tensor whose numbers lie far apart; expected a copy of it: save "
                "tensor.clone()"
            )
        dtype = np.dtype(self.storage.code)
        strides = [stride * dtype.itemsize for stride in self._strides]
        values = np.ndarray(
            self.shape, dtype, self.storage.read(self._offset, self._length), 0, strides
        )
        values.flags.writeable = False
        return values


def _parameter(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


def _storage_in_bytes(memory: Memory, data: bytes) -> Storage:
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("a storage without data")
    memory.take(_OF_STREAM)
    storage = _load_stream(io.BytesIO(data), _Bytes(data), _STORAGE_CLASSES, memory)
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a storage whose data are something else")
    return storage


def _bytes(memory: Memory, text: str, _: str) -> bytes:
    """_codecs.encode, as Python writes bytes in old protocols."""
    memory.take(len(text))
    return text.encode("latin1")


def _set(memory: Memory, items: list) -> set:
    """builtins.set, as Python writes sets in old protocols."""
    if not isinstance(items, list):
        raise pickle.UnpicklingError("a set that is not made of a list")
    memory.take(_OF_SET * len(items))
    expect_keys(items)
    return set(items)


TENSORS: dict[tuple[str, str], Any] = PLAIN | {
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): Metered(_storage_in_bytes),
    ("_codecs", "encode"): Metered(_bytes),
    ("builtins", "set"): Metered(_set),
    ("__builtin__", "set"): Metered(_set),
}


class _Option(StandIn):
    """An option of a training run, or a value that one may have."""

    def __init__(self, *_: Any) -> None:
        pass


# What checkpoints hold: tensors, and beside them the options of a training run, of which nothing
# is kept.
CHECKPOINTS = TENSORS | dict.fromkeys(
    [
        ("argparse", "Namespace"),
        ("pathlib", "PosixPath"),
        ("pathlib", "WindowsPath"),
        ("pathlib._local", "PosixPath"),
        ("pathlib._local", "WindowsPath"),
        ("torch", "device"),
        ("torch", "Size"),
        ("torch", "float16"),
        ("torch", "float32"),
    ],
    _Option,
)


class _MeteredFile:
    """An open file of whose directory zipfile makes entries."""

    def __init__(self, file: BinaryIO, memory: Memory) -> None:
        self._file, self._memory = file, memory
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        self._memory.take(_OF_DIRECTORY * max(count, 0))
        return self._file.read(count)


def zip_entries(file: BinaryIO, memory: Memory) -> dict[str, zipfile.ZipInfo]:
    """The directory of an open zip file, by name."""
    with zipfile.ZipFile(_MeteredFile(file, memory)) as archive:
        return {entry.filename: entry for entry in archive.infolist()}


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins with these bytes (16 are enough) was written by torch.save."""
    return start.startswith((ZIP_START, _STREAM_START))


def load(
    file: BinaryIO, path: str | Path, allowed: AllowList = TENSORS, memory: Memory | None = None
) -> Any:
    """The object in an open file that torch.save wrote; its tensors are `Tensor`s that read this
    file.

    Raises InputError if the file is damaged or asks for anything outside the allow-list, or for
    more than the memory.
    """
    with naming(path):
        return parse(file, allowed, memory or Memory(os.fstat(file.fileno()).st_size))


def parse(file: BinaryIO, allowed: AllowList, memory: Memory) -> Any:
    """The same, but it may raise nearly anything: see `naming`."""
    source = _File(file, memory)
    file.seek(0)
    load_format = _load_stream if file.read(len(_STREAM_START)) == _STREAM_START else _load_zip
    file.seek(0)
    return load_format(file, source, allowed | _STORAGE_CLASSES, memory)


def _load_stream(file: BinaryIO, source: _File | _Bytes, allowed: AllowList, memory: Memory) -> Any:
    """Old format: pickles of magic number, version, system, object and keys; then each storage,
    behind its count."""
    storages: dict[str, Storage] = {}
    magic, version, system = (unpickle(file, {}, None, memory) for _ in range(3))
    if magic != _MAGIC or version != _STREAM_VERSION:
        raise pickle.UnpicklingError("no PyTorch stream of version 1001")
    if system["little_endian"] is not True:
        raise pickle.UnpicklingError("written on a big-endian machine")
    content = unpickle(file, allowed, _storage_finder(storages), memory)
    keys, position = unpickle(file, {}, None, memory), file.tell()
    expect_keys(keys)
    for key in keys:
        storage = storages[key]
        file.seek(position)
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count or storage.is_placed:
            raise pickle.UnpicklingError(
                f"a storage of {count} numbers where {storage.count} are declared"
            )
        size = count * np.dtype(storage.code).itemsize
        storage.place(source, position + 8, size)
        position += 8 + size
    if not all(storage.is_placed for storage in storages.values()):
        raise pickle.UnpicklingError("a storage without data")
    return content


def _load_zip(file: BinaryIO, source: _File, allowed: AllowList, memory: Memory) -> Any:
    """New format: a zip file with FOLDER/data.pkl, FOLDER/data/KEY for each storage, and
    FOLDER/byteorder."""
    entries = zip_entries(file, memory)
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise InputError(f"is {_name_of_zip(list(entries))}")
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "constants.pkl" in entries:
        raise InputError(
            "is a TorchScript program, as torch.jit.save writes it: save the state_dict of its "
            "network"
        )

    if (
        sum(entry.file_size for entry in entries.values()) > source.size
    ):  # else each may be read as a whole
        raise pickle.UnpicklingError("a zip file whose members are compressed or overlap")

    def place(storage: Storage, name: str) -> Storage:
        entry = entries[folder + name]
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise pickle.UnpicklingError(f"{folder + name} is compressed or encrypted")
        # The local header: 30 bytes, the last 4 of which are the lengths of a name and an extra
        # field that follow.
        file.seek(entry.header_offset + 26)
        lengths = struct.unpack("<HH", file.read(4))
        storage.place(source, entry.header_offset + 30 + sum(lengths), entry.file_size, entry.CRC)
        return storage

    def read(name: str) -> bytes:
        size = entries[folder + name].file_size
        data = place(Storage("|u1", size), name).read(0, size)
        memory.take(size)
        return bytes(data)

    if folder + "byteorder" in entries and read("byteorder") != b"little":
        raise pickle.UnpicklingError("written on a big-endian machine")
    storages: dict[str, Storage] = {}
    content = unpickle(io.BytesIO(read("data.pkl")), allowed, _storage_finder(storages), memory)
    for key, storage in storages.items():
        place(storage, f"data/{key}")
    return content


def _name_of_zip(names: list[str]) -> str:
    """What a zip file is that torch.save did not write, by the names in it."""
    shown = ", ".join(one_line(name.removesuffix(".npy"), 40) for name in names[:3])
    shown += " ..." if len(names) > 3 else ""
    if names and all(name.endswith(".npy") for name in names):
        return f"NumPy's archive of the arrays {shown}: latent codes, directions or other arrays"
    return f"a zip archive of {shown or 'nothing'}: unpack it and use the network inside, if any"


def _storage_finder(storages: dict[str, Storage]) -> Callable[[Any], Storage]:
    """What makes a Storage of a persistent id, the same for the same key; `storages` gets each by
    its key."""

    def find(pid: Any) -> Storage:
        kind, code, key, _, count, *view = pid if isinstance(pid, tuple) and len(pid) < 7 else ()
        if (
            kind != "storage"
            or code not in _STORAGES.values()
            or not isinstance(key, str)
            or view not in ([], [None])
        ):
            raise pickle.UnpicklingError(
                "asks for an external object that is no storage of numbers"
            )
        if not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("a storage whose count is no whole number")
        storage = storages.setdefault(key, Storage(code, count))
        if (storage.code, storage.count) != (code, count):
            raise pickle.UnpicklingError(f"a storage declared twice, in different ways: {key[:80]}")
        return storage

    return find
