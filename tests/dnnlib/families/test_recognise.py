"""Which generator a file holds is told by its content; a file that holds none is named by what it
is."""

import dataclasses
import gzip
import io
import re
import zipfile

import numpy as np
import pytest
from torch_files import Call, Global, archive, arrays_of, dumps, plain, stream, written

from dnnlib import InputError, read_network
from dnnlib.containers import safe_pickle, torch_file
from dnnlib.containers.torch_file import CHECKPOINTS
from dnnlib.containers.torch_modules import MODULES, Module

ARRAY = np.zeros((1, 24), np.float32)


@pytest.fixture(scope="module")
def networks(data):
    """By name, the content of a golden file: its generator as a module or a state dict; and its
    w_avg or latent_avg."""
    found = {}
    for name in ("pt_skip_64", "pt_label_resnet_16", "pt_label_orig_16"):
        with open(data / f"{name}.pkl", "rb") as file:
            found[name] = plain(safe_pickle.unpickle(file, MODULES))["G_ema"]
            found[name + "/arrays"] = dict(arrays_of(found[name]))
    with open(data / "ros_old_16.pt", "rb") as file:
        content = plain(torch_file.parse(file, CHECKPOINTS))
    return found | {"ros_old_16/arrays": content["g_ema"], "latent_avg": content["latent_avg"]}


def prefixed(arrays, prefix):
    """The arrays under other names."""
    return {prefix + name: values for name, values in arrays.items()}


def expect_same(record, original, **settings):
    """The record is the original's, but for these settings."""
    assert dataclasses.replace(record, arrays={}) == dataclasses.replace(
        original, arrays={}, **settings
    )
    assert record.arrays.keys() == original.arrays.keys()
    for name, values in original.arrays.items():
        np.testing.assert_allclose(record.arrays[name], values, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("form", [dumps, stream, archive])
@pytest.mark.parametrize(
    "make",
    [
        lambda module: module,
        lambda module: {
            "G_ema": module,
            "G": module_of("Generator"),
            "D": module_of("Discriminator"),
            "augment_pipe": module_of("AugmentPipe"),
            "training_set_kwargs": {"a": None},
        },
        lambda module: {"G_ema": module, "D": Call(Global("torch.nn.modules.conv", "Conv2d"), ())},
    ],
)
def test_module(tmp_path, data, networks, form, make):
    """A generator alone or as G_ema is read from a pickle or a file of torch.save, whatever other
    modules are there."""
    record = read_network(written(tmp_path / "file", form(make(networks["pt_label_orig_16"]))))
    expect_same(record, read_network(data / "pt_label_orig_16.pkl"))
    assert record.notes == ()


def module_of(name):
    """A module of this class that no reader knows more of."""
    return Module(
        {"type": "class", "class_name": name, "state": {"unknown": 1, "_parameters": {"a": ARRAY}}}
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda arrays: arrays,
        lambda arrays: {"G_ema": arrays, "G": arrays, "D": {"b4.out.weight": ARRAY}},
        lambda arrays: {
            "state_dict": prefixed(arrays, "G_ema.") | {"D.mapping.fc0.weight": ARRAY},
            "epoch": 3,
        },
        lambda arrays: {"params_ema": prefixed(arrays, "module."), "params": arrays},
    ],
)
@pytest.mark.parametrize("name", ["pt_skip_64", "pt_label_resnet_16", "pt_label_orig_16"])
def test_ada_state_dict(tmp_path, data, networks, name, wrap):
    """A state dict gives the record of its network, with a clamp that the record's notes name."""
    record = read_network(written(tmp_path / "file.pt", archive(wrap(networks[name + "/arrays"]))))
    expect_same(record, read_network(data / f"{name}.pkl"), conv_clamp=256.0)
    assert ["clamp of 256" in note for note in record.notes] == [True]


@pytest.mark.parametrize(
    ("wrap", "notes"),
    [
        (
            lambda arrays, mean: {
                "g_ema": arrays,
                "g": arrays,
                "d": {"convs.0.0.weight": ARRAY},
                "latent_avg": mean,
            },
            "",
        ),
        (lambda arrays, mean: {"g_ema": prefixed(arrays, "module."), "latent_avg": mean}, ""),
        (lambda arrays, mean: {**arrays, "latent_avg": mean}, ""),
        (
            lambda arrays, mean: {"g": arrays, "latent_avg": mean},
            "are those of g: nothing in the file says",
        ),
        (
            lambda arrays, mean: {**prefixed(arrays, "generator."), "latent_avg": mean},
            "are those of generator: nothing",
        ),
    ],
)
def test_rosinality_state_dict(tmp_path, data, networks, wrap, notes):
    """Wherever the arrays are in the file, they are found; what is not said to be averaged is
    noted."""
    content = wrap(networks["ros_old_16/arrays"], networks["latent_avg"])
    record = read_network(written(tmp_path / "file.pt", stream(content)))
    expect_same(record, read_network(data / "ros_old_16.pt"))
    assert notes in " ".join(record.notes)
    assert bool(notes) == bool(record.notes)


def changed(name, **arrays):
    """The content of a state dict with other arrays; None takes one out."""

    def make(networks):
        given = {key.replace("__", "."): values for key, values in arrays.items()}
        return {
            key: values
            for key, values in (networks[name + "/arrays"] | given).items()
            if values is not None
        }

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            changed("pt_skip_64", mapping__fc0__weight=np.zeros((32, 64), "f4")),
            "first mapping layer takes 64 numbers, z",
        ),
        (changed("pt_skip_64", mapping__fc0__weight=np.zeros((32, 16), "f4")), None),
        (
            changed("pt_skip_64", synthesis__b8__surprise=ARRAY),
            "synthesis.b8.surprise is not part of",
        ),
        (
            changed("pt_skip_64", synthesis__b8__attention__weight=ARRAY),
            "arrays synthesis.b8.attention. ... are not part",
        ),
        (changed("pt_skip_64", mapping__w_avg=None), "lacks the array mapping.w_avg"),
        (
            changed("pt_skip_64", synthesis__b9999999__const=ARRAY),
            "arrays synthesis.b9999999. ... are not part of",
        ),
        (
            changed("pt_skip_64", synthesis__b9999__const=ARRAY),
            "lacks the array synthesis.b9999.torgb.bias",
        ),
        (
            changed("pt_label_orig_16", mapping__embed__weight=None),
            "lacks the array mapping.embed.weight",
        ),
    ],
)
def test_unusable_state_dict(tmp_path, networks, make, words):
    """A state dict with arrays that are not those of a generator is refused by their name."""
    path = written(tmp_path / "file.pt", stream(make(networks)))
    if words is None:  # z smaller than w
        assert read_network(path).z_dim == 16
        return
    with pytest.raises(InputError, match=re.escape(words)):
        read_network(path)


def zipped():
    """A network in a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ffhq.pkl", bytes(10_000))
    return file.getvalue()


def saved(write, **arrays):
    """What a function of NumPy writes."""
    file = io.BytesIO()
    write(file, **arrays)
    return file.getvalue()


WHOLE = Call(Global("my.model", "Generator"), ({"_parameters": {}, "_modules": {}},))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (gzip.compress(b"a", mtime=0), "is a gzip archive"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "is a Git LFS pointer: fetch the file itself",
        ),
        (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
        (b"\x93\xff\xfe", "begins with b'\\x93\\xff\\xfe', as no network"),
        (zipped(), "is a zip archive of ffhq.pkl: unpack it"),
        (saved(np.save, arr=ARRAY), "holds an array [1, 24]: "),
        (saved(np.savez, w=ARRAY), "is NumPy's archive of the arrays w: "),
        *(
            (form(ARRAY), "holds an array [1, 24]: directions, latent codes")
            for form in (dumps, stream, archive)
        ),
        (archive({"w": ARRAY}), "holds w, an array [1, 24]: directions or latent codes"),
        (archive([ARRAY]), "holds a list of 1, first an array [1, 24]"),
        *(
            (
                form(
                    {
                        "state_dict": {
                            "encoder.input_layer.0.weight": ARRAY,
                            "decoder.style.1.weight": ARRAY,
                        }
                    }
                ),
                "is an encoder's checkpoint",
            )
            for form in (stream, archive)
        ),
        *(
            (
                form(WHOLE),
                "is a whole PyTorch module: it asks for my.model.Generator; refused, nothing was "
                "executed. Save its state_dict",
            )
            for form in (dumps, stream, archive)
        ),
        (
            archive(Call(Global("torch.nn.modules.container", "Sequential"), ())),
            "is a whole PyTorch module, a Sequential",
        ),
        (dumps({"D": module_of("Discriminator")}), "holds D, a Discriminator, and no G_ema"),
        (
            stream({"convs.0.0.weight": ARRAY, "final_linear.0.weight": ARRAY}),
            "holds a discriminator and no generator",
        ),
        (
            stream({"d": {"convs.0.0.weight": ARRAY}, "iter": 3}),
            "holds a discriminator and no generator",
        ),
        (
            stream({"mapping.fc0.weight": ARRAY, "synthesis.input.weight": ARRAY}),
            "holds the arrays of a StyleGAN3 generator alone",
        ),
        (
            stream({"g_optim": {"state": {0: ARRAY}}, "iter": 3}),
            "holds a dict of 'g_optim', 'iter', and no generator",
        ),
        (
            stream({key: {"style.1.weight": ARRAY} for key in ("g", "h")}),
            "holds several generators (g, h) of which not",
        ),
    ],
)
def test_no_network(tmp_path, content, words):
    """What holds no generator, or several, is named by what it is, and not called damaged."""
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        read_network(written(tmp_path / "file", content))
    message = str(caught.value)
    assert message.isprintable()
    assert "xpected " in message
    assert "damaged" not in message


def test_many_names(tmp_path, monkeypatch):
    """A small file whose dicts are in one another many times is refused before its names take
    memory."""
    monkeypatch.setattr(safe_pickle, "BOUND", 1 << 20)
    content = {"style.1.weight": ARRAY}
    for _ in range(4):
        content = dict.fromkeys(map(str, range(30)), content)
    with pytest.raises(InputError, match="more memory than twice"):
        read_network(written(tmp_path / "hostile.pt", stream(content)))


def test_network_without_a_state(tmp_path):
    """A network that the file gives no state is an error of one line."""
    content = b"\x80\x04cdnnlib.tflib.network\nNetwork\n)\x81."
    with pytest.raises(InputError, match="lack a field"):
        read_network(written(tmp_path / "hostile.pkl", content))


def test_folder(tmp_path):
    """A folder is named where a network is expected."""
    with pytest.raises(InputError, match="is a folder; expected a network file"):
        read_network(tmp_path)


def test_unknown_setting_is_ignored_by_name(tmp_path, data, networks):
    """A setting that is not known is refused with the option that ignores it, and ignored if that
    names it."""
    state = networks["pt_label_orig_16"].state
    changed = Module({"type": "class", "class_name": "Generator", "state": state | {"surprise": 7}})
    path = written(tmp_path / "file.pkl", dumps({"G_ema": changed}))
    with pytest.raises(
        InputError, match=r"setting surprise = 7 is not known.*`ignore_setting` surprise"
    ):
        read_network(path)
    record = read_network(path, ["surprise"])
    expect_same(record, read_network(data / "pt_label_orig_16.pkl"))
    assert ["surprise is ignored" in note for note in record.notes] == [True]
