"""Winograd's convolution against TensorFlow's in float64."""

import numpy as np
import pytest
import tensorflow as tf

from dnnlib import winograd
from dnnlib.layers import Convolution


@pytest.mark.parametrize("border", [1, 2, 0])
@pytest.mark.parametrize("size", [(8, 8), (5, 70), (41, 16)])
def test_convolve(size, border):
    """Any size and border, also where tiles and blocks do not fit, within 3e-6."""
    random = np.random.RandomState(0)
    x, weight = random.randn(2, *size, 24), random.randn(3, 3, 24, 16)
    around = [border, border]
    expected = tf.nn.conv2d(x, weight, 1, [[0, 0], around, around, [0, 0]]).numpy()
    x, weight = tf.constant(x, tf.float32), tf.constant(weight, tf.float32)
    found = winograd.convolve(x, winograd.transform_weight(weight), border).numpy()
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
def test_rule(shape, dtype, is_used):
    """It is used for many channels in float32 on a CPU, and at every pixel only; either way the
    numbers are those of TensorFlow."""
    random = np.random.RandomState(1)
    convolution = Convolution(tf.constant(random.randn(*shape), dtype))
    assert (convolution.transformed is not None) == is_used
    x = tf.constant(random.randn(1, 8, 8, shape[2]), dtype)
    for size, step in ((None, 1), (4, 2)):
        expected = tf.nn.conv2d(x, convolution.weight, 1, "SAME")[:, ::step, ::step].numpy()
        found = convolution(x, size).numpy()
        assert np.abs(found - expected).max() <= 3e-6 * np.abs(expected).max()
