"""Winograd's convolution against TensorFlow's in float64."""

import numpy as np
import pytest
import tensorflow as tf

from dnnlib import winograd
from dnnlib.layers import Convolution


@pytest.mark.parametrize("fewest_tiles", [256, 8])
@pytest.mark.parametrize("border", [1, 2, 0])
@pytest.mark.parametrize("size", [(8, 8), (5, 70), (41, 16)])
def test_convolve(monkeypatch, size, border, fewest_tiles):
    """Any size and border, whole or in slices, also where tiles do not fit, within 3e-6."""
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", 1)
    monkeypatch.setattr(winograd, "FEWEST_PRODUCTS", 1)
    monkeypatch.setattr(winograd, "FEWEST_TILES", fewest_tiles)
    monkeypatch.setattr(winograd, "MOST_INPUTS", 1)
    random = np.random.RandomState(0)
    x, weight = random.randn(2, *size, 24), random.randn(3, 3, 24, 16)
    around = [border, border]
    expected = tf.nn.conv2d(x, weight, 1, [[0, 0], around, around, [0, 0]]).numpy()
    x, weight = tf.constant(x, tf.float32), tf.constant(weight, tf.float32)
    convolution = Convolution(weight, border)
    assert convolution.is_winograd(expected.shape[1:3])
    found = convolution(x).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 3e-6 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("shape", "dtype", "is_used"),
    [
        ((3, 3, 256, 256), "float32", True),
        ((3, 3, 256, 63), "float32", False),
        ((1, 1, 256, 256), "float32", False),
        ((3, 3, 256, 256), "float64", False),
    ],
)
def test_rule(monkeypatch, shape, dtype, is_used):
    """It is used for many channels and products in float32 on a CPU, and at every pixel only;
    either way the numbers are those of TensorFlow."""
    random = np.random.RandomState(1)
    monkeypatch.setattr(winograd, "FEWEST_PRODUCTS", 8 * 8 * 256 * 256)
    convolution = Convolution(tf.constant(random.randn(*shape), dtype))
    assert convolution.is_winograd((8, 8)) == is_used
    assert not convolution.is_winograd((8, 7))
    x = tf.constant(random.randn(1, 8, 8, shape[2]), dtype)
    for step in (1, 2):
        expected = tf.nn.conv2d(x, convolution.weight, 1, "SAME")[:, ::step, ::step].numpy()
        found = convolution(x, step).numpy()
        assert np.abs(found - expected).max() <= 3e-6 * np.abs(expected).max()
