"""Generators of StyleGAN2-ADA-PyTorch, also as hosted for StyleGAN3: pickled, by themselves or as
G_ema in a dict.

A network is a tree of modules, each with its class, settings and arrays, which
`_reconstruct_persistent_obj(meta)` of torch_utils.persistence rebuilds: meta is a dict with type
"class", class_name, module_src (source code, which is never executed) and state, a module's
__dict__: `_parameters`, `_buffers`, `_modules`, and settings. Every module, setting and array of
the generator is either used, known to be harmless, or an error that names it; of other networks in
the file nothing is asked.

    mapping         w_avg [w_dim], fc{i}, and embed where there are labels; z and the embedding are
                    normalized each
    synthesis.b{R}  const [C, 4, 4] at R = 4 ([C, 4, 2] where images are half as wide as high),
                    conv0 (up-sampling, not at 4), conv1, torgb, skip (resnet)
    fc{i}, embed    weight [out, in] times weight_gain, bias [out] times bias_gain
    conv0, conv1    weight [out, in, 3, 3], as a transposed convolution takes it where it
                    up-samples, without 1 / sqrt(fan_in), as it is demodulated; bias [out], affine
                    (of the style: a dense layer, whose bias has the +1), noise_const [R, R],
                    noise_strength [], resample_filter [4, 4], outer(taps, taps) of sum 1
    torgb           weight [channels, in, 1, 1] times weight_gain, bias, affine
    skip            weight [out, in, 1, 1] times weight_gain, resample_filter

What looks different from TensorFlow and is not: resnet's sqrt(0.5) on conv1 scales its clamp along,
and is the division of the sum by sqrt(2); the gain of ToRGB's style may as well be its weight's.
"""

import math

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.containers.torch_modules import Module
from dnnlib.errors import InputError
from dnnlib.families.modules import ModuleReader, ModuleTree, expect_same, number, whole
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.record import IgnoredSettings

_ADVICE = (
    "expected a StyleGAN2 generator of StyleGAN2-ADA-PyTorch or StyleGAN3's repository: use one"
)

# The settings of each class, in both repositories.
SETTINGS = {
    "Generator": "z_dim c_dim w_dim img_resolution img_channels num_ws",
    "MappingNetwork": "z_dim c_dim w_dim num_ws num_layers w_avg_beta",
    "SynthesisNetwork": "w_dim img_resolution img_resolution_log2 img_channels num_fp16_res "
    "block_resolutions num_ws",
    "SynthesisBlock": "in_channels w_dim resolution img_channels is_last architecture use_fp16 "
    "channels_last "
    "fused_modconv_default num_conv num_torgb",
    "SynthesisLayer": "in_channels out_channels w_dim resolution up use_noise activation "
    "conv_clamp padding act_gain",
    "ToRGBLayer": "in_channels out_channels w_dim conv_clamp weight_gain",
    "Conv2dLayer": "in_channels out_channels activation up down conv_clamp padding weight_gain "
    "act_gain bias",
    "FullyConnectedLayer": "in_features out_features activation weight_gain bias_gain bias",
}
# StyleGAN-Human's, in each class: whether images are square, or half as wide as high.
SETTINGS = {name: f"{known} square" for name, known in SETTINGS.items()}
_SKIP = {  # what the settings of a Conv2dLayer must be
    "activation": "linear",
    "up": 2,
    "down": 1,
    "padding": 0,
    "act_gain": 1.0,
    "conv_clamp": None,
}
_ACTIVATION_GAINS = {"lrelu": math.sqrt(2), "relu": math.sqrt(2), "linear": 1}


def to_record(generator: Module, memory: Memory, ignored: IgnoredSettings) -> StyleGAN2Record:
    """The record of a generator.

    Raises InputError for a module, a setting or an array that this reader does not know; for fields
    of the wrong kind it may raise nearly anything.
    """
    modules = ModuleTree(generator, ignored, "StyleGAN2", SETTINGS, _ADVICE)
    main = modules.take("", "Generator")
    mapping = modules.take("mapping", "MappingNetwork")
    synthesis = modules.take("synthesis", "SynthesisNetwork")
    tensors = NamedArrays(modules.tensors.items(), memory)
    expect_same(main, mapping, ("z_dim", "c_dim", "w_dim", "num_ws"))
    expect_same(main, synthesis, ("w_dim", "img_resolution", "img_channels", "num_ws"))
    first = modules.state("synthesis.b4.conv1")
    start = 4, _start_width(tensors, main)
    filters = [name for name in tensors.names() if name.endswith(".resample_filter")]
    if not filters:
        raise InputError(
            "lacks the arrays resample_filter; expected those of StyleGAN2-ADA-PyTorch"
        )
    record = StyleGAN2Record(
        z_dim=whole(main, "z_dim"),
        w_dim=whole(main, "w_dim"),
        label_dim=whole(main, "c_dim"),
        resolution=whole(main, "img_resolution"),
        num_channels=whole(main, "img_channels"),
        architecture=modules.state("synthesis.b4")["architecture"],
        activation=first["activation"],
        mapping_activation=modules.state("mapping.fc0")["activation"],
        normalize_z=True,
        label_normalization="separate",
        resample_kernel=tensors.take_filter(filters, 1),
        conv_clamp=None if first["conv_clamp"] is None else float(first["conv_clamp"]),
        start=start,
        arrays={},
        format="StyleGAN2-ADA-PyTorch pickle",
    )
    record.check_settings()
    if main["num_ws"] != record.num_layers:
        raise InputError(
            f"its setting num_ws is {main['num_ws']}; expected {record.num_layers} at this "
            "resolution"
        )
    reader = _LayerReader(modules, tensors, record)
    reader.read_mapping(whole(mapping, "num_layers"), record.w_dim, record.mapping_activation)
    reader.read_synthesis()
    modules.expect_none_left()
    tensors.expect_none_left()
    return record


def _start_width(tensors: NamedArrays, main: dict) -> int:
    """The width of the constant, 4 high, which the setting `square` of StyleGAN-Human may say, too.
    Raises InputError if it is another, or they disagree."""
    shape = tensors.shape("synthesis.b4.const") or (1, 4, 4)
    if len(shape) != 3 or shape[1] != 4 or shape[2] not in (2, 4):
        raise InputError(
            f"begins with a constant of shape {list(shape)}; expected 4 x 4, or 2 x 4 in a network "
            "of images half as wide as high"
        )
    square = main.get("square", shape[2] == 4)
    if square is not (shape[2] == 4):
        raise InputError(
            f"its setting square is {brief(square)}, but its constant is {shape[2]} x 4; expected "
            "a file as its program wrote it"
        )
    return shape[2]


class _LayerReader(ModuleReader):
    """Reads the layers of a file into a record."""

    record: StyleGAN2Record

    def read_synthesis(self) -> None:
        record = self.record
        const = self.tensors.take("synthesis.b4.const", (None, *record.start))
        self.arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
        inputs = len(const)
        for size in record.resolutions:
            block, channels = f"synthesis.b{size}", inputs
            self.modules.take(block, "SynthesisBlock", architecture=record.architecture)
            if size > 4:
                channels = self.read_noisy(f"{block}.conv0", f"{size}/conv0", channels)
            channels = self.read_noisy(f"{block}.conv1", f"{size}/conv1", channels)
            if size > 4 and record.architecture == "resnet":
                self.read_skip(f"{block}.skip", f"{size}/skip", inputs, channels)
            if record.architecture == "skip" or size == record.resolution:
                self.read_rgb(f"{block}.torgb", f"{size}/rgb", channels)
            inputs = channels

    def read_noisy(self, name: str, layer: str, inputs: int) -> int:
        """A SynthesisLayer; gives the number of its output channels."""
        state = self.modules.take(
            name,
            "SynthesisLayer",
            up=2 if layer.endswith("conv0") else 1,
            activation=self.record.activation,
            padding=1,
            act_gain=float(_ACTIVATION_GAINS[self.record.activation]),
            conv_clamp=self.record.conv_clamp,
        )
        # Without 1 / sqrt(fan_in), as it is demodulated.
        outputs = self.read_kernel(name, layer, 3, inputs, None)
        self.read_style(name, layer, inputs, outputs)
        size = int(layer.split("/")[0])
        shape = self.record.size_at(size)
        noise = np.broadcast_to(np.float32(0), shape)
        if state["use_noise"]:
            strength = float(self.tensors.take(f"{name}.noise_strength", ()))
            noise = self.tensors.take(f"{name}.noise_const", shape, strength)
        self.arrays[f"{layer}/noise"] = noise
        return outputs

    def read_skip(self, name: str, layer: str, inputs: int, outputs: int) -> None:
        state = self.modules.take(name, "Conv2dLayer", **_SKIP)
        self.read_kernel(name, layer, 1, inputs, outputs, number(state, name, "weight_gain"))

    def read_rgb(self, name: str, layer: str, inputs: int) -> None:
        state = self.modules.take(name, "ToRGBLayer", conv_clamp=self.record.conv_clamp)
        scale, outputs = number(state, name, "weight_gain"), self.record.num_channels
        self.read_kernel(name, layer, 1, inputs, outputs, scale)
        self.read_style(name, layer, inputs, outputs)

    def read_style(self, name: str, layer: str, inputs: int, outputs: int) -> None:
        """The style of a modulated layer, and its bias."""
        shape = (self.record.w_dim, inputs)
        self.read_dense(f"{name}.affine", layer, shape, "linear", "style_")
        self.arrays[f"{layer}/bias"] = self.tensors.take(f"{name}.bias", (outputs,))
