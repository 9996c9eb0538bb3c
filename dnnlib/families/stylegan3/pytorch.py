"""Generators of StyleGAN3's repository, configurations T and R: pickled, by themselves or as G_ema
in a dict.

Modules are as families/modules.py says. Every module, setting and array of the generator is either
used, known to be harmless, or an error that names it.

    mapping               w_avg [w_dim], fc{i}, and embed where there are labels; z and the
                          embedding are normalized each. StyleGAN-XL's: embed.weight [classes, E], a
                          table, embed_proj to z_dim, with the activation of fc{i}, and w_avg
                          [classes, w_dim], or [w_dim]
    synthesis.input       weight [C, C], freqs [C, 2] (x, y), phases [C], transform [3, 3], affine
                          (to 4 numbers); settings size (array width, height), sampling_rate,
                          bandwidth
    synthesis.{name}      of layer_names, in their order, the last to RGB: weight [out, in, k, k],
                          bias [out], affine, magnitude_ema [], up_filter [taps], down_filter [taps]
                          or [taps, taps], None where there is none; settings up_factor,
                          down_factor, padding [left, right, top, bottom], conv_clamp

Cutoffs and rates of a layer only designed its filters, which are stored, so they are not asked for;
sizes follow from the filters, and must be what the settings say.
"""

import math
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import MOST_TAPS, NamedArrays
from dnnlib.containers.safe_pickle import Array, Memory, brief
from dnnlib.containers.torch_modules import Module
from dnnlib.errors import InputError
from dnnlib.families.modules import ModuleReader, ModuleTree, expect_same, number, whole
from dnnlib.families.stylegan3.record import MOST_LAYERS, Filtering, StyleGAN3Record, gain_of
from dnnlib.record import IgnoredSettings

_CLASSES = ("Generator", "SuperresGenerator")
_ADVICE = "expected a StyleGAN3 generator, T or R, of its program: use one"
SETTINGS = {
    "Generator": "z_dim c_dim w_dim img_resolution img_channels num_ws",
    # StyleGAN-XL's of its higher resolutions; the network is the same.
    "SuperresGenerator": "z_dim c_dim w_dim img_resolution img_channels num_ws path_stem up_factor "
    "head_layer_names",
    "Embedding": "num_embeddings embedding_dim padding_idx max_norm norm_type scale_grad_by_freq "
    "sparse",
    "MappingNetwork": "z_dim c_dim w_dim num_ws num_layers w_avg_beta embed",
    "SynthesisNetwork": "w_dim num_ws img_resolution img_channels num_layers num_critical "
    "margin_size output_scale num_fp16_res layer_names channel_base channel_max first_cutoff "
    "first_stopband last_stopband_rel conv_kernel use_radial_filters sampling_rates",
    "SynthesisInput": "w_dim channels size sampling_rate bandwidth",
    "SynthesisLayer": "w_dim is_torgb is_critically_sampled use_fp16 in_channels out_channels "
    "in_size out_size in_sampling_rate out_sampling_rate tmp_sampling_rate in_cutoff out_cutoff "
    "in_half_width out_half_width conv_kernel conv_clamp magnitude_ema_beta up_factor up_taps "
    "down_factor down_taps down_radial padding filter_size use_radial_filters lrelu_upsampling",
    "FullyConnectedLayer": "in_features out_features activation weight_gain bias_gain",
}
# StyleGAN-Human's, in each class: whether images are square, or half as wide as high.
SETTINGS = {name: f"{known} square" for name, known in SETTINGS.items()}


def to_record(generator: Module, memory: Memory, ignored: IgnoredSettings) -> StyleGAN3Record:
    """The record of a generator.

    Raises InputError for a module, a setting or an array that this reader does not know; for fields
    of the wrong kind it may raise nearly anything.
    """
    modules = ModuleTree(generator, ignored, "StyleGAN3", SETTINGS, _ADVICE)
    main = modules.take("", _CLASSES)
    mapping = modules.take("mapping", "MappingNetwork")
    synthesis = modules.take("synthesis", "SynthesisNetwork")
    features = modules.take("synthesis.input", "SynthesisInput")
    expect_same(main, mapping, ("z_dim", "c_dim", "w_dim", "num_ws"))
    expect_same(main, synthesis, ("w_dim", "img_resolution", "img_channels", "num_ws"))
    names = _layer_names(synthesis["layer_names"])
    record = _record_of(modules, names, main, mapping, synthesis, features)
    record.check_settings()
    reader = _LayerReader(modules, NamedArrays(modules.tensors.items(), memory), record)
    if modules.has("mapping.embed_proj"):
        reader.read_class_embedding()
        reader.read_dense_layers(record.mapping_layers, 2 * record.z_dim, record.w_dim, "lrelu")
    else:
        reader.read_mapping(record.mapping_layers, record.w_dim, "lrelu")
    reader.read_synthesis(names)
    modules.expect_none_left()
    reader.tensors.expect_none_left()
    record.check_sizes()
    if main["num_ws"] != record.num_layers:
        raise InputError(
            f"its setting num_ws is {main['num_ws']}; expected {record.num_layers}, one for the "
            "input and each layer"
        )
    return record


def _record_of(
    modules: ModuleTree,
    names: list[str],
    main: dict,
    mapping: dict,
    synthesis: dict,
    features: dict,
) -> StyleGAN3Record:
    """The record without its arrays, of the settings of these modules."""
    width, height = _size(features["size"])
    square = main.get("square", True)
    if type(square) is not bool:
        raise InputError(f"its setting square is {brief(square)}; expected True or False")
    return StyleGAN3Record(
        z_dim=whole(main, "z_dim"),
        w_dim=whole(main, "w_dim"),
        label_dim=whole(main, "c_dim"),
        resolution=whole(main, "img_resolution"),
        num_channels=whole(main, "img_channels"),
        mapping_layers=whole(mapping, "num_layers"),
        input_size=(height, width),
        input_rate=number(features, "synthesis.input", "sampling_rate"),
        input_bandwidth=number(features, "synthesis.input", "bandwidth"),
        output_scale=number(synthesis, "synthesis", "output_scale"),
        filterings=tuple(_filtering(modules, name) for name in names),
        is_half_as_wide=not square,
        arrays={},
        format="StyleGAN3 pickle",
    )


def _layer_names(names: Any) -> list[str]:
    is_list = isinstance(names, (list, tuple)) and 0 < len(names) <= MOST_LAYERS
    if not is_list or not all(isinstance(name, str) and "." not in name for name in names):
        raise InputError(f"its setting layer_names is {brief(names)}; expected names of layers")
    return [f"synthesis.{name}" for name in names]


def _size(value: Any) -> tuple[int, int]:
    """Width and height, of an array [2] or a number."""
    array = np.asarray(value.values if isinstance(value, Array) else value)
    if array.shape not in ((), (2,)) or array.dtype.kind not in "iu":
        raise InputError(f"its setting size is {brief(value)}; expected width and height")
    width, height = np.broadcast_to(array, 2).tolist()
    return width, height


def _filtering(modules: ModuleTree, name: str) -> Filtering:
    state = modules.take(name, "SynthesisLayer")
    clamp, padding = state["conv_clamp"], state["padding"]
    if not isinstance(padding, (list, tuple)) or len(padding) != 4:
        raise InputError(f"its setting {name}.padding is {brief(padding)}; expected four numbers")
    if clamp is not None and not number(state, name, "conv_clamp") > 0:
        raise InputError(f"its setting {name}.conv_clamp is {brief(clamp)}; expected it above 0")
    left, right, top, bottom = padding
    return Filtering(
        whole(state, "up_factor"),
        whole(state, "down_factor"),
        (left, right, top, bottom),
        None if clamp is None else float(clamp),
        state["is_torgb"] is True,
    )


class _LayerReader(ModuleReader):
    """Reads the layers of a file into a record."""

    record: StyleGAN3Record

    def read_class_embedding(self) -> None:
        """StyleGAN-XL's: a row of a table for each class, through a dense layer, which gives a
        constant vector for each; and maybe a mean w for each."""
        record, arrays = self.record, self.arrays
        self.modules.take("mapping.embed", "Embedding", padding_idx=None, max_norm=None)
        table = self.tensors.take("mapping.embed.weight", (record.label_dim, None))
        sizes = table.shape[1], record.z_dim
        self.read_dense("mapping.embed_proj", "mapping/embed", sizes, "lrelu")
        x = table @ arrays["mapping/embed/weight"] + arrays["mapping/embed/bias"]
        arrays["mapping/embed/weight"] = np.where(x > 0, x, 0.2 * x) * np.float32(math.sqrt(2))
        arrays["mapping/embed/bias"] = np.zeros(record.z_dim, np.float32)
        shape: tuple[int, ...] = (record.w_dim,)
        if len(self.tensors.shape("mapping.w_avg") or ()) == 2:
            shape = (record.label_dim, record.w_dim)
        arrays["w_avg"] = self.tensors.take("mapping.w_avg", shape)

    def read_synthesis(self, names: list[str]) -> None:
        arrays, take, w_dim = self.arrays, self.tensors.take, self.record.w_dim
        (channels,) = self.tensors.sizes("synthesis.input.phases", 1)
        arrays["input/weight"] = take("synthesis.input.weight", (channels, channels)).T.copy()
        arrays["input/frequencies"] = take("synthesis.input.freqs", (channels, 2))
        arrays["input/phases"] = take("synthesis.input.phases", (channels,))
        arrays["input/transform"] = take("synthesis.input.transform", (3, 3))
        self.read_dense("synthesis.input.affine", "input", (w_dim, 4), "linear", "style_")
        for i, name in enumerate(names):
            is_last = i == len(names) - 1
            if self.record.filterings[i].is_to_rgb != is_last:
                raise InputError(f"its layer {name} is_torgb; expected the last one alone to be it")
            channels = self._read_layer(name, i, channels, is_last)

    def _read_layer(self, name: str, i: int, inputs: int, is_last: bool) -> int:
        """Gives the number of its output channels."""
        layer, take = str(i), self.tensors.take
        kernel = self.tensors.sizes(f"{name}.weight", 4)[2]
        outputs = self.record.num_channels if is_last else None
        scale = 1 / math.sqrt(inputs) if is_last else 1.0  # of its style, so of it
        outputs = self.read_kernel(name, layer, kernel, inputs, outputs, scale)
        self.read_dense(f"{name}.affine", layer, (self.record.w_dim, inputs), "linear", "style_")
        self.arrays[f"{layer}/bias"] = take(f"{name}.bias", (outputs,))
        magnitude = f"{name}.magnitude_ema"
        self.arrays[f"{layer}/gain"] = gain_of(magnitude, float(take(magnitude, ())))
        for part in ("up_filter", "down_filter"):
            if f"{name}.{part}" in self.tensors:
                self.arrays[f"{layer}/{part}"] = self._take_filter(f"{name}.{part}", part)
        return outputs

    def _take_filter(self, name: str, part: str) -> np.ndarray:
        shape = self.tensors.shape(name) or ()
        is_square = part == "down_filter" and len(shape) == 2 and shape[0] == shape[1]
        if not (len(shape) == 1 or is_square) or not 0 < shape[0] <= MOST_TAPS:
            raise InputError(
                f"its filter {name} has shape {list(shape)}; expected [taps]"
                + (" or [taps, taps]" if part == "down_filter" else "")
            )
        return self.tensors.take(name, shape)
