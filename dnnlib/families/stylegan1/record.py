"""StyleGAN1 as plain data: the settings of all its programs, and the arrays by name.

w_avg                               [w_dim]
mapping/{i}/weight, /bias           [in, out], [out]
mapping/embed/weight, /bias         where there are labels
const                               [4, 4, C]
{R}/conv0, {R}/conv1                R = 4, 8, ..., resolution; 4/conv0 is that of the constant
    /weight                         [3, 3, in, out]; not in 4/conv0; conv0 is of the image with
                                    each pixel doubled
    /bias, /strength                [out] each; of the noise
    /noise                          [h, w]
    /style_weight, /style_bias      [w_dim, 2 out], [2 out]: the scale, with its +1, then the
                                    shift
rgb/weight, rgb/bias                [in, channels], [channels]
"""

import math
from dataclasses import dataclass

from dnnlib.containers.named_arrays import MAX_DIMENSIONS
from dnnlib.containers.safe_pickle import brief
from dnnlib.errors import InputError
from dnnlib.record import DoublingRecord, Layer


@dataclass(frozen=True, kw_only=True)
class StyleGAN1Record(DoublingRecord):
    """A StyleGAN1 generator as plain data."""

    family = "stylegan1"
    space = "w"

    w_dim: int
    mapping_layers: int
    activation: str  # plain lrelu or plain relu
    mapping_activation: str
    normalize_z: bool
    blur: tuple[float, ...]  # taps of sum 1, after each up-sampling; one is none

    @property
    def layers(self) -> list[Layer]:
        """The constant, the convolutions, and to RGB, which takes no w."""
        channels = self.arrays["const"].shape[2]
        found = [Layer(0, 4, "constant", channels, channels)]
        for size in self.resolutions:
            for name, kind in (("conv0", "up-sampling convolution"), ("conv1", "convolution")):
                weight = self.arrays.get(f"{size}/{name}/weight")
                if weight is not None:
                    found.append(Layer(len(found), size, kind, *weight.shape[2:]))
        return [*found, Layer(None, self.resolution, "to RGB", *self.arrays["rgb/weight"].shape)]

    def facts(self) -> dict[str, str]:
        """What is StyleGAN1's alone."""
        return {
            "architecture": "one RGB output, instance normalization",
            "w": f"{self.w_dim} dimensions; w+ [{self.num_layers}, {self.w_dim}]",
            "mapping": f"{self.mapping_layers} layers",
        }

    def check_settings(self) -> None:
        self.check_choices(
            activation=("plain lrelu", "plain relu"),
            mapping_activation=("plain lrelu", "plain relu"),
        )
        super().check_settings()
        self.check_numbers(w_dim=(1, MAX_DIMENSIONS))
        if not self.blur or len(self.blur) % 2 == 0 or not all(map(math.isfinite, self.blur)):
            raise InputError(
                f"its blur filter is {brief(self.blur)}; expected numbers such as 1, 2, 1"
            )
        self.check_resolution()
