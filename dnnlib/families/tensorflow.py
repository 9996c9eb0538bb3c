"""What the readers of TensorFlow's pickles share: settings and arrays of a network and its
components."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, read_rows
from dnnlib.families.settings import expect_plain


def variables_of(
    networks: dict[str, dict[str, Any]], memory: Memory, skips_lod: bool = True
) -> NamedArrays:
    """The arrays of all networks, by their names behind those of the networks, but `lod`."""
    variables = NamedArrays(
        (
            (prefix + name, values)
            for prefix, network in networks.items()
            for name, values in network["variables"]
        ),
        memory,
    )
    if skips_lod:
        variables.skip("lod")
    for prefix in networks:
        if variables.shape(f"{prefix}epochs") == ():  # a count of a fork
            variables.skip(f"{prefix}epochs")
    return variables


def equalized_scale(shape: tuple[int, ...], lrmul: float = 1.0) -> float:
    """What a stored weight is multiplied with: lrmul / sqrt(fan_in), fan_in all dimensions but the
    last."""
    return lrmul / math.sqrt(math.prod(shape[:-1]))


def expect_full_resolution(variables: NamedArrays, name: str) -> None:
    """Raises InputError unless the level of detail, array `name`, is 0 or not there."""
    if name in variables and (lod := float(variables.take(name, ()))) != 0:
        raise InputError(
            f"its lod is {lod:g}; expected 0, a network trained to its full resolution"
        )


def collect_settings(networks: Iterable[Mapping], known: Iterable[str]) -> dict[str, Any]:
    """The settings that are in the file; raises InputError if its networks disagree on one that is
    known."""
    known, given = set(known), dict[str, Any]()
    for network in networks:  # each repeats the settings that it was built with
        for name, value in network["static_kwargs"].items():
            if name in known:
                expect_plain(name, value)
                if given.get(name, value) != value:
                    raise InputError(
                        f"its networks disagree on the setting {name}: {brief(given[name])} and "
                        f"{brief(value)}; expected a file as its program wrote it"
                    )
            given.setdefault(name, value)
    return given


def channels_at(resolution: int, base: int, decay: float, most: int) -> int:
    """Of the layers at 2^r pixels: base / 2^((r - 1) decay), as a whole number, `most` at most."""
    stage = resolution.bit_length() - 2
    return min(int(base / 2.0 ** (stage * decay)), most)


def skip_lower_outputs(
    variables: NamedArrays, prefix: str, resolution: int, parts: Iterable[str]
) -> None:
    """The outputs at resolution / 2^k for k > 0, which are off at lod 0."""
    parts = tuple(parts)
    for lod in range(1, resolution.bit_length()):
        for part in parts:
            variables.skip(f"{prefix}ToRGB_lod{lod}/{part}")


def read_last_output(
    variables: NamedArrays,
    prefix: str,
    arrays: dict[str, np.ndarray],
    shape: tuple[int, int],
    scale: float,
) -> None:
    """ToRGB_lod0, a convolution [1, 1, in, channels] of this shape [in, channels] and its bias, as
    rgb."""
    rows = (
        Row("weight", "weight", (1, 1, *shape), scale, lambda weight: weight[0, 0]),
        Row("bias", "bias", shape[1:]),
    )
    read_rows(rows, variables, f"{prefix}ToRGB_lod0/", arrays, "rgb")
