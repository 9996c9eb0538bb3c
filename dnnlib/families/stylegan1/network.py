"""StyleGAN1 on tensors: the synthesis and its tangent.

Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks".
Shapes: N codes; T tangents that share one code; D = w_dim; h x w pixels; Ci, Co channels.
Activations are [N, h, w, C].
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dnnlib.families.stylegan1.record import StyleGAN1Record
from dnnlib.layers import (
    EPSILON,
    Convolution,
    DoublingConvolution,
    activate,
    layer_weights,
    mean_of_colors,
    pixels,
    slope,
)
from dnnlib.mapping import MappingNetwork, StyleNetwork


class KeptLayer(NamedTuple):
    """What the tangent of a Layer needs."""

    slope: tf.Tensor  # of the activation
    normalized: tf.Tensor  # [1, h, w, C]
    inverse: tf.Tensor  # [1, 1, 1, C]: one over the deviation
    scale: tf.Tensor  # [1, C], of the style


class Layer:
    """A convolution, or what stands for it; noise, bias, activation; then the style by adaptive
    instance normalization (section 2)."""

    def __init__(
        self,
        weights: dict[str, tf.Tensor],
        activation: str,
        linear: Callable[[tf.Tensor], tf.Tensor],
    ) -> None:
        self.linear, self.activation = linear, activation
        noise = weights["noise"][:, :, None] * weights["strength"]
        self.added = noise + weights["bias"]  # [h, w, C]
        self.style_weight, self.style_bias = weights["style_weight"], weights["style_bias"]

    def primal(self, x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, KeptLayer]:
        scale, shift = tf.split(w @ self.style_weight + self.style_bias, 2, axis=1)  # [N, C]
        v = self.linear(x) + self.added
        a = activate(v, self.activation)
        mean, variance = tf.nn.moments(a, axes=[1, 2], keepdims=True)
        inverse = tf.math.rsqrt(variance + EPSILON)
        n = (a - mean) * inverse
        kept = KeptLayer(slope(v, self.activation, None), n, inverse, scale)
        return n * pixels(scale) + pixels(shift), kept

    def tangent(self, kept: KeptLayer, dx: tf.Tensor, dw: tf.Tensor) -> tf.Tensor:
        dscale, dshift = tf.split(dw @ self.style_weight, 2, axis=1)  # [T, C]
        slope, n, inverse, scale = kept
        da = self.linear(dx) * slope
        mean = tf.reduce_mean(da, axis=[1, 2], keepdims=True)
        along = tf.reduce_mean(n * da, axis=[1, 2], keepdims=True)
        dn = (da - mean - n * along) * inverse
        return dn * pixels(scale) + n * pixels(dscale) + pixels(dshift)


class Kept(NamedTuple):
    """What the tangent of the image needs."""

    layers: list[KeptLayer]
    rgb: tf.Tensor  # [Ci, C], or [Ci, 1] where the channels are averaged


class StyleGAN1(StyleNetwork):
    """The network: see dnnlib/families/interface.py. A code is w+, [L, D]; noise is constant."""

    def __init__(self, record: StyleGAN1Record, dtype: str) -> None:
        self.z_dim, self.label_dim = record.z_dim, record.label_dim
        self.edit_dim = self.code_dim = record.w_dim
        self.layers, self.num_layers = record.layers, record.num_layers
        self.w_avg = tf.cast(record.arrays["w_avg"], dtype)
        self._num_colors = record.num_colors
        self._mapping = MappingNetwork(
            record.arrays,
            record.mapping_layers,
            dtype,
            record.mapping_activation,
            record.normalize_z,
            "joint",
        )
        taps = np.asarray(record.blur)
        self._blur = tf.constant(np.outer(taps, taps)[:, :, None, None], dtype)
        self._const = tf.cast(record.arrays["const"], dtype)[None]  # [1, 4, 4, C]
        self._layers = []
        for size in record.resolutions:
            for name in ("conv0", "conv1"):
                weights = layer_weights(record.arrays, f"{size}/{name}", dtype)
                linear = self._linear_part(weights.get("weight"), name == "conv0")
                self._layers.append(Layer(weights, record.activation, linear))
        rgb = layer_weights(record.arrays, "rgb", dtype)
        self._rgb_weight, self._rgb_bias = rgb["weight"], rgb["bias"]
        self._linearize = tf.function(lambda codes: self.primal(codes)[1])

    def _linear_part(
        self, weight: tf.Tensor | None, doubles: bool
    ) -> Callable[[tf.Tensor], tf.Tensor]:
        """What a layer begins with: nothing for the constant."""
        if weight is None:
            return tf.identity
        if not doubles:
            return Convolution(weight)
        doubling, channels = DoublingConvolution(weight), weight.shape[3]
        blur = tf.tile(self._blur, [1, 1, channels, 1])
        return lambda x: tf.nn.depthwise_conv2d(doubling(x), blur, [1, 1, 1, 1], "SAME")

    def primal(self, codes: tf.Tensor) -> tuple[tf.Tensor, list[KeptLayer]]:
        """Images [N, H, W, C] of w+ codes [N, L, D]."""
        x, kept = tf.repeat(self._const, tf.shape(codes)[0], axis=0), []
        for i, layer in enumerate(self._layers):
            x, kept_layer = layer.primal(x, codes[:, i])
            kept.append(kept_layer)
        return tf.tensordot(x, self._rgb_weight, axes=1) + self._rgb_bias, kept

    def linearize(self, codes: tf.Tensor, step: int = 1, mean_rgb: bool = False) -> Kept:
        """What `tangent` needs at the code [1, L, D]. The mean over RGB is taken before ToRGB."""
        rgb = self._rgb_weight
        if mean_rgb:
            rgb = mean_of_colors(rgb, self._num_colors)
        return Kept(self._linearize(codes), rgb)

    def tangent(self, kept: Kept, dcode: tf.Tensor, step: int = 1) -> tf.Tensor:
        """The derivative of the image along dcode [T, L, D], added to w+."""
        dx = tf.repeat(tf.zeros_like(self._const), tf.shape(dcode)[0], axis=0)
        for i, (layer, kept_layer) in enumerate(zip(self._layers, kept.layers, strict=True)):
            dx = layer.tangent(kept_layer, dx, dcode[:, i])
        return tf.tensordot(dx[:, ::step, ::step], kept.rgb, axes=1)
