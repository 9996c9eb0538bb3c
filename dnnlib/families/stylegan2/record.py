"""StyleGAN2 as plain data: the settings of all its programs, and the arrays by name.

    w_avg                               [w_dim]
    mapping/embed/weight, /bias         [label_dim, embed_dim], [embed_dim]   only if label_dim > 0
    mapping/{i}/weight, /bias           [in, out], [out]
    const                               [h, w, C], 4 x 4 where images are square
    {layer}/weight                      [k, k, in, out], for tf.nn.conv2d or tf.nn.conv2d_transpose
    {layer}/bias                        [out]
    {layer}/style_weight, /style_bias   [w_dim, in], [in]
    {layer}/noise                       [h, w], already times its strength; not for rgb

A layer is `{R}/conv0` (up-sampling, not at R = 4), `{R}/conv1`, `{R}/rgb` or `{R}/skip` (its weight
only), where R is 4 at the size of the constant, 8 at twice that size, and so on. They take the w of
these indices, at R = 2^r: conv0 2r - 5, conv1 2r - 4, rgb 2r - 3.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dnnlib.containers.named_arrays import MAX_DIMENSIONS
from dnnlib.containers.safe_pickle import brief
from dnnlib.errors import InputError
from dnnlib.record import MAX_RESOLUTION, DoublingRecord, Layer

MAX_CLAMP = float(np.finfo(np.float32).max)
MAX_START = 16  # rows and columns of the constant
MAX_TAP = 1e6  # of the filter, over the sum of all: beyond it numbers would overflow

_ACTIVATIONS = ("lrelu", "relu", "linear")
_ARCHITECTURES = {
    "skip": "the RGB outputs of all resolutions, summed",
    "orig": "one RGB output",
    "resnet": "residual blocks, one RGB output",
}
_KINDS = {  # of layers, in the order of the data flow
    "conv0": "up-sampling convolution",
    "conv1": "convolution",
    "skip": "residual",
    "rgb": "to RGB",
}


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Record(DoublingRecord):
    """A StyleGAN2 generator as plain data."""

    family = "stylegan2"
    space = "w"

    w_dim: int
    architecture: str  # skip, orig or resnet
    activation: str  # lrelu, relu or linear
    mapping_activation: str
    normalize_z: bool
    # [z, embedding of labels] normalized together, or each by itself.
    label_normalization: Literal["joint", "separate"]
    resample_kernel: tuple[float, ...]
    conv_clamp: float | None
    start: tuple[int, int] = (4, 4)  # rows and columns of the constant
    w_avg_is_estimated: bool = False  # the file has none

    @property
    def size(self) -> tuple[int, int]:
        return self.size_at(self.resolution)

    def size_at(self, resolution: int) -> tuple[int, int]:
        """Rows and columns of the layers of a resolution, which is 4 in those of the constant."""
        height, width = self.start
        return resolution * height // 4, resolution * width // 4

    @property
    def num_layers(self) -> int:
        """Number of w vectors that the synthesis network takes."""
        return 2 * (self.resolution.bit_length() - 1) - 2

    @property
    def mapping_layers(self) -> int:
        """Number of dense layers from z to w."""
        return sum(f"mapping/{i}/weight" in self.arrays for i in range(len(self.arrays)))

    @property
    def layers(self) -> list[Layer]:
        """The convolutions; to RGB shares its w with the first one of the next resolution."""
        found, code = [], 0
        for size in self.resolutions:
            for name, kind in _KINDS.items():
                weight = self.arrays.get(f"{size}/{name}/weight")
                if weight is not None:
                    inputs, outputs = weight.shape[2:]
                    index = None if name == "skip" else code
                    height, width = self.size_at(size)
                    found.append(Layer(index, height, kind, inputs, outputs, width))
                    code += name in ("conv0", "conv1")
        return found

    def facts(self) -> dict[str, str]:
        """What is StyleGAN2's alone."""
        widths = dict.fromkeys(
            self.arrays[f"mapping/{i}/weight"].shape[1] for i in range(self.mapping_layers)
        )
        return {
            "architecture": f"{self.architecture} ({_ARCHITECTURES[self.architecture]}), "
            f"{self.activation}",
            "w": f"{self.w_dim} dimensions; w+ [{self.num_layers}, {self.w_dim}]",
            "mapping": f"{self.mapping_layers} layers of {', '.join(map(str, widths))}",
            "clamp": "none" if self.conv_clamp is None else f"{self.conv_clamp:g}",
            "w_avg": "the mean of 4096 random w, as the file has none"
            if self.w_avg_is_estimated
            else "in the file",
        }

    def check_settings(self) -> None:
        self.check_choices(
            architecture=tuple(_ARCHITECTURES),
            activation=_ACTIVATIONS,
            mapping_activation=_ACTIVATIONS,
        )
        super().check_settings()
        self.check_numbers(w_dim=(1, MAX_DIMENSIONS))
        if self.conv_clamp is not None and not 0 < self.conv_clamp <= MAX_CLAMP:
            raise InputError(
                f"its conv_clamp is {self.conv_clamp}; expected a positive number, "
                f"{MAX_CLAMP:.2g} at most, or None"
            )
        taps, total = self.resample_kernel, abs(sum(self.resample_kernel))
        if len(taps) < 2 or not 0 < total < math.inf or max(map(abs, taps)) > MAX_TAP * total:
            raise InputError(
                f"its resample_kernel is {brief(taps)}; expected numbers, such as 1, 3, 3, 1"
            )
        self.check_resolution()
        height, width = self.size
        if max(self.size) > MAX_RESOLUTION:
            raise InputError(
                f"makes images of {height} x {width}; expected {MAX_RESOLUTION} at most"
            )
