"""ProGAN's TensorFlow pickles: a tuple (G, D, Gs) of networks, of which Gs is read.

Networks are as containers/tensorflow_network.py says, of the class tfutil.Network (of ProGAN's own
repository) or dnnlib.tflib.network.Network (of StyleGAN's), without components, with the function
G_paper. Every array is either used, known to be harmless, or an error that names it. R stands for
8, 16, ..., resolution; scaled: times sqrt(2) / sqrt(fan_in).

    lod                             ignored; must be 0
    4x4/Dense/weight, bias          [z_dim + label_dim, C 4 4], laid out [C, 4, 4], [C]: scaled,
                                    and divided by 4
    4x4/Conv, {R}x{R}/Conv1, {R}x{R}/Conv0 or Conv0_up (fused_scale)
        /weight, /bias              [3, 3, in, out], [out]: scaled. Conv0_up is flipped in both
                                    axes, and [3, 3, out, in] in a tfutil.Network: the class of the
                                    network alone tells
    ToRGB_lod{k}/weight, bias       [1, 1, in, channels]: times 1 / sqrt(in); at resolution / 2^k,
                                    of which k = 0 is used
"""

import math
from dataclasses import dataclass

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.containers.tensorflow_network import OldNetwork, TensorFlowNetwork
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, flip, read_rows
from dnnlib.families.progan.record import ProGANRecord
from dnnlib.families.settings import settle
from dnnlib.families.tensorflow import (
    channels_at,
    collect_settings,
    expect_full_resolution,
    read_last_output,
    skip_lower_outputs,
    variables_of,
)
from dnnlib.record import IgnoredSettings

ADVICE = "expected a ProGAN generator as its program saves it"
_GAIN = math.sqrt(2)
_FIXED: dict[str, tuple] = {
    "use_wscale": (True,),
    "use_pixelnorm": (True,),
    "use_leakyrelu": (True,),
    "pixelnorm_epsilon": (1e-8,),
    "dtype": ("float32",),
}
_HARMLESS = ("structure", "mbstd_group_size", "is_template_graph")


@dataclass(frozen=True)
class Settings:
    """Settings that change the result, with the program's defaults."""

    num_channels: int = 1
    resolution: int = 32
    label_size: int = 0
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    latent_size: int | None = None
    normalize_latents: bool = True
    fused_scale: bool = True

    def channels(self, resolution: int) -> int:
        """Of the layers at a resolution."""
        return channels_at(resolution, self.fmap_base, self.fmap_decay, self.fmap_max)


def to_record(
    generator: TensorFlowNetwork, memory: Memory, ignored: IgnoredSettings
) -> ProGANRecord:
    """The record of Gs.

    Raises InputError for a setting, unless it is `ignored`, or an array that this reader does not
    know; for fields of the wrong kind it may raise nearly anything.
    """
    main = generator.state
    if (function := main["build_func_name"]) != "G_paper":
        raise InputError(f"its generator function is {brief(function)}; {ADVICE}")
    given = collect_settings([main], [*Settings.__dataclass_fields__, *_FIXED])
    settings = settle(Settings, given, ignored, ADVICE, _HARMLESS, _FIXED)
    z_dim = settings.latent_size
    record = ProGANRecord(
        z_dim=min(settings.fmap_base, settings.fmap_max) if z_dim is None else z_dim,
        label_dim=settings.label_size,
        resolution=settings.resolution,
        num_channels=settings.num_channels,
        normalize_latents=settings.normalize_latents,
        arrays={},
        format="ProGAN TensorFlow pickle",
    )
    record.check_settings()
    source = variables_of({"": main}, memory, skips_lod=False)
    expect_full_resolution(source, "lod")
    _read_layers(source, record, settings, isinstance(generator, OldNetwork))
    source.expect_none_left()
    return record


def _read_layers(
    source: NamedArrays, record: ProGANRecord, settings: Settings, is_old: bool
) -> None:
    def read(name: str, layer: str, *rows: Row) -> None:
        read_rows(rows, source, f"{name}/", record.arrays, layer)

    def read_convolution(name: str, layer: str, inputs: int, outputs: int) -> None:
        shape, scale = (3, 3, inputs, outputs), _GAIN / math.sqrt(9 * inputs)
        bias = Row("bias", "bias", (outputs,))
        if not name.endswith("Conv0_up"):
            read(name, layer, Row("weight", "weight", shape, scale), bias)
        elif is_old:
            stored = 3, 3, outputs, inputs
            read(name, layer, Row("weight", "weight", stored, scale, _flip_and_turn), bias)
        else:
            read(name, layer, Row("weight", "weight", shape, scale, flip), bias)

    inputs, channels = record.z_dim + record.label_dim, settings.channels(4)
    shape, scale = (inputs, 16 * channels), _GAIN / 4 / math.sqrt(inputs)
    dense = Row("weight", "weight", shape, scale, _channels_last)
    read("4x4/Dense", "4/dense", dense, Row("bias", "bias", (channels,)))
    read_convolution("4x4/Conv", "4/conv1", channels, channels)
    for size in record.resolutions[1:]:
        inputs, channels = channels, settings.channels(size)
        first = "Conv0_up" if settings.fused_scale else "Conv0"
        read_convolution(f"{size}x{size}/{first}", f"{size}/conv0", inputs, channels)
        read_convolution(f"{size}x{size}/Conv1", f"{size}/conv1", channels, channels)
    rgb = channels, record.num_channels
    read_last_output(source, "", record.arrays, rgb, 1 / math.sqrt(channels))
    skip_lower_outputs(source, "", record.resolution, ("weight", "bias"))


def _channels_last(weight: np.ndarray) -> np.ndarray:
    """[in, C 4 4] -> [in, 4 4 C]."""
    return weight.reshape(len(weight), -1, 16).swapaxes(1, 2).reshape(weight.shape)


def _flip_and_turn(weight: np.ndarray) -> np.ndarray:
    return flip(weight).swapaxes(2, 3)
