"""StyleGAN3 beside its golden numbers: its transform, its filters, what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal

from dnnlib import load_generator, read_network
from dnnlib.containers.torch_modules import Module
from dnnlib.errors import InputError
from dnnlib.families.stylegan3.filters import downsample, upsample
from dnnlib.families.stylegan3.network import FilteredLeakyReLU
from dnnlib.families.stylegan3.record import Filtering

DATA = Path(__file__).parent.parent.parent / "data"
T = DATA / "sg3_t_32.pkl"


@pytest.mark.parametrize(
    ("factor", "padding"), [(2, (3, 4, 5, 2)), (4, (-2, -3, 6, 0)), (1, (0,) * 4)]
)
def test_upsample(factor, padding):
    """Zeros after each sample, borders, and SciPy's convolution."""
    random = np.random.RandomState(0)
    x, taps = random.randn(2, 9, 10, 3), random.randn(7, 7)
    zeros = np.zeros((2, 9, factor, 10, factor, 3))
    zeros[:, :, 0, :, 0] = x
    left, right, top, bottom = padding
    wide = np.pad(zeros.reshape(2, 9 * factor, 10 * factor, 3), [(0, 0), (9, 9), (9, 9), (0, 0)])
    wide = wide[:, 9 - top : 9 + 9 * factor + bottom, 9 - left : 9 + 10 * factor + right]
    expected = signal.fftconvolve(wide, taps[None, :, :, None], mode="valid", axes=(1, 2))
    found = upsample(tf.constant(x), tf.constant(taps), factor, padding)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_downsample(factor):
    """SciPy's convolution without borders, of which every factor-th sample is kept."""
    random = np.random.RandomState(0)
    a, taps = random.randn(2, 11, 12, 3), random.randn(4, 4)
    expected = signal.fftconvolve(a, taps[None, :, :, None], mode="valid", axes=(1, 2))
    found = downsample(tf.constant(a), tf.constant(taps), factor)
    np.testing.assert_allclose(found, expected[:, ::factor, ::factor], atol=1e-9)


def test_slices_of_channels(monkeypatch):
    """Large activations are worked on in slices, with the same result."""
    weights = {"bias": tf.zeros(10), "up_filter": tf.ones(4), "down_filter": tf.ones(4)}
    layer = FilteredLeakyReLU(weights, Filtering(2, 2, (3, 3, 3, 3), 1.5, False))
    v = tf.constant(np.random.RandomState(0).randn(1, 6, 6, 10).astype(np.float32))
    whole, codes = layer.primal(v)
    tangent = layer.tangent(codes, v)
    monkeypatch.setattr("dnnlib.families.stylegan3.network._LARGE", 0)
    assert len(layer._slices(v)) == 4
    sliced, sliced_codes = layer.primal(v)
    np.testing.assert_allclose(sliced, whole, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(sliced_codes, codes)
    assert set(np.unique(codes)) == {-1, 0, 1}
    np.testing.assert_allclose(layer.tangent(codes, v), tangent, rtol=1e-5, atol=1e-4)


def test_transform():
    """A quarter turn turns the features of the input, a shift moves them."""
    record = read_network(T).moved(0, (0, 0))
    assert np.array_equal(record.arrays["input/transform"], np.eye(3))
    moved = read_network(T).moved(90, (0.25, 0.5)).arrays["input/transform"].astype(float)
    # The inverse maps places in the moved picture to those in the picture as it was.
    np.testing.assert_allclose(moved @ [0.25, 0.5, 1], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(moved @ [0.25, 0.5 - 0.1, 1], [0.1, 0, 1], atol=1e-6)


def test_rotate_and_translate():
    """They are options of load_generator, and an error for other families."""
    still, turned = load_generator(T), load_generator(T, rotate=30, translate=(0.1, 0))
    code = still.mapping(np.zeros((1, still.z_dim)))
    assert np.abs(still.synthesis(code) - turned.synthesis(code)).max() > 0.01
    with pytest.raises(InputError, match="a stylegan1 network cannot turn or shift") as caught:
        load_generator(DATA / "sg1_32.pkl", translate=(0.1, 0))
    assert caught.value.option == "translate"


def as_xl(find):
    """The golden network of labels as StyleGAN-XL would have it: a table, a layer after it, and a
    mean w for each class."""
    random = np.random.RandomState(0)
    mapping = find("mapping").state
    dense = mapping["_modules"].pop("embed")
    embedding = Module({"type": "class", "class_name": "Embedding", "state": {}})
    embedding.state = {"padding_idx": None, "max_norm": None, "_modules": {}, "_buffers": {}}
    embedding.state["_parameters"] = {"weight": random.randn(4, 6).astype("f4")}
    dense.state |= {"in_features": 6, "out_features": 24, "activation": "lrelu"}
    dense.state["_parameters"] = {
        "weight": random.randn(24, 6).astype("f4"),
        "bias": random.randn(24).astype("f4"),
    }
    mapping["_modules"] |= {"embed": embedding, "embed_proj": dense}
    first = find("mapping.fc0").state["_parameters"]
    first["weight"] = np.ascontiguousarray(first["weight"][:, :48])
    mapping["_buffers"]["w_avg"] = random.randn(4, 32).astype("f4")


def test_stylegan_xl(edited_modules):
    """w of z and the class by plain NumPy, each class truncated to its own mean; a direction moves
    w alone."""
    path = edited_modules("sg3_r_label_32", as_xl)
    generator, arrays = load_generator(path), {}
    random = np.random.RandomState(0)
    table, weight, bias, means = (
        random.randn(*shape).astype("f4") for shape in ((4, 6), (24, 6), (24,), (4, 32))
    )

    def normalized(x):
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-8)

    def lrelu(x):
        return np.where(x > 0, x, 0.2 * x) * np.sqrt(2)

    arrays = read_network(path).arrays
    z, classes = np.random.RandomState(1).randn(3, 24), [2, 0, 3]
    embedded = lrelu(table[classes] @ weight.T * 0.5 + bias)  # weight_gain, of the golden layer
    x = np.concatenate([normalized(z), normalized(embedded)], axis=1)
    for i in range(2):
        x = lrelu(x @ arrays[f"mapping/{i}/weight"] + arrays[f"mapping/{i}/bias"])
    codes = generator.mapping(z, np.eye(4)[classes])
    np.testing.assert_allclose(codes[:, 0, :32], x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(codes[:, 3, 32:], means[classes], atol=1e-6)
    truncated = generator.truncate(codes, 0.5, 2)[:, :, :32]
    expected = (means[classes] + x) / 2
    np.testing.assert_allclose(truncated[:, 1], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(truncated[:, 2], x, rtol=1e-4, atol=1e-5)
    assert generator.jacobian(codes[:1], 16).shape == (16, 16, 1, 32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resolution": 64}, "make images of 32 x 32; expected 64 x 64"),
        ({"input_size": (20, 20)}, "its layers"),
        ({"input_bandwidth": 9.0}, "bandwidth is 9; expected less than half its rate"),
        ({"output_scale": float("nan")}, "expected numbers above 0"),
        ({"filterings": ()}, "has 0 layers"),
    ],
)
def test_settings(change, words):
    """What cannot be a StyleGAN3 is refused by name."""
    record = dataclasses.replace(read_network(T), **change)
    with pytest.raises(InputError, match=words):
        record.check_settings()
        record.check_sizes()
