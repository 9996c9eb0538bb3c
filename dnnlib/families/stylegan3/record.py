"""StyleGAN3 as plain data: the settings of all its programs, and the arrays by name.

    w_avg                               [w_dim], or [label_dim, w_dim]: a mean for each class
    mapping/{i}/weight, /bias           [in, out], [out]
    mapping/embed/weight, /bias         where there are labels
    input/weight                        [C, C]: features to channels
    input/frequencies, /phases          [C, 2] (x, y), [C]
    input/style_weight, /style_bias     [w_dim, 4], [4]: the transform, cos sin x y
    input/transform                     [3, 3], the user's
    {i}/weight, /bias                   [k, k, in, out], [out]; the last layer is to RGB
    {i}/style_weight, /style_bias       [w_dim, in], [in]
    {i}/gain                            []: 1 / sqrt(magnitude_ema)
    {i}/up_filter, /down_filter         [taps], or square; lacking: none

Filters are as the program stores them: it convolves with them, it does not correlate.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnnlib.errors import InputError
from dnnlib.record import MAX_RESOLUTION, Layer, NetworkRecord

MOST_LAYERS = 64
MOST_FACTOR = 8


class Filtering(NamedTuple):
    """How a layer resamples around its nonlinearity."""

    up: int
    down: int
    padding: tuple[int, int, int, int]  # left, right, top, bottom; cropped where negative
    clamp: float | None
    is_to_rgb: bool


def gain_of(name: str, magnitude: float) -> np.ndarray:
    """[], of the array `name`, magnitude_ema. Raises InputError if it is not above 0."""
    if not magnitude > 0:
        raise InputError(f"its {name} is {magnitude:g}; expected it above 0")
    return np.asarray(1 / math.sqrt(magnitude), np.float32)


@dataclass(frozen=True, kw_only=True)
class StyleGAN3Record(NetworkRecord):
    """A StyleGAN3 generator as plain data."""

    family = "stylegan3"
    space = "w"

    w_dim: int
    mapping_layers: int
    input_size: tuple[int, int]  # height, width
    input_rate: float  # samples for each unit of length
    input_bandwidth: float
    output_scale: float
    filterings: tuple[Filtering, ...]  # of each layer
    is_half_as_wide: bool = False  # as high, in place of square

    @property
    def size(self) -> tuple[int, int]:
        return self.resolution, self.resolution // (1 + self.is_half_as_wide)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width after each layer."""
        size, found = self.input_size, []
        for i, filtering in enumerate(self.filterings):
            border = self.arrays[f"{i}/weight"].shape[0] - 1
            left, right, top, bottom = filtering.padding
            height = self._resampled(i, size[0] + border, top + bottom)
            size = height, self._resampled(i, size[1] + border, left + right)
            found.append(size)
        return found

    def _resampled(self, i: int, size: int, padding: int) -> int:
        """The size of an axis after the filters of layer i."""
        up, down = (
            0 if (taps := self.arrays.get(f"{i}/{name}_filter")) is None else len(taps) - 1
            for name in ("up", "down")
        )
        filtering = self.filterings[i]
        return -(-(size * filtering.up + padding - up - down) // filtering.down)

    @property
    def layers(self) -> list[Layer]:
        """The input, and the layers up to RGB."""
        channels = self.arrays["input/weight"].shape[1]
        height, width = self.input_size
        found = [Layer(0, height, "input", 4, channels, width)]
        for i, ((height, width), filtering) in enumerate(
            zip(self.sizes, self.filterings, strict=True)
        ):
            inputs, outputs = self.arrays[f"{i}/weight"].shape[2:]
            kind = "to RGB" if filtering.is_to_rgb else "convolution"
            found.append(Layer(i + 1, height, kind, inputs, outputs, width))
        return found

    def facts(self) -> dict[str, str]:
        """What is StyleGAN3's alone."""
        kernel = self.arrays["0/weight"].shape[0]
        clamp = self.filterings[0].clamp
        turned = not np.array_equal(self.arrays["input/transform"], np.eye(3))
        return {
            "architecture": "R, which turns with its input" if kernel == 1 else "T",
            "w": f"{self.w_dim} dimensions; w+ [{self.num_layers}, {self.w_dim}]",
            "mapping": f"{self.mapping_layers} layers",
            "clamp": "none" if clamp is None else f"{clamp:g}",
            "transform": "in the file, not the identity" if turned else "none",
        }

    def moved(self, degrees: float, shift: tuple[float, float]) -> "StyleGAN3Record":
        """Its transform in place of that of the file."""
        angle = math.radians(degrees)
        cosine, sine = math.cos(angle), math.sin(angle)
        forward = np.array([[cosine, sine, shift[0]], [-sine, cosine, shift[1]], [0, 0, 1]])
        arrays = self.arrays | {"input/transform": np.linalg.inv(forward).astype(np.float32)}
        return dataclasses.replace(self, arrays=arrays)

    def check_settings(self) -> None:
        super().check_settings()
        self.check_numbers(w_dim=(1, 1 << 13))
        if not 2 <= len(self.filterings) <= MOST_LAYERS:
            raise InputError(
                f"has {len(self.filterings)} layers; expected 2 at least, and {MOST_LAYERS} at most"
            )
        for filtering in self.filterings:
            factors = filtering.up, filtering.down
            if not all(type(n) is int and 1 <= n <= MOST_FACTOR for n in factors):
                raise InputError(
                    f"resamples by {factors}; expected whole numbers from 1 to {MOST_FACTOR}"
                )
            if not all(type(n) is int and abs(n) <= MAX_RESOLUTION for n in filtering.padding):
                raise InputError(f"pads by {filtering.padding}; expected whole numbers of pixels")
        numbers = (self.input_rate, self.input_bandwidth, self.output_scale)
        if not all(0 < number < math.inf for number in numbers):
            raise InputError(
                f"its rate, bandwidth and scale are {numbers}; expected numbers above 0"
            )
        if self.input_bandwidth >= self.input_rate / 2:
            raise InputError(
                f"its bandwidth is {self.input_bandwidth:g}; expected less than half its rate"
            )

    def check_sizes(self) -> None:
        """Raises InputError unless the layers lead from the input to an image of the resolution."""
        sizes = [self.input_size, *self.sizes]
        if any(not 0 < size <= 2 * MAX_RESOLUTION for pair in sizes for size in pair):
            raise InputError(f"its layers have sizes {sizes[:40]}; expected pixels in each")
        if sizes[-1] != self.size:
            (height, width), (expected_height, expected_width) = sizes[-1], self.size
            raise InputError(
                f"its layers make images of {width} x {height}; expected {expected_width} x "
                f"{expected_height}, as its settings say"
            )
