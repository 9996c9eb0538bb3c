"""ProGAN of genforce's programs, old and Hammer's: see families/genforce.py.

k counts layers, b blocks of 4 2^b pixels; scaled: times sqrt(2) / sqrt(fan_in).

    lod                             must be 0
    layer{k}.weight, .bias          [out, in, 3, 3], [out]: scaled. k = 0: [C, z_dim + label_dim, 4,
                                    4], a convolution of one pixel with 3 zeros around, so flipped
                                    in both axes; then 2b (up-sampling), 2b + 1. A fused layer is
                                    [in, out, 3, 3], flipped in both axes
    output{b}.weight, .bias         [channels, in, 1, 1], [channels]: times 1 / sqrt(in); of them
                                    the last is used

The program normalizes before each convolution, and the latents, which is the same as after each
activation; with labels it normalizes z by itself before.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import MOST_ARRAYS
from dnnlib.containers.safe_pickle import Memory
from dnnlib.families.genforce import ADVICE, HARMLESS, Checkpoint, kernel
from dnnlib.families.layout import Row, flip
from dnnlib.families.progan.record import ProGANRecord
from dnnlib.families.settings import settle
from dnnlib.families.tensorflow import expect_full_resolution
from dnnlib.record import IgnoredSettings

MARKS = ("output0.weight",)
_GAIN = math.sqrt(2)
_FIXED: dict[str, tuple] = {
    "init_res": (4,),
    "final_tanh": (False,),
    "pixel_norm": (True,),
    "use_wscale": (True,),
    "wscale_gain": (_GAIN, np.float32(_GAIN)),
    "eps": (1e-8,),
    "normalize_z": (True,),
}


@dataclass(frozen=True)
class Settings:
    """Settings that change the result, with the program's defaults."""

    label_dim: int = 0
    fused_scale: bool = False


def to_record(generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings) -> ProGANRecord:
    """The record of a generator. Raises InputError for a setting or an array that this reader does
    not know, or that is lacking."""
    file = Checkpoint(generator, memory)
    harmless = set(HARMLESS) - {"label_dim"}
    settings = settle(Settings, file.settings, ignored, ADVICE, harmless, _FIXED)
    layers = file.count("layer{}.weight")
    stages = min(layers // 2, MOST_ARRAYS.bit_length())
    inputs = file.source.sizes("layer0.weight", 4)[1]
    record = ProGANRecord(
        z_dim=inputs - settings.label_dim,
        label_dim=settings.label_dim,
        resolution=2 << stages,
        num_channels=file.source.sizes(f"output{stages - 1}.weight", 4)[0],
        normalize_latents=True,
        normalizes_z_first=settings.label_dim > 0,
        arrays={},
        format="genforce checkpoint of ProGAN",
    )
    record.check_settings()
    _read_layers(file, record, settings.fused_scale)
    file.source.expect_none_left()
    return record


def _read_layers(file: Checkpoint, record: ProGANRecord, is_fused: bool) -> None:
    arrays = record.arrays
    expect_full_resolution(file.source, "lod")
    inputs = record.z_dim + record.label_dim
    shape = None, inputs, 4, 4
    row = Row("weight", "weight", shape, _GAIN / math.sqrt(16 * inputs), _as_dense)
    file.take_rows("layer0.", "4/dense", arrays, row)
    channels = arrays["4/dense/weight"].shape[1] // 16
    file.take_rows("layer0.", "4/dense", arrays, Row("bias", "bias", (channels,)))
    for b, size in enumerate(record.resolutions):
        for part in (0, 1) if b else (1,):
            name, layer = f"layer{2 * b + part}.", f"{size}/conv{part}"
            scale = _GAIN / math.sqrt(9 * channels)
            if is_fused and not part:
                stored = channels, None, 3, 3
                row = Row("weight", "weight", stored, scale, _of_transposed)
            else:
                row = kernel(None, channels, 3, scale)
            file.take_rows(name, layer, arrays, row)
            channels = arrays[f"{layer}/weight"].shape[3]
            file.take_rows(name, layer, arrays, Row("bias", "bias", (channels,)))
    last = len(record.resolutions) - 1
    file.take_last_output("", last, arrays, (record.num_channels, channels))


def _as_dense(weight: np.ndarray) -> np.ndarray:
    """[C, in, 4, 4] of a convolution of one pixel -> [in, 4 4 C]."""
    flipped = weight[:, :, ::-1, ::-1].transpose(1, 2, 3, 0)
    return flipped.reshape(len(flipped), -1)


def _of_transposed(weight: np.ndarray) -> np.ndarray:
    """[in, out, 3, 3] of a transposed convolution -> [3, 3, in, out]."""
    return flip(weight.transpose(2, 3, 0, 1))
