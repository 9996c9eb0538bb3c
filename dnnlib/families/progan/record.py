"""ProGAN as plain data: the settings of all its programs, and the arrays by name.

4/dense/weight, /bias               [z_dim + label_dim, 4 4 C], laid out [4, 4, C]; [C]
{R}/conv0, {R}/conv1                R = 4, 8, ..., resolution; there is no 4/conv0
    /weight, /bias                  [3, 3, in, out], [out]; conv0 is of the image with each
                                    pixel doubled
rgb/weight, rgb/bias                [in, channels], [channels]
"""

from dataclasses import dataclass

from dnnlib.record import DoublingRecord, Layer


@dataclass(frozen=True, kw_only=True)
class ProGANRecord(DoublingRecord):
    """A ProGAN generator as plain data."""

    family = "progan"
    space = "z"

    normalize_latents: bool  # z and the labels, as one vector
    normalizes_z_first: bool = False  # by itself, before

    @property
    def num_layers(self) -> int:
        """z is read once."""
        return 1

    @property
    def layers(self) -> list[Layer]:
        """The first layer, which alone reads z, the convolutions, and to RGB."""
        inputs, channels = self.arrays["4/dense/weight"].shape
        found = [Layer(0, 4, "first layer", inputs, channels // 16)]
        for size in self.resolutions:
            for name, kind in (("conv0", "up-sampling convolution"), ("conv1", "convolution")):
                weight = self.arrays.get(f"{size}/{name}/weight")
                if weight is not None:
                    found.append(Layer(None, size, kind, *weight.shape[2:]))
        return [*found, Layer(None, self.resolution, "to RGB", *self.arrays["rgb/weight"].shape)]

    def facts(self) -> dict[str, str]:
        """What is ProGAN's alone."""
        return {"architecture": "z is read once; no w, no noise, no truncation"}

    def check_settings(self) -> None:
        super().check_settings()
        self.check_resolution()
