"""Writes state dicts as PyTorch's torch.save does, without PyTorch.

The file is an archive: `archive/data.pkl`, a pickle of an OrderedDict of tensors, of which the
numbers stand in `archive/data/0`, `/1`, ... Its bytes depend on the arrays alone.
"""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

# Of pickle's opcodes those that are needed: https://docs.python.org/3/library/pickletools.html
PROTOCOL_2, MARK, TUPLE, EMPTY_TUPLE = b"\x80\x02", b"(", b"t", b")"
CALL, PERSISTENT, SET_ITEMS, FALSE, STOP = b"R", b"Q", b"u", b"\x89", b"."
A_LONG_TIME_AGO = (1980, 1, 1, 0, 0, 0)


def write_state_dict(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write float32 arrays by their names."""
    numbers = [np.ascontiguousarray(array, "<f4") for array in arrays.values()]
    pickle = PROTOCOL_2 + _empty_dict() + MARK
    for key, (name, array) in enumerate(zip(arrays, numbers, strict=True)):
        pickle += _text(name) + _tensor(str(key), array)
    parts = {"data.pkl": pickle + SET_ITEMS + STOP, "version": b"3\n", "byteorder": b"little"}
    parts |= {f"data/{key}": array.tobytes() for key, array in enumerate(numbers)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", A_LONG_TIME_AGO), content)


def _tensor(key: str, array: np.ndarray) -> bytes:
    """_rebuild_tensor_v2(storage, offset 0, shape, strides, requires_grad False, no hooks)."""
    strides = [stride // array.itemsize for stride in array.strides]
    kind = _global("torch", "FloatStorage")
    storage = MARK + _text("storage") + kind + _text(key) + _text("cpu") + _integer(array.size)
    arguments = storage + TUPLE + PERSISTENT + _integer(0)
    arguments += _integers(array.shape) + _integers(strides) + FALSE + _empty_dict()
    return _global("torch._utils", "_rebuild_tensor_v2") + MARK + arguments + TUPLE + CALL


def _empty_dict() -> bytes:
    return _global("collections", "OrderedDict") + EMPTY_TUPLE + CALL


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _integer(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _integers(numbers: tuple[int, ...] | list[int]) -> bytes:
    return MARK + b"".join(map(_integer, numbers)) + TUPLE
