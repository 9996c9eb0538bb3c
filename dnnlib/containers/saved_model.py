"""TensorFlow's SavedModels as TF Hub gives them out: the arrays of the checkpoint and the constants
of the graph; nothing of the graph is run. NumPy only.

    saved_model.pb                      the graph, a protobuf message
    tfhub_module.pb                     of no use here
    variables/variables.index           which arrays there are: a LevelDB table
    variables/variables.data-00000-of-00001   their numbers

as a folder, or within a .tar.gz, which is read without unpacking it to the disk.

The table: its last 48 bytes are two handles (offset and size, varints), of which the second is
that of the index block, zeros, and a magic number. A block is entries, an array of uint32 and its
length; behind it a byte, 0 if it is not compressed, and a checksum. An entry is three varints, how
many characters of the key are those of the last one, how many follow, and the length of the value;
then those characters, then the value. The values of the index block are handles of blocks of data.
A value there is a message: 1 type (1: float32), 2 shape (2 dimension: 1 size), 3 shard, 4 offset,
5 size. The entry of the empty key is about the whole.

The graph: 2 meta graph, in it 2 graph, in it 1 node: 1 name, 2 operation, 3 input, 5 attributes
(1 key, 2 value: 8 tensor: 1 type, 2 shape, 4 numbers). A message is fields: a varint of the
field's number and its kind (0 varint, 1 eight bytes, 2 a length and so many bytes, 5 four bytes),
then the value.

Whatever is declared is compared with what is there before it is used.
"""

import math
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dnnlib.containers.named_arrays import MOST_ARRAYS
from dnnlib.containers.safe_pickle import Array, Memory
from dnnlib.errors import InputError
from dnnlib.reading import open_file

GRAPH = "saved_model.pb"
_INDEX = "variables/variables.index"
_DATA = "variables/variables.data-00000-of-00001"
FILES = (GRAPH, _INDEX, _DATA)
_FOOTER = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
_FLOAT32 = 1
_MOST_NODES = 1_000_000
_MOST_MEMBERS = 100
_BYTES_PER_ARRAY = 1000  # that its entry takes


class SavedModel:
    """The float32 arrays of a SavedModel by name, and the constants of its graph of which a name
    was asked for."""

    def __init__(self, arrays: dict[str, Array], constants: dict[str, np.ndarray]) -> None:
        self.arrays, self.constants = arrays, constants


def read_folder(path: str | Path, memory: Memory) -> SavedModel:
    """The SavedModel in a folder. Raises InputError if it is damaged or lacks a file, OSError if it
    cannot be read."""

    def read(name: str) -> bytes:
        with open_file(os.path.join(path, name)) as file:
            memory.take(os.fstat(file.fileno()).st_size)
            return file.read()

    return _read(read)


def folder_size(path: str | Path) -> int:
    """Of the files that are read, in bytes. Raises InputError if one is lacking."""
    for name in FILES:
        if not os.path.isfile(os.path.join(path, name)):
            raise InputError(f"lacks {name}; expected the whole folder of a TF Hub module")
    return sum(os.path.getsize(os.path.join(path, name)) for name in FILES)


def read_tar(file: BinaryIO, memory: Memory) -> SavedModel:
    """The SavedModel in a .tar.gz. Raises InputError if it is damaged, lacks a file, or holds much
    more than its size; may raise nearly anything else."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=file, mode="r|gz") as archive:
        for count, member in enumerate(archive):
            if count >= _MOST_MEMBERS:
                raise InputError("holds too many files; expected those of a TF Hub module")
            name = member.name.removeprefix("./").lstrip("/")
            if name in FILES and member.isfile():
                memory.take(member.size)
                content = archive.extractfile(member)
                found[name] = content.read() if content else b""
            elif member.size:
                memory.take(member.size)  # it is unpacked on the way to the next one
                memory.give_back(member.size)
    for name in FILES:
        if name not in found:
            raise InputError(f"is an archive without {name}; expected one of a TF Hub module")
    return _read(found.pop)


def _read(read: Callable[[str], bytes]) -> SavedModel:
    try:
        entries = dict(_entries(read(_INDEX)))
        arrays = _arrays(entries, read(_DATA))
        return SavedModel(arrays, _constants(read(GRAPH)))
    except (IndexError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(
            f"is a damaged SavedModel ({type(error).__name__}); expected another copy"
        ) from None


# The table ----------------------------------------------------------------------------------------


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number of too many bytes")


def _entries(table: bytes) -> Iterator[tuple[str, bytes]]:
    if len(table) < _FOOTER or not table.endswith(_MAGIC):
        raise InputError("has an index of variables that is cut or no table; expected another copy")
    footer, at = table[-_FOOTER:], 0
    handle = []
    for _ in range(4):
        value, at = _varint(footer, at)
        handle.append(value)
    count = 0
    for _, place in _block(table, *handle[2:]):
        offset, at = _varint(place, 0)
        size, _ = _varint(place, at)
        for name, entry in _block(table, offset, size):
            count += 1
            if count > MOST_ARRAYS:
                raise ValueError("too many entries")
            yield name.decode(), entry


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = table[offset : offset + size]
    if len(block) != size or size < 4 or table[offset + size]:
        raise ValueError("a block that is cut, or compressed")
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        more, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or more > 1000 or at + more + length > end:
            raise ValueError("an entry that is cut")
        key = key[:shared] + block[at : at + more]
        at += more
        yield key, block[at : at + length]
        at += length


def _arrays(entries: dict[str, bytes], data: bytes) -> dict[str, Array]:
    arrays = {}
    for name, entry in entries.items():
        fields = dict(_fields(entry))
        if not name or fields.get(1) != _FLOAT32:
            continue
        if fields.get(3, 0):
            raise InputError("has its variables in several files; expected one")
        shape = _shape(fields.get(2, b""))
        offset, size = fields.get(4, 0), fields.get(5, 0)
        if size != 4 * math.prod(shape) or offset + size > len(data):
            raise ValueError("an array that is cut")
        values = np.frombuffer(data, "<f4", math.prod(shape), offset).reshape(shape)
        arrays[name] = _as_array(values)
    return arrays


def _as_array(values: np.ndarray) -> Array:
    array = Array()
    array.values = values
    return array


# Messages -----------------------------------------------------------------------------------------


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message: their numbers and values, int or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = _varint(message, at)
        if size is None or at + size > len(message):
            raise ValueError("a field that is cut, or of an unknown kind")
        yield tag >> 3, message[at : at + size]
        at += size


def _shape(message: bytes) -> list[int]:
    dimensions = [dict(_fields(each)).get(1, 0) for number, each in _fields(message) if number == 2]
    if len(dimensions) > 8:
        raise ValueError("an array of too many dimensions")
    return dimensions


def _constants(graph: bytes) -> dict[str, np.ndarray]:
    """The float32 constants by the names of their nodes; what packs several into one is one, too.

    The graph of a function is not looked into."""
    constants: dict[str, np.ndarray] = {}
    packs: dict[str, list[str]] = {}
    nodes = 0
    for meta in (each for number, each in _fields(graph) if number == 2):
        for definition in (each for number, each in _fields(meta) if number == 2):
            for node in (each for number, each in _fields(definition) if number == 1):
                nodes += 1
                if nodes > _MOST_NODES:
                    raise ValueError("too many nodes")
                _take_node(node, constants, packs)
    for name, inputs in packs.items():
        if inputs and all(each in constants for each in inputs):
            constants[name] = np.stack([constants[each] for each in inputs])
    return constants


def _take_node(node: bytes, constants: dict[str, np.ndarray], packs: dict[str, list[str]]) -> None:
    name = operation = ""
    inputs, attributes = [], []
    for number, value in _fields(node):
        if number == 1:
            name = value.decode()
        elif number == 2:
            operation = value.decode()
        elif number == 3:
            inputs.append(value.decode())
        elif number == 5:
            attributes.append(value)
    if operation == "Pack":
        packs[name] = inputs
    elif operation == "Const":
        for attribute in attributes:
            fields = dict(_fields(attribute))
            tensor = dict(_fields(fields[2])).get(8) if fields.get(1) == b"value" else None
            if tensor is None:
                continue
            of_tensor = dict(_fields(tensor))
            numbers, shape = of_tensor.get(4, b""), _shape(of_tensor.get(2, b""))
            if of_tensor.get(1) == _FLOAT32 and len(numbers) == 4 * math.prod(shape):
                constants[name] = np.frombuffer(numbers, "<f4").reshape(shape)
