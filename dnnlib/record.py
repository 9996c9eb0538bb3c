"""What every network format is read into: settings and named arrays, nothing else.

The arrays are effective weights: the equalized learning rate, the +1 of a style's bias and the
flips of an up-sampling kernel are already applied, so that the generator computes the same for
every format.

    w_avg                               [w_dim]
    mapping/embed/weight, /bias         [label_dim, embed_dim], [embed_dim]   only if label_dim > 0
    mapping/{i}/weight, /bias           [in, out], [out]
    const                               [4, 4, C]
    {layer}/weight                      [k, k, in, out], for tf.nn.conv2d or tf.nn.conv2d_transpose
    {layer}/bias                        [out]
    {layer}/style_weight, /style_bias   [w_dim, in], [in]
    {layer}/noise                       [h, w], already times its strength; not for rgb

A layer is `{R}/conv0` (up-sampling, not at R = 4), `{R}/conv1`, `{R}/rgb` or `{R}/skip` (its weight
only).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dnnlib.containers.named_arrays import MAX_DIMENSIONS
from dnnlib.containers.safe_pickle import brief
from dnnlib.errors import InputError
from dnnlib.text import one_line

# Well above any network's: a small file must not ask for hours of work, or for all of the memory.
MAX_RESOLUTION = 1 << 12
MAX_LABELS = 1 << 16
MAX_MAPPING_LAYERS = 64
MAX_IMAGE_CHANNELS = 64
MAX_CLAMP = float(np.finfo(np.float32).max)
MAX_TAP = 1e6  # of the filter, over the sum of all: beyond it numbers would overflow


def check_mapping_layers(count: Any) -> None:
    """Raises InputError unless a mapping network may have so many layers."""
    if type(count) is not int or not 0 < count <= MAX_MAPPING_LAYERS:
        raise InputError(
            f"its mapping network has {brief(count)} layers; expected at least one, and at most "
            f"{MAX_MAPPING_LAYERS}"
        )


def check_first_layer(inputs: int, z_dim: int) -> None:
    """Raises InputError if the mapping network of a generator without labels begins with more
    numbers than z has."""
    if inputs > z_dim:
        raise InputError(
            f"its first mapping layer takes {inputs} numbers, z has {z_dim}, and there are no "
            "labels: it was made from a network with labels, without their embedding; expected the "
            "network as it was trained"
        )


class IgnoredSettings:
    """The unknown settings that a user wants left out of account, by name. A reader asks for each
    that it finds."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._used = dict.fromkeys(names, False)

    def covers(self, name: str) -> bool:
        """Whether the setting `name`, which the file has and its reader does not know, is to be
        ignored; notes it."""
        if name not in self._used:
            return False
        self._used[name] = True
        return True

    def expect_covered(self, name: str, value: Any, expected: str) -> None:
        """Raises InputError, saying how to ignore it and what was `expected` instead, for one that
        is not covered."""
        if not self.covers(name):
            raise InputError(
                f"its setting {one_line(name, 100)} = {brief(value)} is not known, so its images "
                f"might come out wrong; {expected}, or ignore it with --ignore_setting "
                f"{one_line(name, 100)}"
            )

    def expect_all_used(self) -> None:
        """Raises InputError, naming it, if a setting was to be ignored that is not there, or is
        known."""
        for name, used in self._used.items():
            if not used:
                raise InputError(
                    f"it has no unknown setting {one_line(name, 100)} that could be ignored; "
                    "expected the name of one that is refused: leave --ignore_setting out"
                )

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each setting that was ignored."""
        return tuple(
            f"the setting {one_line(name, 100)} is ignored, as asked for: images may come out wrong"
            for name, used in self._used.items()
            if used
        )


@dataclass(frozen=True)
class NetworkRecord:
    """A StyleGAN2 generator as plain data."""

    z_dim: int
    w_dim: int
    label_dim: int
    resolution: int
    num_channels: int
    architecture: Literal["skip", "orig", "resnet"]
    activation: Literal["lrelu", "relu", "linear"]
    mapping_activation: Literal["lrelu", "relu", "linear"]
    normalize_z: bool
    label_normalization: Literal[
        "joint", "separate"
    ]  # [z, embedding] normalized together, or each by itself
    resample_kernel: tuple[float, ...]
    conv_clamp: float | None
    arrays: dict[str, np.ndarray]
    format: str = field(default="", compare=False)  # what kind of file it came from, for people
    notes: tuple[str, ...] = field(
        default=(), compare=False
    )  # of what its reader took for granted: lines for people

    def check_settings(self) -> None:
        """Raises InputError, naming it, if a setting is not one that the generator knows."""
        choices = {
            "architecture": ("skip", "orig", "resnet"),
            "activation": ("lrelu", "relu", "linear"),
            "mapping_activation": ("lrelu", "relu", "linear"),
        }
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise InputError(
                    f"its {name} is {brief(value)}; expected one of {', '.join(known)}"
                )
        for name, least in (
            ("z_dim", 1),
            ("w_dim", 1),
            ("label_dim", 0),
            ("resolution", 1),
            ("num_channels", 1),
        ):
            if type(value := getattr(self, name)) is not int or value < least:
                raise InputError(
                    f"its {name} is {brief(value)}; expected a whole number, {least} or more"
                )
        for name, most in (
            ("z_dim", MAX_DIMENSIONS),
            ("w_dim", MAX_DIMENSIONS),
            ("label_dim", MAX_LABELS),
            ("num_channels", MAX_IMAGE_CHANNELS),
        ):
            if getattr(self, name) > most:
                raise InputError(
                    f"its {name} is {brief(getattr(self, name))}; expected {most} at most"
                )
        if self.conv_clamp is not None and not 0 < self.conv_clamp <= MAX_CLAMP:
            raise InputError(
                f"its conv_clamp is {self.conv_clamp}; expected a positive number, "
                f"{MAX_CLAMP:.2g} at most, or None"
            )
        total = abs(sum(self.resample_kernel))
        if (
            len(self.resample_kernel) < 2
            or not 0 < total < math.inf
            or max(map(abs, self.resample_kernel)) > MAX_TAP * total
        ):
            raise InputError(
                f"its resample_kernel is {brief(self.resample_kernel)}; expected numbers, such as "
                "1, 3, 3, 1"
            )
        size = self.resolution
        if size < 8 or size & (size - 1) or size > MAX_RESOLUTION:
            raise InputError(
                f"its resolution is {size}; expected a power of two, 8 or more (and "
                f"{MAX_RESOLUTION} at most)"
            )

    @property
    def num_colors(self) -> int:
        """How many of the image's channels are colours: the fourth of four is taken for alpha."""
        return 3 if self.num_channels == 4 else self.num_channels

    @property
    def num_layers(self) -> int:
        """Number of w vectors that the synthesis network takes."""
        return 2 * (self.resolution.bit_length() - 1) - 2

    @property
    def mapping_layers(self) -> int:
        """Number of dense layers from z to w."""
        return sum(f"mapping/{i}/weight" in self.arrays for i in range(len(self.arrays)))

    @property
    def resolutions(self) -> list[int]:
        """4, 8, ..., resolution."""
        return [2**r for r in range(2, self.resolution.bit_length())]
