"""StyleGAN1's TensorFlow pickles: a tuple (G, D, Gs) of networks, of which Gs is read.

Networks are as containers/tensorflow_network.py says, with the functions G_style, G_mapping and
G_synthesis. Every array is either used, known to be harmless, or an error that names it. R stands
for 4, 8, ..., resolution, and 2^r for R; scaled: times gain / sqrt(fan_in).

    dlatent_avg                          [w_dim]
    lod, synthesis/lod                   ignored; must be 0
    mapping/Dense{i}/weight, bias        [in, out], [out]: scaled with a gain of sqrt(2), then all
                                         times mapping_lrmul
    mapping/LabelConcat/weight           [label_dim, z_dim], as it is; z and the embedding are
                                         normalized together
    synthesis/noise{k}                   [1, 1, h, w]: k is 0 in 4x4/Const, 1 in 4x4/Conv, 2r - 4 in
                                         Conv0_up, 2r - 3 in Conv1
    synthesis/4x4/Const/const            [1, C, 4, 4]
    synthesis/4x4/Const, 4x4/Conv, {R}x{R}/Conv0_up, Conv1
        /weight                          [3, 3, in, out]: scaled with a gain of sqrt(2); not in
                                         Const; of a fused Conv0_up flipped in both axes
        /bias                            [out]
        /Noise/weight                    [out]
        /StyleMod/weight, /bias          [w_dim, 2 out], [2 out]: scaled with a gain of 1; the first
                                         half is a scale less 1, the second a shift
    synthesis/ToRGB_lod{k}/weight, bias  [1, 1, in, channels]: scaled with a gain of 1; at
                                         resolution / 2^k, of which k = 0 is used
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.containers.tensorflow_network import TensorFlowNetwork
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, flip, read_rows
from dnnlib.families.settings import settle
from dnnlib.families.stylegan1.record import StyleGAN1Record
from dnnlib.families.tensorflow import (
    channels_at,
    collect_settings,
    expect_full_resolution,
    read_last_output,
    skip_lower_outputs,
    variables_of,
)
from dnnlib.record import IgnoredSettings, check_mapping_layers

ADVICE = "expected a StyleGAN generator as its program saves it"
FUSED_FROM = 128  # pixels, where fused_scale is auto
_GAIN = math.sqrt(2)
_FIXED: dict[str, tuple] = {
    "use_styles": (True,),
    "const_input_layer": (True,),
    "use_noise": (True,),
    "use_instance_norm": (True,),
    "use_pixel_norm": (False,),
    "dtype": ("float32",),
}
_HARMLESS = [
    "truncation_psi",
    "truncation_cutoff",
    "dlatent_avg_beta",
    "style_mixing_prob",
    "randomize_noise",
    "structure",
    "dlatent_broadcast",
    "is_training",
    "is_validation",
    "is_template_graph",
    "mapping_func",
    "synthesis_func",
]


@dataclass(frozen=True)
class Settings:
    """Settings that change the result, with the program's defaults."""

    latent_size: int = 512
    label_size: int = 0
    dlatent_size: int = 512
    mapping_layers: int = 8
    mapping_fmaps: int = 512
    mapping_lrmul: float = 0.01
    mapping_nonlinearity: str = "lrelu"
    normalize_latents: bool = True
    use_wscale: bool = True
    num_channels: int = 3
    resolution: int = 1024
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    nonlinearity: str = "lrelu"
    fused_scale: str | bool = "auto"
    blur_filter: tuple[float, ...] | None = (1, 2, 1)

    def channels(self, resolution: int) -> int:
        """Of the layers at a resolution."""
        return channels_at(resolution, self.fmap_base, self.fmap_decay, self.fmap_max)

    def is_fused(self, resolution: int) -> bool:
        """Whether the up-sampling convolution there is stored as a transposed one."""
        return resolution >= FUSED_FROM if self.fused_scale == "auto" else bool(self.fused_scale)


def blur_taps(taps: Any) -> tuple[float, ...]:
    """Those of the blur, of sum 1. Raises InputError if they are no numbers."""
    taps = (1,) if taps is None else taps
    is_filter = isinstance(taps, (list, tuple)) and all(isinstance(t, (int, float)) for t in taps)
    if not is_filter or not 0 < abs(sum(taps)) < math.inf:
        raise InputError(f"its blur filter is {brief(taps)}; expected numbers such as 1, 2, 1")
    return tuple(tap / sum(taps) for tap in taps)


def to_record(
    generator: TensorFlowNetwork, memory: Memory, ignored: IgnoredSettings
) -> StyleGAN1Record:
    """The record of Gs.

    Raises InputError for a setting, unless it is `ignored`, or an array that this reader does not
    know; for fields of the wrong kind it may raise nearly anything.
    """
    main = generator.state
    mapping, synthesis = (main["components"][name].state for name in ("mapping", "synthesis"))
    functions = [network["build_func_name"] for network in (main, mapping, synthesis)]
    if functions != ["G_style", "G_mapping", "G_synthesis"]:
        raise InputError(f"its functions are {brief(functions)}; {ADVICE}")
    names = [*Settings.__dataclass_fields__, *_FIXED]
    given = collect_settings((main, mapping, synthesis), names)
    settings = settle(Settings, given, ignored, ADVICE, _HARMLESS, _FIXED)
    record = StyleGAN1Record(
        z_dim=settings.latent_size,
        w_dim=settings.dlatent_size,
        label_dim=settings.label_size,
        resolution=settings.resolution,
        num_channels=settings.num_channels,
        mapping_layers=settings.mapping_layers,
        activation=f"plain {settings.nonlinearity}",
        mapping_activation=f"plain {settings.mapping_nonlinearity}",
        normalize_z=settings.normalize_latents,
        blur=blur_taps(settings.blur_filter),
        arrays={},
        format="StyleGAN TensorFlow pickle",
    )
    record.check_settings()
    networks = {"": main, "mapping/": mapping, "synthesis/": synthesis}
    reader = _LayerReader(variables_of(networks, memory), record, settings)
    reader.read_mapping()
    reader.read_synthesis()
    reader.source.expect_none_left()
    return record


class _LayerReader:
    """Reads the layers of a file into a record."""

    def __init__(self, source: NamedArrays, record: StyleGAN1Record, settings: Settings) -> None:
        self.source, self.record, self.settings = source, record, settings
        self.arrays = record.arrays

    def scale(self, shape: tuple[int, ...], gain: float) -> float:
        """What a stored weight is multiplied with."""
        return gain / math.sqrt(math.prod(shape[:-1])) if self.settings.use_wscale else 1.0

    def read_mapping(self) -> None:
        settings, record = self.settings, self.record
        self.arrays["w_avg"] = self.source.take("dlatent_avg", (record.w_dim,))
        inputs = record.z_dim
        if record.label_dim:
            rows = [Row("weight", "weight", (record.label_dim, record.z_dim))]
            read_rows(rows, self.source, "mapping/LabelConcat/", self.arrays, "mapping/embed")
            self.arrays["mapping/embed/bias"] = np.zeros(record.z_dim, np.float32)
            inputs += record.z_dim
        check_mapping_layers(settings.mapping_layers)
        for i in range(settings.mapping_layers):
            is_last = i == settings.mapping_layers - 1
            shape = inputs, record.w_dim if is_last else settings.mapping_fmaps
            rows = [
                Row("weight", "weight", shape, self.scale(shape, _GAIN) * settings.mapping_lrmul),
                Row("bias", "bias", shape[1:], settings.mapping_lrmul),
            ]
            read_rows(rows, self.source, f"mapping/Dense{i}/", self.arrays, f"mapping/{i}")
            inputs = shape[1]

    def read_synthesis(self) -> None:
        record, channels = self.record, self.settings.channels
        expect_full_resolution(self.source, "synthesis/lod")
        const = self.source.take("synthesis/4x4/Const/const", (1, channels(4), 4, 4))[0]
        self.arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
        self._read_layer("4x4/Const", "4/conv0", None, channels(4), 0)
        self._read_layer("4x4/Conv", "4/conv1", channels(4), channels(4), 1)
        for stage, size in enumerate(record.resolutions[1:], 1):
            name, inputs, outputs = f"{size}x{size}", channels(size // 2), channels(size)
            self._read_layer(f"{name}/Conv0_up", f"{size}/conv0", inputs, outputs, 2 * stage)
            self._read_layer(f"{name}/Conv1", f"{size}/conv1", outputs, outputs, 2 * stage + 1)
        shape = channels(record.resolution), record.num_channels
        read_last_output(self.source, "synthesis/", self.arrays, shape, self.scale(shape, 1))
        skip_lower_outputs(self.source, "synthesis/", record.resolution, ("weight", "bias"))

    def _read_layer(
        self, name: str, layer: str, inputs: int | None, outputs: int, index: int
    ) -> None:
        size, w_dim = int(layer.split("/")[0]), self.record.w_dim
        rows = [
            Row("bias", "bias", (outputs,)),
            Row("strength", "Noise/weight", (outputs,)),
            Row(
                "style_weight",
                "StyleMod/weight",
                (w_dim, 2 * outputs),
                self.scale((w_dim, 2 * outputs), 1),
            ),
            Row("style_bias", "StyleMod/bias", (2 * outputs,), change=add_one_to_scales),
        ]
        if inputs is not None:
            shape = 3, 3, inputs, outputs
            flips = layer.endswith("conv0") and self.settings.is_fused(size)
            change = flip if flips else np.asarray
            rows.append(Row("weight", "weight", shape, self.scale(shape, _GAIN), change))
        read_rows(rows, self.source, f"synthesis/{name}/", self.arrays, layer)
        noise = self.source.take(f"synthesis/noise{index}", (1, 1, size, size))
        self.arrays[f"{layer}/noise"] = noise[0, 0]


def add_one_to_scales(bias: np.ndarray) -> np.ndarray:
    """Of a style's bias [2 C]: the first half are scales."""
    return bias + (np.arange(len(bias)) < len(bias) // 2)
