"""ProGAN on tensors: the synthesis and its tangent.

Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation". A
code is [1, Z + E]: z, and the labels as they are, which no direction moves.

Shapes: N codes; T tangents that share one code; Ci, Co channels. Activations are [N, h, w, C].
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from dnnlib.families.progan.record import ProGANRecord
from dnnlib.layers import (
    Convolution,
    DoublingConvolution,
    activate,
    inverse_rms,
    layer_weights,
    mean_of_colors,
    slope,
)


class KeptNormalization(NamedTuple):
    """What the tangent of `normalized` needs."""

    y: tf.Tensor
    scale: tf.Tensor


def normalized(x: tf.Tensor) -> tuple[tf.Tensor, KeptNormalization]:
    """Every pixel, or row, scaled to a mean square of 1 over its channels."""
    scale = inverse_rms(x)
    return x * scale, KeptNormalization(x * scale, scale)


def normalized_tangent(kept: KeptNormalization, dx: tf.Tensor) -> tf.Tensor:
    y, scale = kept
    return scale * (dx - y * tf.reduce_mean(y * dx, axis=-1, keepdims=True))


class KeptLayer(NamedTuple):
    """What the tangent of a Layer needs."""

    slope: tf.Tensor
    normalization: KeptNormalization


class Layer:
    """What is linear, its bias, leaky ReLU, normalization of each pixel (section 4.2)."""

    def __init__(self, linear: Callable[[tf.Tensor], tf.Tensor], bias: tf.Tensor) -> None:
        self.linear, self.bias = linear, bias

    def primal(self, x: tf.Tensor) -> tuple[tf.Tensor, KeptLayer]:
        v = self.linear(x) + self.bias
        y, kept = normalized(activate(v, "plain lrelu"))
        return y, KeptLayer(slope(v, "plain lrelu", None), kept)

    def tangent(self, kept: KeptLayer, dx: tf.Tensor) -> tf.Tensor:
        return normalized_tangent(kept.normalization, self.linear(dx) * kept.slope)


class Kept(NamedTuple):
    """What the tangent of the image needs."""

    latents: list[KeptNormalization]
    layers: list[KeptLayer]
    rgb: tf.Tensor  # [Ci, C], or [Ci, 1] where the channels are averaged


class ProGAN:
    """The network: see dnnlib/families/interface.py."""

    space: Literal["z"] = "z"
    truncation = None
    default_edit_layers = range(1)
    chunk = num_layers = 1
    w_avg = None

    def __init__(self, record: ProGANRecord, dtype: str) -> None:
        self.z_dim = self.edit_dim = record.z_dim
        self.label_dim, self.layers = record.label_dim, record.layers
        self.code_dim = record.z_dim + record.label_dim
        self._num_colors = record.num_colors
        self._normalizes_z_first = record.normalizes_z_first
        self._normalize_latents = record.normalize_latents
        dense = layer_weights(record.arrays, "4/dense", dtype)
        channels = dense["weight"].shape[1] // 16
        self._layers = [
            Layer(lambda x: tf.reshape(x @ dense["weight"], [-1, 4, 4, channels]), dense["bias"])
        ]
        for size in record.resolutions:
            for name in ("conv0", "conv1"):
                if weights := layer_weights(record.arrays, f"{size}/{name}", dtype):
                    linear = _convolution(weights["weight"], doubles=name == "conv0")
                    self._layers.append(Layer(linear, weights["bias"]))
        rgb = layer_weights(record.arrays, "rgb", dtype)
        self._rgb_weight, self._rgb_bias = rgb["weight"], rgb["bias"]
        self._linearize = tf.function(lambda codes: self.primal(codes)[1])

    def sample(self, random: np.random.RandomState, count: int, psi: float) -> np.ndarray:
        """Random normal z; there is no truncation."""
        return random.randn(count, self.z_dim)

    def mapping(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Codes [N, 1, Z + E] of z [N, Z] and labels [N, E]."""
        return tf.concat([z, labels], axis=1)[:, None]

    def truncate(self, codes: tf.Tensor, psi: float, cutoff: int | None) -> tf.Tensor:
        """The codes as they are."""
        return tf.convert_to_tensor(codes)

    def primal(
        self, codes: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[list[KeptNormalization], list[KeptLayer]]]:
        """Images [N, H, W, C] of codes [N, 1, Z + E]."""
        x, latents, kept = codes[:, 0], [], []
        if self._normalizes_z_first:
            z, kept_z = normalized(x[:, : self.z_dim])
            latents.append(kept_z)
            x = tf.concat([z, x[:, self.z_dim :]], axis=1)
        if self._normalize_latents:
            x, kept_x = normalized(x)
            latents.append(kept_x)
        for layer in self._layers:
            x, kept_layer = layer.primal(x)
            kept.append(kept_layer)
        return tf.tensordot(x, self._rgb_weight, axes=1) + self._rgb_bias, (latents, kept)

    def linearize(self, codes: tf.Tensor, step: int = 1, mean_rgb: bool = False) -> Kept:
        """What `tangent` needs at the code [1, 1, Z + E]. The mean over RGB is taken first."""
        rgb = self._rgb_weight
        if mean_rgb:
            rgb = mean_of_colors(rgb, self._num_colors)
        latents, layers = self._linearize(codes)
        return Kept(latents, layers, rgb)

    def tangent(self, kept: Kept, dcode: tf.Tensor, step: int = 1) -> tf.Tensor:
        """The derivative of the image along dcode [T, 1, Z], added to z."""
        latents, dx = list(kept.latents), dcode[:, 0]
        if self._normalizes_z_first:
            dx = normalized_tangent(latents.pop(0), dx)
        dx = tf.pad(dx, [[0, 0], [0, self.label_dim]])
        if self._normalize_latents:
            dx = normalized_tangent(latents.pop(0), dx)
        for layer, kept_layer in zip(self._layers, kept.layers, strict=True):
            dx = layer.tangent(kept_layer, dx)
        return tf.tensordot(dx[:, ::step, ::step], kept.rgb, axes=1)


def _convolution(weight: tf.Tensor, doubles: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    return DoublingConvolution(weight) if doubles else Convolution(weight)
