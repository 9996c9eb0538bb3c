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

from dnnlib.containers.named_arrays import MOST_TAPS
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.errors import InputError
from dnnlib.families.genforce import (
    ADVICE,
    FIXED,
    HARMLESS,
    Checkpoint,
    dense,
    kernel,
    label_normalization,
)
from dnnlib.families.layout import Row
from dnnlib.families.settings import settle
from dnnlib.families.stylegan3.record import MOST_LAYERS, Filtering, StyleGAN3Record
from dnnlib.record import MAX_RESOLUTION, IgnoredSettings

MARKS = ("synthesis.early_layer.frequency",)
_FIXED = FIXED | {"mapping_wscale_gain": (1,), "wscale_gain": (1,)}
_HARMLESS = [
    *(set(HARMLESS) - {"resolution"}),
    *("kernel_size", "use_radial_filter", "magnitude_ema_beta", "fp16_res", "num_fp16_res"),
]


@dataclass(frozen=True)
class Settings:
    """Settings that change the result, with the program's defaults."""

    resolution: int | None = None
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: int = 10
    filter_size: int = 6
    act_upsampling: int = 2
    conv_clamp: float | None = 256.0
    output_scale: float = 0.25
    mapping_lr_mul: float = 0.01
    embedding_bias: bool = True
    embedding_use_wscale: bool = True
    normalize_z: bool = True
    normalize_embedding: bool = True
    normalize_embedding_latent: bool = False


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
    schedule = _Schedule(settings, _kernel_sizes(file, layers))
    z_dim, label_dim = file.sizes_of_mapping()
    normalizes, _ = label_normalization(
        settings.normalize_z,
        settings.normalize_embedding,
        settings.normalize_embedding_latent,
        label_dim,
    )
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
        filterings=schedule.filterings,
        arrays={},
        format="genforce checkpoint of StyleGAN3 (Hammer)",
    )
    record.check_settings()
    file.take_w_avg(record.arrays, record.w_dim)
    file.take_embedding(record.arrays, settings.embedding_bias, settings.embedding_use_wscale)
    file.take_dense_layers(record.arrays, settings.mapping_lr_mul, 1.0, record.w_dim)
    _read_synthesis(file, record, schedule)
    file.source.expect_none_left()
    record.check_sizes()
    return record


def _kernel_sizes(file: Checkpoint, layers: int) -> list[int]:
    return [file.source.sizes(f"synthesis.layer{i}.conv.weight", 4)[2] for i in range(layers)]


class _Schedule:
    """How each layer resamples (appendix F): i counts them, the last to RGB."""

    def __init__(self, settings: Settings, kernels: list[int]) -> None:
        """Raises InputError if a setting is out of range."""
        resolution = self.resolution = settings.resolution or 1024
        numbers = (settings.first_cutoff, settings.first_stopband, settings.last_stopband_rel)
        counts = (settings.margin_size, settings.filter_size, settings.act_upsampling)
        last = len(kernels) - 1
        if (
            not 8 <= resolution <= MAX_RESOLUTION
            or not all(0 < number < math.inf for number in numbers)
            or not all(0 < count <= MOST_TAPS for count in counts)
            or not 0 <= settings.num_critical < last
        ):
            raise InputError(f"its settings of the layers are {brief(settings)}; {ADVICE}")
        exponents = np.minimum(np.arange(last + 1) / (last - settings.num_critical), 1)
        start, stop = settings.first_cutoff, resolution / 2
        self.cutoffs = (start * (stop / start) ** exponents).tolist()
        start, stop = settings.first_stopband, stop * settings.last_stopband_rel
        stopbands = start * (stop / start) ** exponents
        rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, resolution))))
        self.rates = rates.astype(int).tolist()
        self.sizes = [rate + 2 * settings.margin_size for rate in self.rates]
        self.sizes[-2:] = [resolution, resolution]
        self.taps: list[tuple[int, int]] = []
        filterings = [self._filtering(i, settings, kernel) for i, kernel in enumerate(kernels)]
        self.filterings = tuple(filterings)

    def _filtering(self, i: int, settings: Settings, kernel: int) -> Filtering:
        before, is_last = max(i - 1, 0), i == len(self.rates) - 1
        upsampling = 1 if is_last else settings.act_upsampling
        middle = upsampling * max(self.rates[before], self.rates[i])
        up, down = middle // self.rates[before], middle // self.rates[i]
        taps_up, taps_down = (
            settings.filter_size * factor if factor > 1 and not is_last else 1
            for factor in (up, down)
        )
        total = (self.sizes[i] - 1) * down + 1 - (self.sizes[before] + kernel - 1) * up
        total += taps_up + taps_down - 2
        low = (total + up) // 2
        self.taps.append((taps_up, taps_down))
        clamp = None if settings.conv_clamp is None else float(settings.conv_clamp)
        return Filtering(up, down, (low, total - low, low, total - low), clamp, is_last)


def _read_synthesis(file: Checkpoint, record: StyleGAN3Record, schedule: _Schedule) -> None:
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
        magnitude = float(source.take(f"{name}magnitude_ema", ()))
        if not magnitude > 0:
            raise InputError(f"its {name}magnitude_ema is {magnitude:g}; expected it above 0")
        arrays[f"{layer}/gain"] = np.asarray(1 / math.sqrt(magnitude), np.float32)
        for part, taps in zip(("up", "down"), schedule.taps[i], strict=True):
            if taps > 1:
                stored = f"{name}filter.{part}_filter"
                is_square = part == "down" and len(source.shape(stored) or ()) == 2
                shape = (taps, taps) if is_square else (taps,)
                arrays[f"{layer}/{part}_filter"] = source.take(stored, shape)
