"""Every setting and every array of a TensorFlow pickle is used, known to be harmless, or an error
that names it."""

import dataclasses
import json
import pickle
import re
import sys

import numpy as np
import pytest
from tensorflow_files import image_channels, settings

from demo.initial import initial_network
from demo.tensorflow_pickle import write_network
from dnnlib import InputError, load_generator, read_network
from dnnlib.describe import describe


def setting(name, value):
    """An edit that changes one setting, in all networks that repeat it."""
    return settings(**{name: value})


def setting_of_one(name, value):
    """An edit that changes one setting of the synthesis network alone."""

    def edit(state):
        state["components"]["synthesis"]["static_kwargs"][name] = value

    return edit


def component(part=None):
    """An edit that adds a component to the network, or to one of its components."""

    def edit(state):
        network = state["components"][part] if part else state
        network["components"]["attention"] = {"build_func_name": "attention", "components": {}}

    return edit


def array(name, change, part="synthesis"):
    """An edit that replaces one array of a component with change(array); None removes it."""

    def edit(state):
        variables = (state["components"][part] if part else state)["variables"]
        value = change(variables.pop(name, None))
        if value is not None:
            variables[name] = value

    return edit


def function(name, part="synthesis"):
    """An edit that changes the function which a component was built with."""

    def edit(state):
        state["components"][part]["build_func_name"] = name

    return edit


def doubled(levels):
    """A list of two lists of two lists ..., each twice the same: as text, or compared, it is
    endless."""
    return [doubled(levels - 1)] * 2 if levels else []


def poisoned(value):
    """A change of an array: its first number becomes `value`."""

    def change(array):
        array.flat[0] = value
        return array

    return change


def all_of(*edits):
    """Edits one after the other."""

    def edit(state):
        for each in edits:
            each(state)

    return edit


def without_resolution(state):
    """An edit that removes the setting resolution, which some forks do not write."""
    for network in (state, *state["components"].values()):
        del network["static_kwargs"]["resolution"]


def absent(part):
    """An edit that removes a field of the state."""

    def edit(state):
        del state[part]

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (setting("style_strength", 3), "setting style_strength = 3 is not known"),
        (
            setting_of_one("use_spectral_norm", True),
            "setting use_spectral_norm = True is not known",
        ),
        (setting_of_one("resolution", 32), "disagree on the setting resolution: 16 and 32"),
        (
            setting("architecture", "pyramid"),
            "architecture is 'pyramid'; expected one of skip, orig, resnet",
        ),
        (
            setting("nonlinearity", "swish"),
            "activation is 'swish'; expected one of lrelu, relu, linear",
        ),
        (setting("mapping_nonlinearity", "tanh"), "mapping_activation is 'tanh'"),
        (setting("dtype", "float16"), "dtype is 'float16'; expected float32"),
        (setting("resolution", 48), "resolution is 48; expected a power of two"),
        (setting("resolution", 4), "resolution is 4; expected a power of two, 8 or more"),
        (setting("resolution", 32), "lacks the array synthesis/32x32/Conv0_up/weight"),
        (setting("resolution", 8), "lacks the array synthesis/8x8/ToRGB/weight"),
        (
            setting("num_channels", 1),
            "16x16/ToRGB/weight has shape [1, 1, 12, 3]; expected [1, 1, 12, 1]",
        ),
        (setting("dlatent_size", 25), "dlatent_avg has shape [24]; expected [25]"),
        (
            setting("latent_size", 23),
            "first mapping layer takes 24 numbers, z has 23, and there are no labels",
        ),
        (setting("latent_size", 25), "Dense0/weight has shape [24, 24]; expected [25, 24]"),
        (setting("mapping_layers", 9), "lacks the array mapping/Dense8/weight"),
        (setting("mapping_layers", 7), "mapping/Dense7/weight is not part of"),
        (setting("label_size", 2), "lacks the array mapping/LabelConcat/weight"),
        (setting("resolution", "16"), "resolution is '16'; expected a whole number"),
        (setting("fmap_decay", 10**12), "damaged"),
        (setting("latent_size", 24.0), "z_dim is 24.0; expected a whole number"),
        (setting("label_size", -1), "label_dim is -1; expected a whole number"),
        (
            setting("mapping_layers", 65),
            "mapping network has 65 layers; expected at least one, and at most 64",
        ),
        (setting("mapping_layers", 0), "mapping network has 0 layers; expected at least one"),
        (
            setting("resample_kernel", [1, float("nan"), 3, 1]),
            "resample_kernel is (1.0, nan, 3.0, 1.0); expected",
        ),
        (setting("resample_kernel", [1]), "resample_kernel is (1.0,); expected"),
        (
            setting("resample_kernel", [[1, 3], [3, 1]]),
            "resample_kernel is [[1, 3], [3, 1]]; expected a number",
        ),
        (setting("resample_kernel", doubled(60)), "setting resample_kernel is [[["),
        (
            setting("resample_kernel", "1331"),
            "resample_kernel is '1331'; expected a list of numbers",
        ),
        (setting("resample_kernel", [1] * 65), "resample_kernel is [1, 1,"),
        (setting("label_size", 1 << 17), "label_dim is 131072; expected 65536 at most"),
        (
            setting("resample_kernel", [1e154, -1e154, 1, 3]),
            "resample_kernel is (1e+154, -1e+154, 1.0, 3.0); expected",
        ),
        (setting("mapping_lrmul", 1e154), "mapping/Dense0/weight holds NaN or infinity"),
        (image_channels(65), "num_channels is 65; expected 64 at most"),
        (
            array("4x4/Const/const", lambda a: np.resize(a, (1, 8193, 4, 4))),
            "[1, 8193, 4, 4]; expected 8192 channels",
        ),
        (
            settings(resolution_w=512, resolution_h=384),
            "size of its images: 16 x 16 (resolution), 384 x 512 (resolution_h, resolution_w)",
        ),
        (
            all_of(without_resolution, settings(resolution_w=16, resolution_h=12)),
            "makes images of 12 x 16; expected a power of two times its constant, which is 4 x 4",
        ),
        (
            settings(min_h=3, min_w=5, res_log2=2),
            "its min_h, min_w is 3 x 5, but its constant is 4 x 4",
        ),
        (settings(init_res=[4, 3]), "its init_res is 4 x 3, but its constant is 4 x 4"),
        (
            settings(output_shape=[None, 3, 16, 32]),
            "16 x 16 (resolution), 16 x 32 (output_shape)",
        ),
        (setting("square", False), "setting square is False, but its images are 16 x 16"),
        (
            array("4x4/Const/const", lambda a: a[..., :2]),
            "noise0 has shape [1, 1, 4, 4]; expected [1, 1, 4, 2]",
        ),
        (
            array("4x4/Const/const", lambda a: np.zeros((1, 8, 4, 17))),
            "begins with a constant of 4 x 17; expected 4 x 4, or at most 16 x 16",
        ),
        (
            all_of(
                array("4x4/Const/const", lambda a: None),
                array("3x3/Const/const", lambda a: np.zeros((1, 8, 4, 3))),
            ),
            "its constant is called 'synthesis/3x3/Const/const', but is 4 x 3",
        ),
        (
            settings(resolution_w=32, resolution_h=32),
            "disagree on the size of its images: 16 x 16 (resolution), 32 x 32 (reso",
        ),
        (settings(min_h=4, min_w=4, res_log2=3), "32 x 32 (min_h, min_w, res_log2)"),
        (
            settings(min_h=4, min_w=4, res_log2=1 << 60),
            "its res_log2 is 1152921504606846976; expected a whole number",
        ),
        (settings(min_h="4", min_w=4), "its min_h, min_w is ['4', 4]; expected a whole number"),
        (settings(impl="xla"), "its setting impl = 'xla' is not known"),
        (settings(epochs=0.5), "its setting epochs = 0.5 is not known"),
        (array("epochs", lambda a: np.zeros(2), None), "array epochs is not part of"),
        (setting("num_channels", {}), "setting num_channels is {}; expected a number"),
        (
            array("16x16/Conv1/noise_strength", lambda a: np.full_like(a, 3e38)),
            "synthesis/noise4 holds NaN or infinity",
        ),
        (function("G_style"), "synthesis function is 'G_style'; expected G_synthesis_stylegan2 or"),
        (function("G_synthesis_stylegan3"), "synthesis function is 'G_synthesis_stylegan3'"),
        (
            function("G_mapping_conditional", "mapping"),
            "mapping function is 'G_mapping_conditional'; expected G_mapping",
        ),
        (array("8x8/Conv1/weight", lambda a: None), "lacks the array synthesis/8x8/Conv1/weight"),
        (
            array("noise3", lambda a: None),
            "lacks the array synthesis/noise3; expected one of shape [1, 1, 16, 16]",
        ),
        (array("Dense2/bias", lambda a: None, "mapping"), "lacks the array mapping/Dense2/bias"),
        (array("dlatent_avg", lambda a: None, None), "lacks the array dlatent_avg"),
        (
            array("8x8/Conv1/extra", lambda a: np.zeros(3)),
            "array synthesis/8x8/Conv1/extra is not part of",
        ),
        (
            array("Dense8/weight", lambda a: np.zeros(3), "mapping"),
            "array mapping/Dense8/weight is not part of",
        ),
        (array("surprise", lambda a: np.zeros(3), None), "array surprise is not part of"),
        (
            array("8x8/Conv1/mod_bias", lambda a: a[:-1]),
            "8x8/Conv1/mod_bias has shape [11]; expected [12]",
        ),
        (
            array("16x16/Conv0_up/weight", lambda a: a[:1]),
            "16x16/Conv0_up/weight has shape [1, 3, 12, 12]; expected [3, 3, 12, 12]",
        ),
        (
            array("4x4/Const/const", lambda a: a[0]),
            "4x4/Const/const has shape [12, 4, 4]; expected [1, 12, 4, 4]",
        ),
        (
            array("noise0", lambda a: a[..., :2]),
            "noise0 has shape [1, 1, 4, 2]; expected [1, 1, 4, 4]",
        ),
        (
            array("Dense0/weight", poisoned(np.nan), "mapping"),
            "mapping/Dense0/weight holds NaN or infinity",
        ),
        (array("4x4/Conv/bias", poisoned(np.inf)), "synthesis/4x4/Conv/bias holds NaN or infinity"),
        (array("dlatent_avg", poisoned(-np.inf), None), "dlatent_avg holds NaN or infinity"),
        (component(), "has a component 'attention', which is not known; expected mapping and syn"),
        (component("mapping"), "has a component 'attention' in 'G_mapping', which is not known"),
        (absent("static_kwargs"), "damaged: its networks lack a field"),
        (absent("variables"), "damaged: its networks lack a field"),
        (absent("components"), "damaged: its networks lack a field"),
    ],
)
def test_unusable_network(edited, edit, words):
    """A network with a setting or an array that the reader cannot use is refused in one line that
    names it."""
    path = edited("tf_orig_16", edit)
    with pytest.raises(InputError, match="|".join(map(re.escape, words.split("|")))) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_edited_copy_is_otherwise_the_same(edited, data):
    """The files of `test_unusable_network` differ from a good one by the edit alone: without it
    they read the same."""
    copy, original = read_network(edited("tf_orig_16")), read_network(data / "tf_orig_16.pkl")
    for name, values in original.arrays.items():
        np.testing.assert_array_equal(copy.arrays[name], values, err_msg=name)


@pytest.mark.parametrize(
    "name",
    [
        "truncation_psi",
        "truncation_cutoff",
        "dlatent_avg_beta",
        "style_mixing_prob",
        "randomize_noise",
        "fused_modconv",
        "structure",
        "num_fp16_res",
        "dlatent_broadcast",
    ],
)
def test_harmless_setting(edited, data, name):
    """A setting that cannot change an untruncated float32 image with constant noise changes nothing
    in the record."""
    record, original = (
        read_network(edited("tf_orig_16", setting(name, 0.5))),
        read_network(data / "tf_orig_16.pkl"),
    )
    assert record.arrays.keys() == original.arrays.keys()
    assert dataclasses.replace(record, arrays={}) == dataclasses.replace(original, arrays={})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("resample_kernel", None, "resample_kernel", (1.0, 1.0)),
        ("resample_kernel", [1, 2, 1], "resample_kernel", (1.0, 2.0, 1.0)),
        ("nonlinearity", "relu", "activation", "relu"),
        ("mapping_nonlinearity", "linear", "mapping_activation", "linear"),
        ("normalize_latents", False, "normalize_z", False),
    ],
)
def test_setting_reaches_the_record(edited, name, value, field, expected):
    """A setting that changes the image is in the record."""
    assert getattr(read_network(edited("tf_orig_16", setting(name, value))), field) == expected


@pytest.mark.parametrize(("network", "expected"), [("ada_label_16", 3.0), ("tf_orig_16", None)])
def test_conv_clamp_is_of_ada(edited, network, expected):
    """conv_clamp acts in StyleGAN2-ADA; StyleGAN2's functions take it and ignore it."""
    assert read_network(edited(network, setting("conv_clamp", 3))).conv_clamp == expected


@pytest.mark.parametrize("clamp", [0, -1, 1e154])
def test_unusable_clamp(edited, clamp):
    """A clamp is a positive number of float32."""
    with pytest.raises(InputError, match=r"conv_clamp is .*; expected a positive number"):
        read_network(edited("ada_label_16", setting("conv_clamp", clamp)))


def test_network_without_noise(edited):
    """A StyleGAN2-ADA generator with use_noise off has no noise arrays, and gets zeros."""

    def edit(state):
        setting("use_noise", False)(state)
        variables = state["components"]["synthesis"]["variables"]
        for name in [
            name
            for name in variables
            if name.startswith("noise") or name.endswith("noise_strength")
        ]:
            del variables[name]

    record = read_network(edited("ada_label_16", edit))
    assert not record.arrays["16/conv1/noise"].any()


def test_stylegan1_is_refused(edited):
    """A generator that was not built by G_main is refused by the name of its function."""
    with pytest.raises(InputError, match="generator function is 'G_style'; expected G_main"):
        read_network(edited("ada_label_16", lambda state: state.update(build_func_name="G_style")))


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_mapping_lrmul(edited, data, scale):
    """mapping_lrmul scales the mapping network's weights and biases, and nothing else."""
    original = read_network(data / "tf_orig_16.pkl").arrays
    scaled = read_network(edited("tf_orig_16", setting("mapping_lrmul", 0.01 * scale))).arrays
    for name, values in original.items():
        factor = scale if name.startswith("mapping/") else 1
        np.testing.assert_allclose(scaled[name], values * factor, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "edit",
    [
        all_of(setting("epochs", 0.0), array("epochs", lambda a: np.float32(7), None)),
        settings(resolution_w=16, resolution_h=16),
        all_of(without_resolution, settings(resolution_w=16, resolution_h=16)),
        settings(impl="ref"),
        settings(impl="cuda", init_res=[4, 4], verbose=True, size=None, scale_type=None),
        all_of(without_resolution, settings(min_h=4, min_w=4, res_log2=2)),
        settings(init_res=[4, 4], res=16, output_shape=[None, 3, 16, 16], square=True),
        settings(res=4, res_log2=4, output_shape=(16, 16, 3), size=[16, 16]),
    ],
    ids=[
        "epochs",
        "sides",
        "sides_alone",
        "diffaugment",
        "eps696",
        "skyflynil",
        "square",
        "logarithms",
    ],
)
def test_square_network_of_a_fork(edited, data, edit):
    """Settings of forks that say nothing new change nothing."""
    record, original = (
        read_network(edited("tf_orig_16", edit)),
        read_network(data / "tf_orig_16.pkl"),
    )
    assert dataclasses.replace(record, arrays={}) == dataclasses.replace(original, arrays={})
    assert not record.notes
    for name, values in original.arrays.items():
        np.testing.assert_array_equal(record.arrays[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("more", "scale"),
    [({}, 1), ({"impl": "cuda"}, 0.03), ({"impl": "cuda", "init_res": [4, 4]}, 1)],
)
def test_embedding_of_labels(edited, golden, more, scale):
    """DiffAugment-stylegan2 scales the embedding of a label by mapping_lrmul, and nothing else;
    others do not."""
    states = []
    path = edited("tf_label_32", all_of(settings(mapping_lrmul=0.03, **more), states.append))
    variables = states[0]["components"]["mapping"]["variables"]
    z, labels = (
        golden("tf_label_32")["z"].astype(float),
        np.eye(5)[[2] * len(golden("tf_label_32")["z"])],
    )
    x = np.concatenate(
        [z, scale * variables["LabelConcat/weight"][[2] * len(z)].astype(float)], axis=1
    )
    x /= np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
    for i in range(sum(name.endswith("/bias") for name in variables)):
        weight, bias = (
            variables[f"Dense{i}/{name}"].astype(float) * 0.03 for name in ("weight", "bias")
        )
        x = x @ weight / np.sqrt(len(weight)) + bias
        x = np.sqrt(2) * np.where(x > 0, x, 0.2 * x)
    generator = load_generator(path, "float64")
    np.testing.assert_allclose(generator.mapping(z, labels)[:, 0], x, rtol=1e-5, atol=1e-6)
    assert [("DiffAugment" in note) for note in generator.notes] == [True] * (scale != 1)


@pytest.mark.parametrize(
    ("name", "pack", "note"),
    [
        ("Gs", lambda network: network, None),
        ("G", lambda network: network, "holds one network, named 'G'"),
        ("G", lambda network: (network, network), "no averaged generator Gs: G is used"),
    ],
)
def test_other_packing(edited, data, name, pack, note):
    """Gs alone, G alone and (G, D) are read, and a note says what was taken unless it is Gs."""
    record = read_network(edited("tf_orig_16", lambda state: state.update(name=name), pack=pack))
    original = read_network(data / "tf_orig_16.pkl")
    np.testing.assert_array_equal(record.arrays["16/rgb/weight"], original.arrays["16/rgb/weight"])
    assert [note in found for found in record.notes] == [True] * (note is not None)


def test_ignored_settings(edited, data):
    """Unknown settings that are to be ignored are, and notes say so; a known or absent name is an
    error."""
    path = edited("tf_orig_16", settings(style_strength=3, attention=[]))
    with pytest.raises(
        InputError, match=r"attention = .* is not known.*`ignore_setting` attention"
    ):
        read_network(path, ["style_strength"])
    for name in ("resolution", "truncation_psi", "nothing"):
        with pytest.raises(InputError, match=f"no unknown setting {name} that could be ignored"):
            read_network(path, ["style_strength", "attention", name])
    record = read_network(path, ["style_strength", "attention"])
    original = read_network(data / "tf_orig_16.pkl")
    np.testing.assert_array_equal(record.arrays["16/rgb/weight"], original.arrays["16/rgb/weight"])
    assert [note[:35] for note in record.notes] == [
        "the setting style_strength is ignor",
        "the setting attention is ignored, a",
    ]


def test_ignored_setting_of_a_script(edited, run_script, tmp_path):
    """The option loads the network, a warning says so, and the option is recorded; without it the
    error names it."""
    path = edited("tf_orig_16", settings(style_strength=3))
    command = [
        "compute_jacobian",
        path,
        "--total_num",
        1,
        "--output_dir",
        "jacobian",
        "--gpu_id",
        "cpu",
    ]
    assert "--ignore_setting style_strength" in run_script(*command).err
    run = run_script(*command, "--ignore_setting", "style_strength")
    assert run.status == 0
    assert "the setting style_strength is ignored" in run.err
    facts = json.loads((tmp_path / "jacobian" / "w_dataset_edited_tf_orig_16.json").read_text())
    assert facts["options"]["ignore_setting"] == ["style_strength"]
    assert "the setting style_strength is ignored" in describe(path, ["style_strength"])
    with pytest.raises(InputError, match=r"a Jacobian\. Expected a generator"):
        describe(tmp_path / "jacobian" / "w_dataset_edited_tf_orig_16.npy", ["style_strength"])


@pytest.mark.parametrize("content", [(1, 2), [1, 2, 3], {"G_ema": 1}, {"G": 1}, (1, 2, 3)])
def test_other_pickle(tmp_path, content):
    """A pickle of anything but three networks is refused, and the error says what it holds."""
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(
        InputError,
        match=f"holds a {type(content).__name__}.*expected (a tuple|TensorFlow networks)",
    ):
        read_network(path)


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_protocol(edited, protocol):
    """A network pickled in a protocol that is not read is named so, by whatever looks at it."""
    path = edited("tf_orig_16", protocol=protocol)
    for read in (read_network, describe):
        with pytest.raises(InputError, match=f"protocol {protocol}, .* pickle it with protocol 2"):
            read(path)


@pytest.mark.parametrize("lrmul", [0.01, 1.0])
def test_write_then_read(tmp_path, path, lrmul):
    """Reading what was written gives the record back, within rounding; a record with labels is
    refused."""
    record = read_network(path)
    path = tmp_path / "written.pkl"
    if record.label_dim:
        with pytest.raises(ValueError, match="labels"):
            write_network(record, path)
        return
    write_network(record, path, lrmul)
    again = read_network(path)
    assert again.arrays.keys() == record.arrays.keys()
    for name, values in record.arrays.items():
        np.testing.assert_allclose(again.arrays[name], values, rtol=1e-5, atol=1e-7, err_msg=name)
    # Joint or separate, normalization is the same without labels.
    same = {"arrays": {}, "label_normalization": "joint"}
    assert dataclasses.replace(again, **same) == dataclasses.replace(record, **same)


def test_write_initial_network(tmp_path):
    """An untrained network of channels that differ between resolutions survives write and read."""
    record = initial_network(32, 16, 24, 3, 128, 20, seed=0)
    write_network(record, tmp_path / "written.pkl", 1.0)
    again = read_network(tmp_path / "written.pkl")
    assert dataclasses.replace(again, arrays={}) == dataclasses.replace(record, arrays={})
    for name, values in record.arrays.items():
        np.testing.assert_allclose(again.arrays[name], values, rtol=1e-5, atol=1e-7, err_msg=name)


def test_write_leaves_no_modules(tmp_path, data):
    """The stand-in classes that pickle needs for writing are gone afterwards."""
    write_network(read_network(data / "tf_orig_16.pkl"), tmp_path / "written.pkl")
    assert not [name for name in sys.modules if name.startswith("dnnlib.tflib")]


@pytest.mark.parametrize(
    "edit",
    [
        array("4x4/Conv/noise_strength", lambda a: np.float32(a)),
        array("lod", lambda a: np.float32(0), None),
    ],
    ids=["noise_strength", "lod"],
)
def test_scalars(edited, data, edit):
    """TensorFlow 1 hands a variable of shape [] over as a NumPy scalar, which is read like an array
    of shape []."""
    record = read_network(edited("tf_orig_16", edit))
    np.testing.assert_array_equal(
        record.arrays["4/conv1/noise"],
        read_network(data / "tf_orig_16.pkl").arrays["4/conv1/noise"],
    )
