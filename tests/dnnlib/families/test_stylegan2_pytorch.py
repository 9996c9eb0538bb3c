"""Every module, setting and array of a StyleGAN2-ADA-PyTorch pickle is used, known to be harmless,
or an error."""

import dataclasses
import re

import numpy as np
import pytest

from dnnlib import InputError, read_network
from dnnlib.containers.torch_modules import Module


def setting(name, value):
    """An edit that gives a setting, `module.name`, this value."""
    module, _, key = name.rpartition(".")
    return lambda find: find(module).state.update({key: value})


def array(name, change, kind="_parameters"):
    """An edit that replaces an array with change(array); None removes it."""
    module, _, key = name.rpartition(".")

    def edit(find):
        arrays = find(module).state[kind]
        value = change(arrays.pop(key, None))
        if value is not None:
            arrays[key] = value

    return edit


def buffer(name, change):
    """The same, of an array that is not trained."""
    return array(name, change, "_buffers")


def module(name, change):
    """An edit that replaces a module with change(module); None removes it."""
    parent, _, key = name.rpartition(".")

    def edit(find):
        modules = find(parent).state["_modules"]
        value = change(modules.pop(key, None))
        if value is not None:
            modules[key] = value

    return edit


def of_class(name):
    """A change of a module: it is of another class."""
    return lambda module: Module(
        {"type": "class", "class_name": name, "state": module.state if module else {}}
    )


def poisoned(value):
    """A change of an array: its first number becomes `value`."""

    def change(array):
        array.flat[0] = value
        return array

    return change


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            setting("synthesis.b8.conv1.style_strength", 3),
            "setting synthesis.b8.conv1.style_strength = 3 is not known",
        ),
        (setting("mapping.fc0.spectral", True), "setting mapping.fc0.spectral = True is not known"),
        (
            setting("synthesis._forward_hooks", {1: "hook"}),
            "setting synthesis._forward_hooks = {1: 'hook'} is not known",
        ),
        (
            setting("synthesis.b4.architecture", "pyramid"),
            "architecture is 'pyramid'; expected one of skip, orig, resnet",
        ),
        (
            setting("synthesis.b8.architecture", "skip"),
            "b8.architecture is 'skip'; expected 'orig'",
        ),
        (
            setting("synthesis.b4.conv1.activation", "swish"),
            "activation is 'swish'; expected one of",
        ),
        (
            setting("synthesis.b8.conv1.activation", "relu"),
            "b8.conv1.activation is 'relu'; expected 'lrelu'",
        ),
        (setting("synthesis.b8.conv1.act_gain", 1.0), "b8.conv1.act_gain is 1.0; expected 1.41"),
        (
            setting("synthesis.b8.conv1.conv_clamp", 1.25),
            "b8.conv1.conv_clamp is 1.25; expected 1.5",
        ),
        (
            setting("synthesis.b16.torgb.conv_clamp", None),
            "b16.torgb.conv_clamp is None; expected 1.5",
        ),
        (
            setting("synthesis.b4.conv1.conv_clamp", -1.0),
            "conv_clamp is -1.0; expected a positive number",
        ),
        (setting("synthesis.b8.conv0.up", 1), "b8.conv0.up is 1; expected 2"),
        (setting("synthesis.b8.conv1.padding", 0), "b8.conv1.padding is 0; expected 1"),
        (
            setting("synthesis.b8.conv1.affine.activation", "lrelu"),
            "affine.activation is 'lrelu'; expected 'linear'",
        ),
        (
            setting("synthesis.b8.conv1.affine.weight_gain", float("nan")),
            "affine.weight_gain is nan; expected a finite",
        ),
        (
            setting("mapping.fc1.activation", "linear"),
            "mapping.fc1.activation is 'linear'; expected 'lrelu'",
        ),
        (setting("mapping.fc0.activation", "tanh"), "mapping_activation is 'tanh'"),
        (
            setting("mapping.fc0.bias_gain", "big"),
            "mapping.fc0.bias_gain is 'big'; expected a finite number",
        ),
        (setting("mapping.num_layers", 3), "lacks the module mapping.fc2"),
        (setting("mapping.num_layers", 1), "module mapping.fc1 is not part of"),
        (setting("mapping.w_dim", 12), "disagree on the setting w_dim: 24 and 12"),
        (setting("num_ws", 7), "disagree on the setting num_ws"),
        (setting("img_resolution", 32), "disagree on the setting img_resolution"),
        (setting("z_dim", "24"), "setting z_dim is '24'; expected a whole number"),
        (setting("z_dim", True), "setting z_dim is True; expected a whole number"),
        (setting("z_dim", -24), "setting z_dim is -24; expected a whole number"),
        (module("synthesis.b8.conv1", lambda m: None), "lacks the module synthesis.b8.conv1"),
        (module("synthesis.b4", lambda m: None), "lacks the module synthesis.b4"),
        (module("mapping", lambda m: None), "lacks the module mapping"),
        (
            module("synthesis.b32", of_class("SynthesisBlock")),
            "module synthesis.b32 is not part of",
        ),
        (
            module("synthesis.b8.conv1", of_class("ToRGBLayer")),
            "b8.conv1.resolution = 8 is not known|is a ToRGBLayer",
        ),
        (
            module("synthesis.b8.conv1", of_class("AttentionLayer")),
            "synthesis.b8.conv1 is a 'AttentionLayer'; expected",
        ),
        (module("synthesis.b8.conv1", lambda m: "text"), "synthesis.b8.conv1 is a 'str'; expected"),
        (
            module("synthesis.input", of_class("SynthesisInput")),
            "synthesis.input is a 'SynthesisInput'; expected",
        ),
        (
            lambda find: find("mapping").state["_modules"].update(again=find("mapping")),
            "mapping.again is not part of",
        ),
        (
            lambda find: (
                find("")
                .state["_modules"]
                .update(
                    again=Module(
                        {
                            "type": "class",
                            "class_name": "MappingNetwork",
                            "state": find("mapping").state,
                        }
                    )
                )
            ),
            "again is not part of",
        ),
        (
            lambda find: (
                find("mapping")
                .state["_buffers"]
                .update(dict.fromkeys(map(str, range(20_000)), np.zeros(1, "f4")))
            ),
            "is one of too many",
        ),
        (
            lambda find: find("mapping").state["_buffers"].update({"a" * 300: np.zeros(1, "f4")}),
            "has no name as a",
        ),
        (
            module("a" * 300, of_class("FullyConnectedLayer")),
            "is not part of a StyleGAN2 generator",
        ),
        (
            buffer("synthesis.b8.conv0.resample_filter", lambda a: np.ones((65, 65), "f4")),
            "filter synthesis.b8.conv0.resa",
        ),
        (
            buffer("synthesis.b8.conv0.resample_filter", lambda a: np.ones((30000, 2), "f4")),
            "conv0.resample_filter is not",
        ),
        (buffer("mapping.w_avg", lambda a: a[:0]), "w_avg has shape [0]; expected [24]"),
        (buffer("synthesis.b8.conv1.noise_const", lambda a: a[:0]), "noise_const has shape [0, 8]"),
        (
            array("synthesis.b8.conv1.weight", lambda a: None),
            "lacks the array synthesis.b8.conv1.weight",
        ),
        (
            array("synthesis.b8.conv1.weight", lambda a: a[:, :-1]),
            "has shape [12, 11, 3, 3]; expected [any, 12, 3, 3]",
        ),
        (
            array("synthesis.b8.conv1.bias", lambda a: a[:-1]),
            "b8.conv1.bias has shape [11]; expected [12]",
        ),
        (
            array("synthesis.b8.conv1.extra", lambda a: np.zeros(3, "f4")),
            "b8.conv1.extra is not part of",
        ),
        (
            array("synthesis.b4.const", lambda a: a[None]),
            "begins with a constant of shape [1, 12, 4, 4]; expected 4 x 4",
        ),
        (array("mapping.fc0.weight", poisoned(np.nan)), "mapping.fc0.weight holds NaN or infinity"),
        (
            array("synthesis.b8.conv1.noise_strength", lambda a: np.full_like(a, 3e38)),
            "noise_const holds NaN or infinity",
        ),
        (buffer("mapping.w_avg", lambda a: None), "lacks the array mapping.w_avg"),
        (
            buffer("synthesis.b8.conv1.noise_const", lambda a: a[:4]),
            "noise_const has shape [4, 8]; expected [8, 8]",
        ),
        (
            buffer("synthesis.b8.conv0.resample_filter", poisoned(1)),
            "filter synthesis.b8.conv0.resample_filter is not",
        ),
        (buffer("synthesis.b8.conv0.resample_filter", lambda a: 2 * a), "of another sum than 1"),
        (
            buffer("synthesis.b8.conv0.resample_filter", lambda a: np.full((2, 2), 0.25, "f4")),
            "or not that of the other",
        ),
    ],
)
def test_unusable_network(edited_modules, edit, words):
    """A network with a module, setting or array that the reader cannot use is refused in one line
    that names it."""
    path = edited_modules("pt_label_orig_16", edit)
    alternatives = "|".join(map(re.escape, words.split("|")))
    with pytest.raises(InputError, match=alternatives) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (setting("synthesis.b8.skip.act_gain", 2.0), "b8.skip.act_gain is 2.0; expected 1.0"),
        (setting("synthesis.b8.skip.conv_clamp", 0.6), "b8.skip.conv_clamp is 0.6; expected None"),
        (setting("synthesis.b8.skip.down", 2), "b8.skip.down is 2; expected 1"),
        (
            array("synthesis.b8.skip.bias", lambda a: np.zeros(12, "f4")),
            "b8.skip.bias is not part of",
        ),
    ],
)
def test_unusable_skip(edited_modules, edit, words):
    """What a resnet's skip layer cannot be is refused likewise."""
    with pytest.raises(InputError, match=re.escape(words)):
        read_network(edited_modules("pt_label_resnet_16", edit))


def same(a, b):
    """Two records are equal, arrays and all."""
    settings = [dataclasses.replace(record, arrays={}) for record in (a, b)]
    return (
        settings[0] == settings[1]
        and a.arrays.keys() == b.arrays.keys()
        and all(np.array_equal(values, b.arrays[name]) for name, values in a.arrays.items())
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["pt_skip_64", "pt_label_resnet_16", "pt_label_orig_16"])
def test_protocols(edited_modules, data, name, protocol):
    """A network pickled in any protocol is the same record: the public files are of protocol 3,
    with calls for sets."""
    assert same(
        read_network(edited_modules(name, protocol=protocol)), read_network(data / f"{name}.pkl")
    )


@pytest.mark.parametrize(
    "edit",
    [
        setting("synthesis.b8.use_fp16", True),
        setting("synthesis.num_fp16_res", 4),
        setting("mapping.w_avg_beta", 0.9),
        setting("synthesis.b8.channels_last", True),
        setting("synthesis.b8.fused_modconv_default", "inference_only"),
        setting("training", True),
        setting("_init_kwargs", {"anything": 1}),
        setting("synthesis._forward_hooks", {}),
    ],
)
def test_harmless_setting(edited_modules, data, edit):
    """A setting that cannot change a float32 image with constant noise changes nothing in the
    record."""
    assert same(
        read_network(edited_modules("pt_label_orig_16", edit)),
        read_network(data / "pt_label_orig_16.pkl"),
    )


def test_settings_reach_the_record(edited_modules):
    """Activations, the filter and the absence of a clamp are in the record."""

    def edit(find):
        for size in (4, 8, 16):
            for name in ("conv0", "conv1") if size > 4 else ("conv1",):
                layer = find(f"synthesis.b{size}.{name}").state
                layer.update(activation="linear", act_gain=1, conv_clamp=None)
                layer["_buffers"]["resample_filter"] = np.full((2, 2), 0.25, "f4")
            find(f"synthesis.b{size}").state["_buffers"]["resample_filter"] = np.full(
                (2, 2), 0.25, "f4"
            )
        find("synthesis.b16.torgb").state["conv_clamp"] = None

    record = read_network(edited_modules("pt_label_orig_16", edit))
    assert (record.activation, record.mapping_activation, record.conv_clamp) == (
        "linear",
        "lrelu",
        None,
    )
    assert record.resample_kernel == (0.5, 0.5)


def test_gains_are_applied(edited_modules, data):
    """A layer's weight and bias gain scale its weight and its bias."""

    def edit(find):
        find("mapping.fc1").state["weight_gain"] *= 2
        find("mapping.fc1").state["bias_gain"] *= 4

    arrays, original = (
        read_network(path).arrays
        for path in (edited_modules("pt_skip_64", edit), data / "pt_skip_64.pkl")
    )
    np.testing.assert_allclose(
        arrays["mapping/1/weight"], 2 * original["mapping/1/weight"], rtol=1e-6
    )
    np.testing.assert_allclose(arrays["mapping/1/bias"], 4 * original["mapping/1/bias"], rtol=1e-6)


def test_network_without_noise(edited_modules):
    """A layer with use_noise off has no noise arrays, and gets zeros."""

    def edit(find):
        layer = find("synthesis.b16.conv1").state
        layer["use_noise"] = False
        del layer["_buffers"]["noise_const"], layer["_parameters"]["noise_strength"]

    arrays = read_network(edited_modules("pt_skip_64", edit)).arrays
    assert not arrays["16/conv1/noise"].any()
    assert arrays["16/conv0/noise"].any()
