"""What every network format is read into: settings and named arrays, nothing else.

Each family has a record of its own, a dataclass in its record.py that adds its settings to those
below and says what its arrays are named. The arrays are effective weights: what a program applies
to a stored weight before it uses it (an equalized learning rate, the +1 of a style's bias, the flip
of a kernel) is already applied, so that a network computes the same for every format.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, NamedTuple

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
                f"might come out wrong; {expected}, or ignore it with `ignore_setting` "
                f"{one_line(name, 100)}"
            )

    def expect_all_used(self) -> None:
        """Raises InputError, naming it, if a setting was to be ignored that is not there, or is
        known."""
        for name, used in self._used.items():
            if not used:
                raise InputError(
                    f"it has no unknown setting {one_line(name, 100)} that could be ignored; "
                    "expected the name of one that is refused: leave it out",
                    option="ignore_setting",
                )

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each setting that was ignored."""
        return tuple(
            f"the setting {one_line(name, 100)} is ignored, as asked for: images may come out wrong"
            for name, used in self._used.items()
            if used
        )


class Layer(NamedTuple):
    """A layer of a generator, in the order of the data flow."""

    code: int | None  # the index of its code, as an edit's layers count; None: it takes none
    size: int  # rows of its output, in pixels
    kind: str
    inputs: int  # channels
    outputs: int
    width: int | None = None  # columns; None: as many


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkRecord:
    """A generator of any family as plain data."""

    family: ClassVar[str]  # its name in FAMILIES
    space: ClassVar[Literal["w", "z"]]  # where directions live

    z_dim: int
    label_dim: int
    resolution: int  # height of the images
    num_channels: int
    arrays: dict[str, np.ndarray]
    # What kind of file it came from, and what its reader took for granted: lines for people.
    format: str = dataclasses.field(default="", compare=False)
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @property
    def layers(self) -> list[Layer]:
        """All layers that make the image, in the order of the data flow."""
        raise NotImplementedError

    @property
    def num_layers(self) -> int:
        """How many vectors a code has: one for each layer that an edit may choose."""
        return 1 + max(layer.code for layer in self.layers if layer.code is not None)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.resolution, self.resolution

    @property
    def num_colors(self) -> int:
        """How many of the image's channels are colours: the fourth of four is taken for alpha."""
        return 3 if self.num_channels == 4 else self.num_channels

    def at_truncation(self, psi: float) -> "NetworkRecord":
        """The network with the statistics of truncation psi, where a family has such: itself."""
        return self

    def moved(self, degrees: float, shift: tuple[float, float]) -> "NetworkRecord":
        """The network that draws its picture turned anticlockwise, then shifted to the right and
        down by so many of its widths. Raises InputError where a family cannot do that."""
        raise InputError(
            f"a {self.family} network cannot turn or shift its picture; expected a stylegan3 one: "
            "leave it out",
            option="rotate" if degrees else "translate",
        )

    def facts(self) -> dict[str, str]:
        """What people may want to know of it besides its layers: short texts by what they are
        about."""
        raise NotImplementedError

    def check_settings(self) -> None:
        """Raises InputError, naming it, if a setting is not one that the generator knows."""
        self.check_numbers(label_dim=(0, MAX_LABELS))
        self.check_numbers(z_dim=(1, MAX_DIMENSIONS), num_channels=(1, MAX_IMAGE_CHANNELS))

    def check_numbers(self, **limits: tuple[int, int]) -> None:
        """Raises InputError unless each of these settings is a whole number from the least to the
        most."""
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InputError(
                    f"its {name} is {brief(value)}; expected a whole number, {least} or more"
                )
            if value > most:
                raise InputError(f"its {name} is {brief(value)}; expected {most} at most")

    def check_choices(self, **choices: Iterable[str]) -> None:
        """Raises InputError unless each of these settings is one of its choices."""
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise InputError(
                    f"its {name} is {brief(value)}; expected one of {', '.join(known)}"
                )


class DoublingRecord(NetworkRecord):
    """A generator whose layers have 4, 8, ..., resolution rows."""

    @property
    def resolutions(self) -> list[int]:
        """4, 8, ..., resolution."""
        return [2**r for r in range(2, self.resolution.bit_length())]

    def check_resolution(self) -> None:
        """Raises InputError unless the resolution is one that doubling leads to."""
        size = self.resolution
        if type(size) is not int or size < 8 or size & (size - 1) or size > MAX_RESOLUTION:
            raise InputError(
                f"its resolution is {brief(size)}; expected a power of two, 8 or more (and "
                f"{MAX_RESOLUTION} at most)"
            )
