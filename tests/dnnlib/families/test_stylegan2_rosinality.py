"""Every array of a rosinality-style checkpoint is used, known to be harmless, or an error that
names it."""

import dataclasses
import re

import numpy as np
import pytest
from torch_files import Call, Global, archive, plain, stream, written

from dnnlib import InputError, read_network
from dnnlib.containers import torch_file
from dnnlib.containers.torch_file import CHECKPOINTS


@pytest.fixture
def edited(tmp_path, data):
    """edited(edit, form): a copy of a golden checkpoint that has gone through edit(content), its
    arrays NumPy's."""

    def make(edit=lambda content: None, form=stream):
        with open(data / "ros_old_16.pt", "rb") as file:
            content = plain(torch_file.load(file, "file", CHECKPOINTS))
        edit(content)
        return written(tmp_path / "edited.pt", form(content))

    return make


def array(name, change):
    """An edit that replaces an array of g_ema with change(array); None removes it."""

    def edit(content):
        value = change(content["g_ema"].pop(name, None))
        if value is not None:
            content["g_ema"][name] = value

    return edit


def overflowing(content):
    """An edit after which w of random codes is infinite."""
    del content["latent_avg"]
    for i in range(1, 5):
        content["g_ema"][f"style.{i}.weight"][:] = 1e30


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda content: content.pop("g_ema"),
            "holds a dict of 'latent_avg', 'iter', 'args', and no generator",
        ),
        (
            lambda content: content.update(g_ema=[1]),
            "holds a dict of 'g_ema', 'latent_avg', 'iter', 'args', and no",
        ),
        (
            lambda content: content.update(latent_avg=np.zeros((6, 24), "f4")),
            "latent_avg has shape [6, 24]; expected [24]",
        ),
        (lambda content: content.update(latent_avg="text"), "lacks the array latent_avg"),
        (array("style.1.weight", lambda a: None), "lacks the array style.1.weight"),
        (
            array("style.1.weight", lambda a: np.zeros((24, 9000), "f4")),
            "first mapping layer takes 9000 numbers, z has 24",
        ),
        (
            array("style.1.weight", lambda a: np.zeros((9000, 9000), "f4")),
            "its z_dim is 9000; expected 8192 at most",
        ),
        (
            array("style.3.weight", lambda a: None),
            "array style.4.weight is not part of|array style.3.bias is not part of",
        ),
        (array("style.3.bias", lambda a: a[:-1]), "style.3.bias has shape [23]; expected [24]"),
        (array("convs.1.conv.weight", lambda a: a[:, :, :-1]), "expected [1, any, 12, 3, 3]"),
        (
            array("convs.1.conv.weight", lambda a: np.full_like(a, np.inf)),
            "convs.1.conv.weight holds NaN or infinity",
        ),
        (
            array("convs.4.conv.weight", lambda a: np.zeros((1, 12, 12, 3, 3), "f4")),
            "convs.4.conv.weight is not part of",
        ),
        (array("to_rgbs.0.bias", lambda a: None), "expected a network of resolution 8 or more"),
        (array("to_rgb1.bias", lambda a: a[0]), "lacks the array to_rgb1.bias of 4 dimensions"),
        (array("noises.noise_2", lambda a: None), "lacks the array noises.noise_2"),
        (array("noises.noise_2", lambda a: a.astype("V2")), "type"),
        (array("to_rgbs.0.upsample.kernel", lambda a: a / 4), "of another sum than 4"),
        (
            array("to_rgbs.0.upsample.kernel", lambda a: a.cumsum(axis=1)),
            "upsample.kernel is not separable",
        ),
        (
            array("to_rgbs.0.upsample.kernel", lambda a: np.ones((9000, 1), "f4")),
            "upsample.kernel is not separable",
        ),
        (
            array("convs.1.noise.weight", lambda a: np.full_like(a, 3e38)),
            "noises.noise_2 holds NaN or infinity",
        ),
        (overflowing, "has a mapping network that overflows"),
        (
            array("convs.0.conv.blur.kernel", lambda a: None),
            "lacks the array convs.0.conv.blur.kernel",
        ),
    ],
)
def test_unusable_network(edited, edit, words):
    """A checkpoint with an array that the reader cannot use is refused in one line that names
    it."""
    path = edited(edit)
    with pytest.raises(InputError, match="|".join(map(re.escape, words.split("|")))) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", [stream, archive])
def test_both_formats(edited, data, form):
    """A checkpoint is the same record in PyTorch's old and new format, whatever else the file
    holds."""

    def edit(content):
        content.update(
            args=Call(Global("argparse", "Namespace"), ()),
            g_optim={0: np.zeros(3, "f8")},
            g=None,
            path=Call(Global("pathlib", "PosixPath"), ("data", "ffhq")),
        )

    record, original = read_network(edited(edit, form)), read_network(data / "ros_old_16.pt")
    assert dataclasses.replace(record, arrays={}) == dataclasses.replace(original, arrays={})
    for name, values in original.arrays.items():
        np.testing.assert_array_equal(record.arrays[name], values, err_msg=name)


def test_without_latent_avg(edited, generator):
    """Without latent_avg, w_avg is the mean w of codes, the same ones each time."""
    paths = [edited(lambda content: content.pop("latent_avg")) for _ in range(2)]
    first, second = (read_network(path).arrays["w_avg"] for path in paths)
    np.testing.assert_array_equal(first, second)
    w = generator("ros_old_16").mapping(np.random.RandomState(1).randn(4096, 24))[:, 0]
    assert np.abs(first - w.mean(axis=0)).max() < 6 * (w.std(axis=0) / 64).max()
