"""A family of generators is a network and a line in FAMILIES: the generator knows its interface
alone."""

import dataclasses
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from dnnlib import families
from dnnlib.families.interface import Family
from dnnlib.generator import Generator
from dnnlib.record import Layer, NetworkRecord

CLASSES, Z, SIZE = 2, 3, 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearRecord(NetworkRecord):
    """Images that are linear in the codes."""

    family = "linear"
    space = "z"

    @property
    def layers(self):
        return [Layer(0, SIZE, "first", Z, 3), Layer(1, SIZE, "second", Z, 3)]


class Linear:
    """Directions live in z; a class embedding of two numbers goes along that none of them moves."""

    space, truncation, w_avg = "z", "threshold", None
    default_edit_layers = range(2)
    chunk = 1

    def __init__(self, record, dtype):
        self.z_dim = self.edit_dim = Z
        self.code_dim, self.label_dim, self.layers = Z + CLASSES, CLASSES, record.layers
        self.weight = tf.cast(record.arrays["weight"], dtype)  # [L, D + E, H, W, C]

    def sample(self, random, count, psi):
        return psi * random.randn(count, Z)

    def mapping(self, z, labels):
        return tf.repeat(tf.concat([z, labels], axis=1)[:, None], 2, axis=1)

    def truncate(self, codes, psi, cutoff):
        return tf.convert_to_tensor(codes)

    def primal(self, codes):
        return tf.einsum("nld,ldhwc->nhwc", codes, self.weight), None

    def linearize(self, codes, step, mean_rgb):
        kept = self.weight[:, :Z, ::step, ::step]
        return tf.reduce_mean(kept, axis=4, keepdims=True) if mean_rgb else kept

    def tangent(self, kept, dcode, step):
        return tf.einsum("tld,ldhwc->thwc", dcode, kept)


@pytest.fixture
def linear(monkeypatch):
    """A generator of a family that is one line more, and its weights."""
    module = types.ModuleType("linear_network")
    module.Linear = Linear
    monkeypatch.setitem(sys.modules, "linear_network", module)
    monkeypatch.setitem(families.FAMILIES, "linear", Family("linear_network:Linear", ()))
    weight = np.random.RandomState(1).randn(2, Z + CLASSES, SIZE, SIZE, 3)
    arrays = {"weight": weight}
    record = LinearRecord(
        z_dim=Z, label_dim=CLASSES, resolution=SIZE, num_channels=3, arrays=arrays
    )
    return Generator(record, "float64"), weight


def test_another_family(linear):
    """Codes with a tail that directions do not move, and no w: all that the generator offers."""
    g, weight = linear
    z, labels = np.eye(Z)[:2], np.eye(CLASSES)
    codes = g.mapping(z, labels)
    assert (g.family, g.space, g.edit_dim, g.num_layers) == ("linear", "z", Z, 2)
    assert not hasattr(g, "w_avg")
    assert codes.shape == (2, 2, Z + CLASSES)
    np.testing.assert_array_equal(g.truncate(codes, 0.5), codes)
    expected = np.einsum("nld,ldhwc->nhwc", codes, weight)
    np.testing.assert_allclose(g.synthesis(codes), expected)
    assert g.sample(np.random.RandomState(0), 4, 0.5).shape == (4, Z)

    jacobian = weight[:, :Z].sum(axis=0)  # [D, H, W, C]
    each = g.jacobian(codes[:1], fused_channel=False)
    np.testing.assert_allclose(each[:, :, :, 0], jacobian.transpose(3, 1, 2, 0))
    mean = jacobian.mean(axis=3).transpose(1, 2, 0)[::2, ::2]
    np.testing.assert_allclose(g.jacobian_z(z[:1], labels[:1], 2)[:, :, 0], mean)
    np.testing.assert_allclose(
        g.linearize(codes[:1], 2).push(np.eye(Z))[..., 0], mean.transpose(2, 0, 1)
    )
