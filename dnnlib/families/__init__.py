"""Families of generators: a folder each, with a network and a reader for each format of its files.

What a family is to the rest stands in interface.py. The readers need NumPy alone.
"""

import dataclasses
import importlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dnnlib.containers import safe_pickle, saved_model, torch_file
from dnnlib.containers.npy import NPY_START
from dnnlib.containers.torch_file import ZIP_START
from dnnlib.errors import InputError
from dnnlib.families import biggan, progan, recognise, stylegan1, stylegan2, stylegan3
from dnnlib.families.biggan.huggingface import SETTINGS_FILE as SETTINGS_FILE
from dnnlib.families.interface import Family, Network
from dnnlib.foreign import START_SIZE, name_of_folder, name_of_foreign, name_of_old_pickle
from dnnlib.reading import open_file
from dnnlib.record import IgnoredSettings, NetworkRecord
from dnnlib.text import one_line

FAMILIES = {
    "stylegan2": Family("dnnlib.families.stylegan2.network:StyleGAN2", stylegan2.READERS),
    "progan": Family("dnnlib.families.progan.network:ProGAN", progan.READERS),
    "stylegan1": Family("dnnlib.families.stylegan1.network:StyleGAN1", stylegan1.READERS),
    "stylegan3": Family("dnnlib.families.stylegan3.network:StyleGAN3", stylegan3.READERS),
    "biggan": Family("dnnlib.families.biggan.network:BigGAN", biggan.READERS),
}
READERS = tuple(reader for family in FAMILIES.values() for reader in family.readers)

_DAMAGED = "no network file, or a truncated or damaged one"
_EXPECTED = (
    "Expected a generator of StyleGAN 1, 2 or 3, ProGAN or BigGAN, in one of the files that "
    "docs/formats.md lists: download one from a source you trust"
)
_WEIGHTS = "pytorch_model.bin"  # as HuggingFace names them
GZIP_START = b"\x1f\x8b"
_MOST_SETTINGS = 1 << 20  # bytes of a JSON file
_MODULE_WITHIN = 1 << 20  # bytes of a file in which the names of a module's parts are looked for


def read_network(path: str | Path, ignore_settings: Iterable[str] = ()) -> NetworkRecord:
    """The averaged generator in a network file, whose format is told by its content.

    Settings of the file that its reader does not know are ignored if `ignore_settings` names them,
    and the record's `notes` say so; a name of which there is no unknown setting is an error.

    Raises InputError, naming what was found, if the file is damaged, hostile, of an unknown kind,
    or holds a setting or an array that its reader does not know; OSError if it cannot be read. For
    its memory see safe_pickle.
    """
    ignored = IgnoredSettings(ignore_settings)
    if os.path.isfile(os.path.join(path, saved_model.GRAPH)):
        with safe_pickle.naming(path, _DAMAGED, _EXPECTED):
            memory = safe_pickle.Memory(saved_model.folder_size(path))
            model = saved_model.read_folder(path, memory)
        return _make_record(path, model, memory, ignored)
    path = _weights_of(path)
    with open_file(path) as file:
        memory = safe_pickle.Memory(os.fstat(file.fileno()).st_size)
        with safe_pickle.naming(path, _DAMAGED, _EXPECTED):
            content = _load(file, memory)
        return _make_record(path, content, memory, ignored)


def is_network_folder(path: str | Path) -> bool:
    """Whether this is a folder that a network is saved in."""
    return any(os.path.isfile(os.path.join(path, name)) for name in (saved_model.GRAPH, _WEIGHTS))


def network_files(path: str | Path) -> list[Path]:
    """The files that the network of a path is made of, those that decide its images: one, but of
    folders and of weights with a file of settings beside them."""
    if os.path.isfile(os.path.join(path, saved_model.GRAPH)):
        return [Path(path, name) for name in saved_model.FILES]
    weights = Path(_weights_of(path))
    settings = _settings_beside(weights, SETTINGS_FILE)
    is_pair = weights.name.endswith(_WEIGHTS) and settings.is_file()
    return [weights, settings] if is_pair else [weights]


def _weights_of(path: str | Path) -> str | Path:
    """The file with the weights: of a folder or of a file of settings, that beside it."""
    name = os.path.basename(path)
    if os.path.isdir(path):
        weights = os.path.join(path, _WEIGHTS)
        if not os.path.isfile(weights):
            raise InputError(
                f"{path} is {name_of_folder(path)}; expected a network file, or a folder with "
                f"{_WEIGHTS} or {saved_model.GRAPH} in it"
            )
        return weights
    if name.endswith(SETTINGS_FILE):
        start = name.removesuffix(SETTINGS_FILE)
        return os.path.join(os.path.dirname(path), start + _WEIGHTS)
    return path


def _settings_beside(weights: Path, name: str) -> Path:
    """The file of settings of that name, before which stands what stands before that of weights."""
    is_known = weights.name.endswith(_WEIGHTS)
    return weights.with_name((weights.name.removesuffix(_WEIGHTS) if is_known else "") + name)


def read_settings(path: Path) -> Any:
    """What a JSON file of settings holds; None if it cannot be read."""
    try:
        with open_file(path) as file:
            text = file.read(_MOST_SETTINGS + 1)
        return json.loads(text) if len(text) <= _MOST_SETTINGS else None
    except (OSError, ValueError, RecursionError):
        return None


def _make_record(
    path: str | Path, content: Any, memory: safe_pickle.Memory, ignored: IgnoredSettings
) -> NetworkRecord:
    """The record of the generator in what a file holds."""
    where = f"{path}"
    try:
        found = recognise.find_generator(content, memory, READERS)
        where += ":"  # what follows is said of the generator
        del content  # the other networks go before the weights of this one are copied
        if name := found.reader.settings_file:
            found.generator[name] = read_settings(_settings_beside(Path(path), name))
        with np.errstate(all="ignore"):  # what is not finite is an error, not a warning before it
            record = found.reader.to_record(found.generator, memory, ignored)
        ignored.expect_all_used()
    except InputError as error:
        raise InputError(f"{where} {one_line(error)}", error.option) from None
    except Exception as error:  # fields of the wrong kind
        raise InputError(
            f"{path} is not as its program writes it, or damaged: its networks lack a field or "
            f"hold one of the wrong kind ({type(error).__name__}: {one_line(error, 200)}); "
            "expected another copy, or a network of the original program"
        ) from None
    alpha = (
        "images have 4 channels, taken for RGB and alpha: a mean over the channels is over RGB",
    )
    notes = found.notes + record.notes + ignored.notes + alpha * (record.num_channels == 4)
    return dataclasses.replace(record, notes=notes)


def make_network(record: NetworkRecord, dtype: str) -> Network:
    """The network of a record, on the current device. Imports TensorFlow."""
    module, _, name = FAMILIES[record.family].network.partition(":")
    make: Callable[[NetworkRecord, str], Network] = getattr(importlib.import_module(module), name)
    return make(record, dtype)


def _load(file: BinaryIO, memory: safe_pickle.Memory) -> Any:
    """What is in a file. May raise nearly anything."""
    start = file.read(START_SIZE)
    file.seek(0)
    if start.startswith(GZIP_START):
        try:
            return saved_model.read_tar(file, memory)
        except (tarfile.TarError, EOFError, OSError, zlib.error):
            raise InputError(
                f"is {name_of_foreign(start)}; only that of a TF Hub module is read, whole"
            ) from None
    if name := name_of_foreign(start):
        raise InputError(f"is {name}")
    if start.startswith(NPY_START):
        shape = re.search(rb"'shape': \(([\d, ]*)\)", start)
        shown = f" [{shape[1].decode().rstrip(', ')}]" if shape else ""
        raise InputError(f"holds an array{shown}: directions, latent codes or a Jacobian")
    try:
        if torch_file.is_torch_file(start):
            return torch_file.parse(file, recognise.ALLOWED, memory)
        return safe_pickle.unpickle(file, recognise.ALLOWED, None, memory)
    except safe_pickle.Refusal as refusal:
        file.seek(0)
        pickled = file.read(_MODULE_WITHIN)
        if b"_modules" in pickled and b"_reconstruct_persistent_obj" not in pickled:
            raise InputError(
                f"is a whole PyTorch module: it {refusal}. Save its state_dict instead, with "
                "torch.save(network.state_dict(), FILE)"
            ) from None
        if start.lstrip(b"(").startswith(b"ccopy_reg\n"):  # as every object begins in these
            raise InputError(f"is {name_of_old_pickle(start)}") from None
        raise
    except InputError:
        raise
    except Exception:
        if start.startswith((b"\x80", ZIP_START)):
            raise
        name = name_of_old_pickle(start)
        found = f"is {name}" if name else f"begins with {start[:8]!r}, as no network file does"
        raise InputError(found) from None
