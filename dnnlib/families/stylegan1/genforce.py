"""StyleGAN1 of genforce's programs, old and Hammer's: see families/genforce.py.

k counts layers, b blocks of 4 2^b pixels; scaled: times gain / sqrt(fan_in), with a gain of sqrt(2)
in the mapping and in 3x3 convolutions, else 1.

    synthesis.lod                       must be 0
    synthesis.layer0.const              [1, C, 4, 4]
    synthesis.layer{k}                  k = 0 the constant, 1 at 4 x 4, then 2b (up-sampling) and
                                        2b + 1
        .weight                         [out, in, 3, 3]: scaled; not of layer 0; of a fused layer
                                        flipped in both axes
        .bias                           [out]
        .apply_noise.weight, .noise     [out], [1, 1, h, w]; Hammer's: .noise_strength
                                        [1, out, 1, 1] and .noise
        .style.weight, .style.bias      [2 out, w_dim], [2 out]: scaled; the first half is a scale
                                        less 1, the second a shift
        .blur.kernel, .filter           constants: outer([1, 2, 1]), of sum 1
    synthesis.output{b}.weight, .bias   [channels, in, 1, 1], [channels]: scaled; the last is used

Old files are fused where the output has 128 pixels or more; Hammer's say so by fused_scale.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import MOST_ARRAYS
from dnnlib.containers.safe_pickle import Memory
from dnnlib.families.genforce import ADVICE, FIXED, HARMLESS, Checkpoint, dense, kernel
from dnnlib.families.layout import Row
from dnnlib.families.settings import settle
from dnnlib.families.stylegan1.record import StyleGAN1Record
from dnnlib.families.stylegan1.tensorflow import FUSED_FROM, add_one_to_scales
from dnnlib.families.tensorflow import expect_full_resolution
from dnnlib.record import IgnoredSettings

MARKS = ("synthesis.layer0.const",)
_TAPS = (1.0, 2.0, 1.0)
_FIXED = FIXED | {
    "filter_kernel": (_TAPS,),
    "normalize_embedding": (False,),
    "normalize_embedding_latent": (True,),
}


@dataclass(frozen=True)
class Settings:
    """Settings that change the result, with the program's defaults."""

    mapping_lr_mul: float = 0.01
    mapping_wscale_gain: float = math.sqrt(2)
    wscale_gain: float = math.sqrt(2)
    normalize_z: bool = True
    fused_scale: str | bool = "auto"
    fused_scale_res: int = FUSED_FROM

    def is_fused(self, size: int) -> bool:
        """Whether an up-sampling convolution to `size` pixels is stored as a transposed one."""
        return (
            size >= self.fused_scale_res if self.fused_scale == "auto" else bool(self.fused_scale)
        )


def to_record(
    generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings
) -> StyleGAN1Record:
    """The record of a generator. Raises InputError for a setting or an array that this reader does
    not know, or that is lacking."""
    file = Checkpoint(generator, memory)
    settings = settle(Settings, file.settings, ignored, ADVICE, HARMLESS, _FIXED)
    z_dim, label_dim = file.sizes_of_mapping()
    layers = file.count("synthesis.layer{}.bias")
    stages = min(layers // 2, MOST_ARRAYS.bit_length())
    last = f"synthesis.output{stages - 1}"
    record = StyleGAN1Record(
        z_dim=z_dim,
        w_dim=file.source.sizes("synthesis.layer0.style.weight", 2)[1],
        label_dim=label_dim,
        resolution=2 << stages,
        num_channels=file.source.sizes(f"{last}.weight", 4)[0],
        mapping_layers=file.count("mapping.dense{}.weight"),
        activation="plain lrelu",
        mapping_activation="plain lrelu",
        normalize_z=settings.normalize_z or bool(label_dim),
        blur=tuple(tap / sum(_TAPS) for tap in _TAPS),
        arrays={},
        format="genforce checkpoint of StyleGAN1" + (" (Hammer)" if file.is_hammer else ""),
    )
    record.check_settings()
    file.take_w_avg(record.arrays, record.w_dim)
    file.take_embedding(record.arrays)
    gain = settings.mapping_wscale_gain
    file.take_dense_layers(record.arrays, settings.mapping_lr_mul, gain, record.w_dim)
    _read_synthesis(file, record, settings)
    file.source.expect_none_left()
    return record


def _read_synthesis(file: Checkpoint, record: StyleGAN1Record, settings: Settings) -> None:
    source, arrays = file.source, record.arrays
    expect_full_resolution(source, "synthesis.lod")
    const = source.take("synthesis.layer0.const", (1, None, 4, 4))[0]
    arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
    inputs = len(const)
    for b, size in enumerate(record.resolutions):
        for part in (0, 1):
            name, layer = f"synthesis.layer{2 * b + part}.", f"{size}/conv{part}"
            if b or part:
                flips = not part and settings.is_fused(size)
                scale = settings.wscale_gain / math.sqrt(9 * inputs)
                file.take_rows(name, layer, arrays, kernel(None, inputs, 3, scale, flips))
                inputs = arrays[f"{layer}/weight"].shape[3]
            _read_rest(file, record, name, layer, inputs)
    last = len(record.resolutions) - 1
    file.take_last_output("synthesis.", last, arrays, (record.num_channels, inputs))


def _read_rest(
    file: Checkpoint, record: StyleGAN1Record, name: str, layer: str, outputs: int
) -> None:
    """Bias, noise and style of a layer."""
    size = int(layer.split("/")[0])
    if f"{name}noise_strength" in file.source:
        noise, strength = (
            "noise",
            Row("strength", "noise_strength", (1, outputs, 1, 1), change=np.ravel),
        )
    else:
        noise, strength = "apply_noise.noise", Row("strength", "apply_noise.weight", (outputs,))
    file.take_rows(
        name,
        layer,
        record.arrays,
        strength,
        Row("bias", "bias", (outputs,)),
        Row("noise", noise, (1, 1, size, size), change=lambda noise: noise[0, 0]),
        dense("style_weight", "style.weight", 2 * outputs, record.w_dim),
        Row("style_bias", "style.bias", (2 * outputs,), change=add_one_to_scales),
    )
    for each in ("blur.kernel", "filter"):
        file.expect_filter(f"{name}{each}", _TAPS, 1)
