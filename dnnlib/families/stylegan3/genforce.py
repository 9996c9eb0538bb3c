"""StyleGAN3 of Hammer: see families/genforce.py.

    synthesis.early_layer               weight [C, C], frequency [C, 2] (x, y), phase [C], transform
                                        [3, 3], affine.weight [4, w_dim] and .bias; grid, which
                                        follows from the rest
    synthesis.layer{i}                  the last to RGB: conv.weight [out, in, k, k],
                                        conv.style.weight [in, w_dim] and .bias, filter.bias [out],
                                        magnitude_ema [], filter.up_filter [taps],
                                        filter.down_filter [taps] or [taps, taps]; the last has none

Dense weights are times 1 / sqrt(in). How a layer resamples is not stored, and computed from the
settings as appendix F of Karras et al. 2021 says; without settings, from their defaults. What that
gives must fit the filters and the image's size.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnlib.containers.safe_pickle import Memory
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
from dnnlib.families.stylegan3.record import MOST_LAYERS, StyleGAN3Record, gain_of
from dnnlib.families.stylegan3.schedule import Schedule, ScheduleSettings
from dnnlib.record import IgnoredSettings

MARKS = ("synthesis.early_layer.frequency",)
_FIXED = FIXED | {"mapping_wscale_gain": (1,), "wscale_gain": (1,)}
_HARMLESS = [
    *(set(HARMLESS) - {"resolution"}),
    *("kernel_size", "use_radial_filter", "magnitude_ema_beta", "fp16_res", "num_fp16_res"),
]


@dataclass(frozen=True)
class Settings(MappingSettings, ScheduleSettings):
    """Settings that change the result, with the program's defaults."""

    conv_clamp: float | None = 256.0
    output_scale: float = 0.25


def to_record(
    generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings
) -> StyleGAN3Record:
    """The record of a generator. Raises InputError for a setting or an array that this reader does
    not know, or that is lacking, and if the settings do not fit the arrays."""
    file = Checkpoint(generator, memory)
    settings = settle(Settings, file.settings, ignored, ADVICE, _HARMLESS, _FIXED)
    layers = file.count("synthesis.layer{}.conv.weight")
    if not 2 <= layers == settings.num_layers + 1 <= MOST_LAYERS:
        raise InputError(
            f"has {layers} layers, and its setting num_layers is {settings.num_layers}; expected "
            f"one less than there are: {ADVICE}"
        )
    schedule = Schedule(settings, _kernel_sizes(file, layers))
    z_dim, label_dim = file.sizes_of_mapping()
    normalizes, _ = settings.normalization(label_dim)
    if not normalizes or settings.normalize_embedding_latent:
        raise InputError(f"does not normalize z by itself; {ADVICE}")
    record = StyleGAN3Record(
        z_dim=z_dim,
        w_dim=file.source.sizes("synthesis.early_layer.affine.weight", 2)[1],
        label_dim=label_dim,
        resolution=schedule.resolution,
        num_channels=file.source.sizes(f"synthesis.layer{layers - 1}.conv.weight", 4)[0],
        mapping_layers=file.count("mapping.dense{}.weight"),
        input_size=(schedule.sizes[0], schedule.sizes[0]),
        input_rate=schedule.rates[0],
        input_bandwidth=schedule.cutoffs[0],
        output_scale=settings.output_scale,
        filterings=schedule.filterings(settings.conv_clamp),
        arrays={},
        format="genforce checkpoint of StyleGAN3 (Hammer)",
    )
    record.check_settings()
    file.take_mapping(record.arrays, settings, record.w_dim)
    _read_synthesis(file, record, schedule)
    file.source.expect_none_left()
    record.check_sizes()
    return record


def _kernel_sizes(file: Checkpoint, layers: int) -> list[int]:
    return [file.source.sizes(f"synthesis.layer{i}.conv.weight", 4)[2] for i in range(layers)]


def _read_synthesis(file: Checkpoint, record: StyleGAN3Record, schedule: Schedule) -> None:
    source, arrays, w_dim = file.source, record.arrays, record.w_dim
    (channels,) = source.sizes("synthesis.early_layer.phase", 1)
    file.take_rows(
        "synthesis.early_layer.",
        "input",
        arrays,
        Row("weight", "weight", (channels, channels), change=np.transpose),
        Row("frequencies", "frequency", (channels, 2)),
        Row("phases", "phase", (channels,)),
        Row("transform", "transform", (3, 3)),
        dense("style_weight", "affine.weight", 4, w_dim),
        Row("style_bias", "affine.bias", (4,)),
    )
    source.skip("synthesis.early_layer.grid")
    for i, filtering in enumerate(record.filterings):
        name, layer = f"synthesis.layer{i}.", str(i)
        size = source.sizes(f"{name}conv.weight", 4)[2]
        scale = 1 / math.sqrt(channels) if filtering.is_to_rgb else 1.0  # of its style, so of it
        file.take_rows(
            f"{name}conv.",
            layer,
            arrays,
            kernel(None, channels, size, scale),
            dense("style_weight", "style.weight", channels, w_dim),
            Row("style_bias", "style.bias", (channels,)),
        )
        channels = arrays[f"{layer}/weight"].shape[3]
        arrays[f"{layer}/bias"] = source.take(f"{name}filter.bias", (channels,))
        stored = f"{name}magnitude_ema"
        arrays[f"{layer}/gain"] = gain_of(stored, float(source.take(stored, ())))
        for part, taps in zip(("up", "down"), schedule.taps[i], strict=True):
            if taps > 1:
                stored = f"{name}filter.{part}_filter"
                is_square = part == "down" and len(source.shape(stored) or ()) == 2
                shape = (taps, taps) if is_square else (taps,)
                arrays[f"{layer}/{part}_filter"] = source.take(stored, shape)
