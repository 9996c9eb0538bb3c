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
    synthesis.b{R}  const [C, 4, 4] at R = 4, conv0 (up-sampling, not at 4), conv1, torgb, skip
                    (resnet)
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
from collections.abc import Iterable
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import LONGEST_NAME, NamedArrays, expect_name
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.containers.torch_modules import Module
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, read_rows
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.record import IgnoredSettings, check_first_layer, check_mapping_layers

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
_STYLEGAN3 = ("SynthesisInput",)
# What PyTorch and its persistence keep in any module and that changes nothing when it runs; hooks
# must be empty.
_HARMLESS = {
    "training",
    "_non_persistent_buffers_set",
    "_init_args",
    "_init_kwargs",
    "_compiled_call_impl",
}
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
    modules = _Modules(generator, ignored)
    main = modules.take("", "Generator")
    mapping = modules.take("mapping", "MappingNetwork")
    synthesis = modules.take("synthesis", "SynthesisNetwork")
    tensors = NamedArrays(modules.tensors.items(), memory)
    _expect_same(main, mapping, ("z_dim", "c_dim", "w_dim", "num_ws"))
    _expect_same(main, synthesis, ("w_dim", "img_resolution", "img_channels", "num_ws"))
    first = modules.state("synthesis.b4.conv1")
    filters = [name for name in tensors.names() if name.endswith(".resample_filter")]
    if not filters:
        raise InputError(
            "lacks the arrays resample_filter; expected those of StyleGAN2-ADA-PyTorch"
        )
    record = StyleGAN2Record(
        z_dim=_whole(main, "z_dim"),
        w_dim=_whole(main, "w_dim"),
        label_dim=_whole(main, "c_dim"),
        resolution=_whole(main, "img_resolution"),
        num_channels=_whole(main, "img_channels"),
        architecture=modules.state("synthesis.b4")["architecture"],
        activation=first["activation"],
        mapping_activation=modules.state("mapping.fc0")["activation"],
        normalize_z=True,
        label_normalization="separate",
        resample_kernel=tensors.take_filter(filters, 1),
        conv_clamp=None if first["conv_clamp"] is None else float(first["conv_clamp"]),
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
    reader.read_mapping(_whole(mapping, "num_layers"))
    reader.read_synthesis()
    modules.expect_none_left()
    tensors.expect_none_left()
    return record


def _expect_same(main: dict, part: dict, names: Iterable[str]) -> None:
    """Raises InputError if the generator and a part of it disagree on one of these settings."""
    for name in names:
        if _whole(part, name) != _whole(main, name):
            raise InputError(
                f"its networks disagree on the setting {name}: {_whole(main, name)} and "
                f"{_whole(part, name)}; expected a file as its program wrote it"
            )


def _whole(state: dict, name: str) -> int:
    value = state[name]
    if type(value) is not int or value < 0:
        raise InputError(f"its setting {name} is {brief(value)}; expected a whole number")
    return value


class _Modules:
    """The modules of a network by their dotted names, their settings checked; `tensors` are all
    arrays likewise."""

    def __init__(self, generator: Module, ignored: IgnoredSettings) -> None:
        self._ignored = ignored
        self._modules: dict[str, Module] = {}
        self._states: set[int] = set()  # the id of each
        self.tensors: dict[str, Any] = {}
        self._add("", generator)
        self._left = dict(self._modules)

    def _add(self, name: str, module: Any) -> None:
        prefix = name + "." if name else ""
        if not isinstance(module, Module) or module.class_name not in SETTINGS:
            found = brief(getattr(module, "class_name", type(module).__name__))
            what = (
                " of StyleGAN3, whose architecture is not supported"
                if found.strip("'") in _STYLEGAN3
                else ""
            )
            raise InputError(f"its module {name} is a {found}{what}; {_ADVICE}")
        # Many modules, or arrays under many names, that are one in the file, would take any amount
        # of time and memory.
        if name.count(".") > 3 or id(module.state) in self._states or len(name) > LONGEST_NAME:
            raise InputError(
                f"its module {name[:80]} is not part of a StyleGAN2 generator; {_ADVICE}"
            )
        self._modules[name] = module
        self._states.add(id(module.state))
        known = SETTINGS[module.class_name].split()
        for key, value in module.state.items():
            if key in ("_parameters", "_buffers"):
                for part, array in value.items():
                    if array is not None:
                        expect_name(
                            len(self.tensors), prefix + part
                        )  # before many prefixes are kept
                        self.tensors[prefix + part] = array
            elif key == "_modules":
                for part, child in value.items():
                    self._add(prefix + part, child)
            elif not (
                key in known
                or key in _HARMLESS
                or (key.startswith("_") and "hook" in key and not value)
            ):
                self._ignored.expect_covered(f"{prefix}{key}", value, _ADVICE)

    def state(self, name: str) -> dict:
        """The settings of a module."""
        if name not in self._modules:
            raise InputError(f"lacks the module {name}; {_ADVICE}")
        return self._modules[name].state

    def take(self, name: str, class_name: str, **settings: Any) -> dict:
        """The settings of a module, which must be of this class and have these; a float may differ
        by rounding."""
        state = self.state(name)
        if self._modules[name].class_name != class_name:
            found = self._modules[name].class_name
            raise InputError(f"its module {name} is a {found}, not a {class_name}; {_ADVICE}")
        for key, expected in settings.items():
            value = state[key]
            if isinstance(expected, float) and isinstance(value, (int, float)):
                same = math.isclose(value, expected, rel_tol=1e-6)
            else:
                same = type(value) is type(expected) and value == expected
            if not same:
                raise InputError(
                    f"its setting {name}.{key} is {brief(value)}; expected {expected!r}, as the "
                    "rest of a StyleGAN2 generator needs"
                )
        del self._left[name]
        return state

    def expect_none_left(self) -> None:
        if self._left:
            raise InputError(
                f"its module {next(iter(self._left))} is not part of a StyleGAN2 generator of "
                f"these settings; {_ADVICE}"
            )


class _LayerReader:
    """Reads the layers of a file into a record."""

    def __init__(self, modules: _Modules, tensors: NamedArrays, record: StyleGAN2Record) -> None:
        self.modules, self.tensors = modules, tensors
        self.record, self.arrays = record, record.arrays

    def read_mapping(self, num_layers: int) -> None:
        record, inputs = self.record, self.record.z_dim
        self.arrays["w_avg"] = self.tensors.take("mapping.w_avg", (record.w_dim,))
        if record.label_dim:
            inputs += self.read_dense(
                "mapping.embed", "mapping/embed", (record.label_dim, None), "linear"
            )
        else:
            check_first_layer(self.tensors.sizes("mapping.fc0.weight", 2)[1], record.z_dim)
        check_mapping_layers(num_layers)
        for i in range(num_layers):
            shape = (inputs, record.w_dim if i == num_layers - 1 else None)
            activation = record.mapping_activation
            inputs = self.read_dense(f"mapping.fc{i}", f"mapping/{i}", shape, activation)

    def read_synthesis(self) -> None:
        record = self.record
        const = self.tensors.take("synthesis.b4.const", (None, 4, 4))
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
        noise = np.broadcast_to(np.float32(0), (size, size))
        if state["use_noise"]:
            strength = float(self.tensors.take(f"{name}.noise_strength", ()))
            noise = self.tensors.take(f"{name}.noise_const", (size, size), strength)
        self.arrays[f"{layer}/noise"] = noise
        return outputs

    def read_skip(self, name: str, layer: str, inputs: int, outputs: int) -> None:
        state = self.modules.take(name, "Conv2dLayer", **_SKIP)
        self.read_kernel(name, layer, 1, inputs, outputs, _number(state, name, "weight_gain"))

    def read_rgb(self, name: str, layer: str, inputs: int) -> None:
        state = self.modules.take(name, "ToRGBLayer", conv_clamp=self.record.conv_clamp)
        scale, outputs = _number(state, name, "weight_gain"), self.record.num_channels
        self.read_kernel(name, layer, 1, inputs, outputs, scale)
        self.read_style(name, layer, inputs, outputs)

    def read_style(self, name: str, layer: str, inputs: int, outputs: int) -> None:
        """The style of a modulated layer, and its bias."""
        shape = (self.record.w_dim, inputs)
        self.read_dense(f"{name}.affine", layer, shape, "linear", "style_")
        self.arrays[f"{layer}/bias"] = self.tensors.take(f"{name}.bias", (outputs,))

    def read_kernel(
        self,
        name: str,
        layer: str,
        size: int,
        inputs: int,
        outputs: int | None,
        scale: float = 1.0,
    ) -> int:
        """A convolution's weight; gives the number of its output channels."""
        shape = (outputs, inputs, size, size)
        rows = [Row("weight", "weight", shape, scale, lambda weight: weight.transpose(2, 3, 1, 0))]
        read_rows(rows, self.tensors, f"{name}.", self.arrays, layer)
        return self.arrays[f"{layer}/weight"].shape[3]

    def read_dense(
        self,
        name: str,
        layer: str,
        shape: tuple[int, int | None],
        activation: str,
        prefix: str = "",
    ) -> int:
        """A FullyConnectedLayer [in, out], as {layer}/{prefix}weight and bias; gives the number of
        its outputs."""
        state = self.modules.take(name, "FullyConnectedLayer", activation=activation)
        gain, weight_name = _number(state, name, "weight_gain"), f"{prefix}weight"
        weight = Row(weight_name, "weight", shape[::-1], gain, np.transpose)
        read_rows([weight], self.tensors, f"{name}.", self.arrays, layer)
        outputs = self.arrays[f"{layer}/{weight_name}"].shape[1]
        bias = np.zeros(outputs, np.float32)
        if state.get("bias", ...) is not None:
            bias_gain = _number(state, name, "bias_gain")
            bias = self.tensors.take(f"{name}.bias", (outputs,), bias_gain)
        self.arrays[f"{layer}/{prefix}bias"] = bias
        return outputs


def _number(state: dict, name: str, key: str) -> float:
    value = state[key]
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"its setting {name}.{key} is {brief(value)}; expected a finite number")
    return float(value)
