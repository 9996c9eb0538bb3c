"""StyleGAN2 of genforce's programs, old and Hammer's: see families/genforce.py.

k counts layers, b blocks of 4 2^b pixels; scaled: times 1 / sqrt(fan_in).

    synthesis.early_layer.const         [1, C, 4, 4]
    synthesis.layer{k}                  k = 0 at 4 x 4, then 2b - 1 (up-sampling), 2b
        .weight                         [out, in, 3, 3]: scaled (Hammer's: as it is, as it is
                                        demodulated). Up-sampling: old as TensorFlow stores it,
                                        flipped in both axes against Hammer's
        .bias, .noise, .noise_strength  [out], [1, 1, h, w], []
        .style.weight, .style.bias      [in, w_dim], [in]: scaled; the +1 is in Hammer's bias only
    synthesis.output{b}                 to RGB, the same with [channels, in, 1, 1]: scaled; no noise
    synthesis.residual{b}.weight        [out, in, 1, 1], of resnet, Hammer's: scaled
    .filter, .filter.kernel             constants: outer([1, 3, 3, 1]), of sum 1 or 4

The architecture is skip with output0, resnet with residual1, else orig, called origin.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dnnlib.containers.named_arrays import MOST_ARRAYS
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.errors import InputError
from dnnlib.families.genforce import (
    ADVICE,
    FIXED,
    HARMLESS,
    Checkpoint,
    MappingSettings,
    dense,
    kernel,
)
from dnnlib.families.layout import Row
from dnnlib.families.settings import settle
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.record import IgnoredSettings

MARKS = ("synthesis.early_layer.const",)
_TAPS = (1.0, 3.0, 3.0, 1.0)
_FIXED = FIXED | {
    "filter_kernel": (_TAPS,),
    "mapping_wscale_gain": (1,),
    "wscale_gain": (1,),
}
_HARMLESS = [*HARMLESS, "fused_modulate", "num_fp16_res", "fp16_res"]
_NAMES = {"skip": "skip", "origin": "orig", "resnet": "resnet"}


@dataclass(frozen=True)
class Settings(MappingSettings):
    """Settings that change the result, with the program's defaults."""

    architecture: str | None = None  # told by the arrays
    conv_clamp: float | None = None


def to_record(
    generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings
) -> StyleGAN2Record:
    """The record of a generator. Raises InputError for a setting or an array that this reader does
    not know, or that is lacking."""
    file = Checkpoint(generator, memory)
    settings = settle(Settings, file.settings, ignored, ADVICE, _HARMLESS, _FIXED)
    z_dim, label_dim = file.sizes_of_mapping()
    normalizes, together = settings.normalization(label_dim)
    if not file.is_hammer:
        normalizes, together = True, _old_normalization(file)
    architecture = _architecture(file, settings)
    layers = file.count("synthesis.layer{}.weight")
    last = file.source.sizes(f"synthesis.output{layers // 2}.weight", 4)
    record = StyleGAN2Record(
        z_dim=z_dim,
        w_dim=file.source.sizes("synthesis.layer0.style.weight", 2)[1],
        label_dim=label_dim,
        resolution=4 << min(layers // 2, MOST_ARRAYS.bit_length()),
        num_channels=last[0],
        architecture=architecture,
        activation="lrelu",
        mapping_activation="lrelu",
        normalize_z=normalizes,
        label_normalization=together,
        resample_kernel=_TAPS,
        conv_clamp=None if settings.conv_clamp is None else float(settings.conv_clamp),
        arrays={},
        format="genforce checkpoint of StyleGAN2" + (" (Hammer)" if file.is_hammer else ""),
    )
    record.check_settings()
    file.take_mapping(record.arrays, settings, record.w_dim)
    _read_synthesis(file, record)
    file.source.expect_none_left()
    return record


def _old_normalization(file: Checkpoint) -> Literal["joint", "separate"]:
    return "separate" if "mapping.LabelEmbed.weight" in file.source else "joint"


def _architecture(file: Checkpoint, settings: Settings) -> str:
    """Raises InputError if the arrays are those of another one than the settings say."""
    found = (
        "resnet"
        if "synthesis.residual1.weight" in file.source
        else "skip"
        if "synthesis.output0.weight" in file.source
        else "orig"
    )
    if settings.architecture is not None and _NAMES.get(settings.architecture) != found:
        raise InputError(
            f"its architecture is {brief(settings.architecture)}, but its arrays are those of "
            f"{found}; {ADVICE}"
        )
    return found


def _read_synthesis(file: Checkpoint, record: StyleGAN2Record) -> None:
    arrays, is_hammer = record.arrays, file.is_hammer
    const = file.source.take("synthesis.early_layer.const", (1, None, 4, 4))[0]
    arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
    for name, total in (("synthesis.filter", 1), ("synthesis.upsample.kernel", 4)):
        file.expect_filter(name, _TAPS, total)
    inputs = len(const)
    for b, size in enumerate(record.resolutions):
        block_inputs = inputs
        if b:
            if record.architecture == "resnet":
                outputs = file.source.sizes(f"synthesis.residual{b}.weight", 4)[0]
                name, scale = f"synthesis.residual{b}.", 1 / math.sqrt(block_inputs)
                row = kernel(outputs, block_inputs, 1, scale)
                file.take_rows(name, f"{size}/skip", arrays, row)
                file.expect_filter(f"{name}filter", _TAPS, 1)
            inputs = _read_convolution(file, record, 2 * b - 1, f"{size}/conv0", inputs)
        inputs = _read_convolution(file, record, 2 * b, f"{size}/conv1", inputs)
        if record.architecture == "skip" or size == record.resolution:
            name, outputs = f"synthesis.output{b}.", record.num_channels
            row = kernel(outputs, inputs, 1, 1 / math.sqrt(inputs))
            rows = (row, *_style_rows(inputs, record.w_dim, is_hammer))
            file.take_rows(name, f"{size}/rgb", arrays, *rows, Row("bias", "bias", (outputs,)))


def _read_convolution(
    file: Checkpoint, record: StyleGAN2Record, k: int, layer: str, inputs: int
) -> int:
    """A layer with noise; gives the number of its output channels."""
    arrays, name, size = record.arrays, f"synthesis.layer{k}.", int(layer.split("/")[0])
    up_samples = layer.endswith("conv0")
    scale = 1.0 if file.is_hammer else 1 / math.sqrt(9 * inputs)
    row = kernel(None, inputs, 3, scale, flips=up_samples and not file.is_hammer)
    rows = (row, *_style_rows(inputs, record.w_dim, file.is_hammer))
    file.take_rows(name, layer, arrays, *rows)
    outputs = arrays[f"{layer}/weight"].shape[3]
    file.take_rows(name, layer, arrays, Row("bias", "bias", (outputs,)))
    strength = float(file.source.take(f"{name}noise_strength", ()))
    noise = file.source.take(f"{name}noise", (1, 1, size, size), strength)
    arrays[f"{layer}/noise"] = noise[0, 0]
    file.expect_filter(f"{name}filter", _TAPS, 1)
    file.expect_filter(f"{name}filter.kernel", _TAPS, 4)
    return outputs


def _style_rows(inputs: int, w_dim: int, has_one: bool) -> tuple[Row, Row]:
    def add_one(bias: np.ndarray) -> np.ndarray:
        return bias if has_one else bias + 1

    return (
        dense("style_weight", "style.weight", inputs, w_dim),
        Row("style_bias", "style.bias", (inputs,), change=add_one),
    )
