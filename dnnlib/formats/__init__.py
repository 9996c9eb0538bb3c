"""Readers of network files, one file a format; NumPy only. All give a NetworkRecord."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..reading import open_file
from ..text import one_line
from . import pytorch_pickle, rosinality, safe_pickle, tensorflow_pickle, torch_file
from .record import IgnoredSettings, NetworkRecord


def read_network(path: str | Path, ignore_settings: Iterable[str] = ()) -> NetworkRecord:
    """The averaged generator in a network file, whose format is told by its content.

    Settings of the file that its reader does not know are ignored if `ignore_settings` names them, and the record's
    `notes` say so; a name of which there is no unknown setting is an error.

    Raises InputError, naming what was found, if the file is damaged, hostile, of an unknown kind, or holds a setting
    or an array that its reader does not know; OSError if it cannot be read. For its memory see safe_pickle.
    """
    ignored = IgnoredSettings(ignore_settings)
    with open_file(path) as file:
        memory = safe_pickle.Memory(os.fstat(file.fileno()).st_size)
        start = file.read(16)
        file.seek(0)
        if torch_file.is_torch_file(start):
            reader = rosinality
            content = torch_file.load(file, path, rosinality.ALLOWED, memory)
        else:
            content = safe_pickle.load(file, path, safe_pickle.ALLOWED | pytorch_pickle.ALLOWED, memory)
            reader = pytorch_pickle if isinstance(content, dict) else tensorflow_pickle
    try:
        generator = reader.averaged_generator(content)
        del content  # the other networks go before the weights of this one are copied
        with np.errstate(all="ignore"):  # what is not finite is an error, not a warning before it
            record = reader.to_record(generator, memory, ignored)
        ignored.expect_all_used()
        return dataclasses.replace(record, notes=record.notes + ignored.notes)
    except InputError as error:
        raise InputError(f"{path}: {one_line(error)}") from None
    except Exception as error:  # fields of the wrong kind
        raise InputError(f"{path} is damaged: its networks lack a field or hold one of the wrong kind "
                           f"({type(error).__name__}: {one_line(error, 200)}); download it again") from None
