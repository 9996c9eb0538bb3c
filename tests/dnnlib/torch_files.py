"""Files as PyTorch writes them, and forged ones, made without PyTorch: NumPy arrays become
tensors."""

import collections
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnnlib.containers import torch_file
from dnnlib.containers.safe_pickle import Array
from dnnlib.containers.torch_modules import Module

STORAGES = {np.dtype(code): name for name, code in torch_file._STORAGES.items()}


class Global(NamedTuple):
    """A function or a class by its name."""

    module: str
    name: str

    def __call__(self):
        raise AssertionError("only pickled")


class Call(NamedTuple):
    """Pickled as a call, whatever is called."""

    function: Global
    arguments: tuple


class Numbers:
    """A storage of these numbers that says it has `count`."""

    def __init__(self, numbers: np.ndarray, count: int | None = None, kind: str = "storage"):
        self.numbers, self.count, self.kind = (
            numbers,
            len(numbers) if count is None else count,
            kind,
        )


def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> Call:
    """A tensor as it is written, its fields to be chosen."""
    fields = (storage, offset, shape, strides, False, collections.OrderedDict(), *more)
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), fields)


class _Writer(pickle._Pickler):
    def __init__(self, file: Any, protocol: int, storages: dict | None) -> None:
        super().__init__(file, protocol)
        self.storages = storages  # None: each storage is a call, with its bytes

    def save(self, obj: Any, *more: Any, **options: Any) -> None:
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, *more, **options)

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Numbers) or self.storages is None:
            return None
        self.storages.setdefault(str(id(obj)), obj)
        return (
            obj.kind,
            Global("torch", STORAGES[obj.numbers.dtype]),
            str(id(obj)),
            "cpu",
            obj.count,
        )

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Call):
            return tuple(obj)
        if isinstance(obj, Numbers):
            return Global("torch.storage", "_load_from_bytes"), (stream(obj),)
        if isinstance(obj, np.ndarray):
            obj = obj.copy(order="K")  # without gaps
            strides = tuple(stride // obj.itemsize for stride in obj.strides)
            return tuple(tensor(Numbers(obj.ravel(order="K")), 0, obj.shape, strides))
        if isinstance(obj, Module):
            meta = {
                "type": "class",
                "version": 6,
                "module_src": "raise RuntimeError('executed')",
                "class_name": obj.class_name,
                "state": obj.state,
            }
            return Global("torch_utils.persistence", "_reconstruct_persistent_obj"), (meta,)
        return NotImplemented


def dumps(content: Any, protocol: int = 2, storages: dict | None = None) -> bytes:
    """A pickle; what its storages hold goes to `storages`, by key, or into the pickle."""
    file = io.BytesIO()
    _Writer(file, protocol, storages).dump(content)
    return file.getvalue()


def stream(content: Any, keys: list | None = None, little_endian: bool = True) -> bytes:
    """The old format."""
    storages = {}
    head = [torch_file._MAGIC, 1001, {"protocol_version": 1001, "little_endian": little_endian}]
    body = dumps(content, 2, storages)
    data = [struct.pack("<q", len(s.numbers)) + s.numbers.tobytes() for s in storages.values()]
    return b"".join(
        [*map(dumps, head), body, dumps(list(storages) if keys is None else keys), *data]
    )


def archive(
    content: Any,
    folder: str = "archive",
    compression: int = zipfile.ZIP_STORED,
    byteorder: bytes = b"little",
    leave_out: str = "",
) -> bytes:
    """The new format."""
    storages = {}
    entries = {"data.pkl": dumps(content, 2, storages), "byteorder": byteorder}
    entries |= {f"data/{key}": storage.numbers.tobytes() for key, storage in storages.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        for name, data in entries.items():
            if not leave_out or not name.startswith(leave_out):
                written.writestr(f"{folder}/{name}", data)
    return file.getvalue()


def plain(content: Any) -> Any:
    """What a reader found in a file, with arrays for tensors, in containers that may be changed."""
    if isinstance(content, torch_file.Tensor):
        return np.array(content.values)
    if isinstance(content, Array):
        return content.values.tolist()
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items()}
    if isinstance(content, Module):
        meta = {"type": "class", "class_name": content.class_name, "state": plain(content.state)}
        return Module(meta)
    return content


def arrays_of(module: Module, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The state dict of a module: its arrays by their dotted names."""
    for kind in ("_parameters", "_buffers"):
        for name, values in module.state[kind].items():
            if values is not None:
                yield prefix + name, values
    for name, part in module.state["_modules"].items():
        yield from arrays_of(part, f"{prefix}{name}.")


def written(path: Path, content: bytes) -> Path:
    """The path of a file with this content."""
    path.write_bytes(content)
    return path
