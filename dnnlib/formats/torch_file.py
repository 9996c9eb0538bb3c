"""PyTorch's tensors and its two file formats, read with NumPy: a zip file, or a stream of pickles and raw data.

Layout: DESIGN 3.3. A file is mapped, not read: of a checkpoint with optimizers, only the tensors that are used take
memory. Whatever a file declares (counts, sizes, strides) is compared with what is there before it is used.
"""

import io
import math
import mmap
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .safe_pickle import PLAIN, AllowList, Memory, Metered, expect_keys, expect_shape, naming, unpickle

_MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_START = pickle.dumps(_MAGIC, protocol=2)
_STREAM_VERSION = 1001
ZIP_START = b"PK\x03\x04"
_OF_STREAM = 1 << 14  # bytes that reading one is charged, so that it is not read over and over
_OF_SET = 96  # bytes that a set takes for a member, at most
_OF_DIRECTORY = 24  # bytes that one of a zip file's directory takes at most

# A storage class is handed out as the type of its numbers: text cannot be altered by a file.
_STORAGES = {
    "FloatStorage": "<f4", "HalfStorage": "<f2", "DoubleStorage": "<f8", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1", "BoolStorage": "|b1",
    "BFloat16Storage": "|V2",  # not a type of NumPy: may be in the file, not in the generator
}
_STORAGE_CLASSES = {("torch", name): code for name, code in _STORAGES.items()}


class Storage:
    """`count` numbers of a file, by themselves: `data` are their bytes, None until they are known."""

    def __init__(self, code: str, count: int) -> None:
        self.code, self.count = code, count
        self.data: memoryview | None = None
        self.checksum: int | None = None

    def fill(self, data: memoryview, checksum: int | None = None) -> None:
        if len(data) != self.count * np.dtype(self.code).itemsize:
            raise pickle.UnpicklingError(f"a storage of {self.count} numbers that does not fit its data")
        self.data, self.checksum = data, checksum

    def checked_data(self) -> memoryview:
        """The bytes. Raises ValueError if they are not those that were written."""
        if self.checksum is not None and zlib.crc32(self.data) != self.checksum:
            raise ValueError("numbers that do not fit their checksum")
        self.checksum = None
        return self.data


class Tensor:
    """A torch.Tensor: numbers of a storage, with a shape and strides."""

    def __init__(self, storage: Storage, offset: int, shape: tuple, strides: tuple, requires_grad: bool = False,
                 hooks: Any = None, metadata: Any = None) -> None:
        if not isinstance(storage, Storage) or metadata:
            raise pickle.UnpicklingError("a tensor that is not made of a storage alone")
        for numbers in ((offset,), shape, strides):
            expect_shape(numbers)
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if math.prod(shape) and last >= storage.count:
            raise pickle.UnpicklingError(f"a tensor that does not fit its storage of {storage.count} numbers")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    @property
    def values(self) -> np.ndarray:
        """A read-only view of the numbers in the file, some maybe repeated. Raises ValueError if they are damaged."""
        dtype = np.dtype(self.storage.code)
        strides = [stride * dtype.itemsize for stride in self.strides]
        data, offset = self.storage.checked_data(), self.offset * dtype.itemsize
        return np.ndarray(self.shape, dtype, data, offset, strides) if math.prod(self.shape) else np.zeros(self.shape)


def _parameter(tensor: Tensor, *_: Any) -> Tensor:
    return tensor


def _storage_in_bytes(memory: Memory, data: bytes) -> Storage:
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("a storage without data")
    memory.take(_OF_STREAM)
    storage = _load_stream(io.BytesIO(data), memoryview(data), _STORAGE_CLASSES, memory)
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


def load(file: BinaryIO, path: str | Path, allowed: AllowList = TENSORS, memory: Memory | None = None) -> Any:
    """The object in an open file that torch.save wrote; its tensors are `Tensor`s on the mapped file, which is not
    counted as memory.

    Raises InputError if the file is damaged or asks for anything outside the allow-list, or for more than the memory.
    """
    with naming(path):
        return parse(file, allowed, memory or Memory(os.fstat(file.fileno()).st_size))


def parse(file: BinaryIO, allowed: AllowList, memory: Memory) -> Any:
    """The same, but it may raise nearly anything: see `naming`."""
    data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    load_format = _load_stream if bytes(data[:len(_STREAM_START)]) == _STREAM_START else _load_zip
    file.seek(0)
    return load_format(file, data, allowed | _STORAGE_CLASSES, memory)


def _load_stream(file: BinaryIO, data: memoryview, allowed: AllowList, memory: Memory) -> Any:
    """Old format: pickles of magic number, version, system, object and keys; then each storage, behind its count."""
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
        (count,) = struct.unpack_from("<q", data, position)
        if count != storage.count or storage.data is not None:
            raise pickle.UnpicklingError(f"a storage of {count} numbers where {storage.count} are declared")
        begin = position + 8
        position = begin + count * np.dtype(storage.code).itemsize
        storage.fill(data[begin:position])
    if any(storage.data is None for storage in storages.values()):
        raise pickle.UnpicklingError("a storage without data")
    return content


def _load_zip(file: BinaryIO, data: memoryview, allowed: AllowList, memory: Memory) -> Any:
    """New format: a zip file with FOLDER/data.pkl, FOLDER/data/KEY for each storage, and FOLDER/byteorder."""
    entries = zip_entries(file, memory)
    if sum(entry.file_size for entry in entries.values()) > len(data):  # else each may be read as a whole
        raise pickle.UnpicklingError("a zip file whose members overlap")
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise pickle.UnpicklingError(f"a zip file with {len(pickles)} files data.pkl, where PyTorch writes one")
    folder = pickles[0].removesuffix("data.pkl")

    def fill(storage: Storage, name: str) -> None:
        entry = entries[folder + name]
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise pickle.UnpicklingError(f"{folder + name} is compressed or encrypted")
        # The local header: 30 bytes, the last 4 of which are the lengths of a name and an extra field that follow.
        lengths = struct.unpack_from("<HH", data, entry.header_offset + 26)
        begin = entry.header_offset + 30 + sum(lengths)
        storage.fill(data[begin:begin + entry.file_size], entry.CRC)

    def read(name: str) -> bytes:
        memory.take(entries[folder + name].file_size)
        storage = Storage("|u1", entries[folder + name].file_size)
        fill(storage, name)
        return bytes(storage.checked_data())

    if folder + "byteorder" in entries and read("byteorder") != b"little":
        raise pickle.UnpicklingError("written on a big-endian machine")
    storages: dict[str, Storage] = {}
    content = unpickle(io.BytesIO(read("data.pkl")), allowed, _storage_finder(storages), memory)
    for key, storage in storages.items():
        fill(storage, f"data/{key}")
    return content


def _storage_finder(storages: dict[str, Storage]) -> Callable[[Any], Storage]:
    """What makes a Storage of a persistent id, the same for the same key; `storages` gets each by its key."""

    def find(pid: Any) -> Storage:
        kind, code, key, _, count, *view = pid if isinstance(pid, tuple) and len(pid) < 7 else ()
        if kind != "storage" or code not in _STORAGES.values() or not isinstance(key, str) or view not in ([], [None]):
            raise pickle.UnpicklingError("asks for an external object that is no storage of numbers")
        if not isinstance(count, int) or count < 0:
            raise pickle.UnpicklingError("a storage whose count is no whole number")
        storage = storages.setdefault(key, Storage(code, count))
        if (storage.code, storage.count) != (code, count):
            raise pickle.UnpicklingError(f"a storage declared twice, in different ways: {key[:80]}")
        return storage

    return find
