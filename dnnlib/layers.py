"""The layers of StyleGAN2's synthesis network, each with its tangent (DESIGN 3.2 and 4).

A layer has two methods, written to be read side by side:

    primal(x, w) -> y, kept          the layer's output, and what its linearization needs
    tangent(kept, dx, dw) -> dy      the derivative of y along (dx, dw), at the point where `kept` was made

Shapes: N codes, or T tangents that share one code (kept then has N = 1 and broadcasts); h x w pixels;
Ci, Co channels; D = w_dim. Images and activations are [N, h, w, C].
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

EPSILON = 1e-8
Kept = tuple[tf.Tensor, ...]


class StyledConv:
    """Modulated, demodulated 3x3 convolution, up-sampling or not; then noise, bias, activation, clamp.

    The style scales the activations, not the weights: the same numbers, and one convolution serves the whole batch.
    """

    def __init__(self, weights: dict[str, tf.Tensor], activation: str, clamp: float | None,
                 convolve: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> None:
        self.weight = weights["weight"]  # [3, 3, Ci, Co]
        self.style_weight, self.style_bias = weights["style_weight"], weights["style_bias"]  # [D, Ci], [Ci]
        self.noise, self.bias = weights["noise"][:, :, None], weights["bias"]  # [h, w, 1], [Co]
        self.squares = tf.reduce_sum(self.weight**2, axis=[0, 1])  # [Ci, Co]
        self.activation, self.clamp, self.convolve = activation, clamp, convolve

    def primal(self, x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, Kept]:
        s = w @ self.style_weight + self.style_bias  # [N, Ci]
        d = tf.math.rsqrt(s**2 @ self.squares + EPSILON)  # [N, Co]
        p = self.convolve(x * pixels(s), self.weight)  # [N, h, w, Co]
        y, slope = activate(p * pixels(d) + (self.noise + self.bias), self.activation, self.clamp)
        return y, (x, s, d, p, slope)

    def tangent(self, kept: Kept, dx: tf.Tensor, dw: tf.Tensor) -> tf.Tensor:
        x, s, d, p, slope = kept
        ds = dw @ self.style_weight  # [T, Ci]
        dd = -(d**3) * ((s * ds) @ self.squares)  # [T, Co]
        dp = self.convolve(dx * pixels(s) + x * pixels(ds), self.weight)  # [T, h, w, Co]
        return (dp * pixels(d) + p * pixels(dd)) * slope


class ToRGB:
    """Modulated 1x1 convolution to the image's channels, not demodulated; then bias and clamp."""

    def __init__(self, weights: dict[str, tf.Tensor], clamp: float | None) -> None:
        self.weight, self.bias = weights["weight"], weights["bias"]  # [1, 1, Ci, C], [C]
        self.style_weight, self.style_bias = weights["style_weight"], weights["style_bias"]  # [D, Ci], [Ci]
        self.clamp = clamp

    def primal(self, x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, Kept]:
        s = w @ self.style_weight + self.style_bias  # [N, Ci]
        y, slope = activate(convolve(x * pixels(s), self.weight) + self.bias, "linear", self.clamp)
        return y, (x, s, slope)

    def tangent(self, kept: Kept, dx: tf.Tensor, dw: tf.Tensor) -> tf.Tensor:
        x, s, slope = kept
        ds = dw @ self.style_weight  # [T, Ci]
        return convolve(dx * pixels(s) + x * pixels(ds), self.weight) * slope


def pixels(channels: tf.Tensor) -> tf.Tensor:
    """[N, C] -> [N, 1, 1, C], to scale every pixel of [N, h, w, C] alike."""
    return channels[:, None, None, :]


def normalize(x: tf.Tensor) -> tf.Tensor:
    """Every row of x [N, C] scaled to a mean square of 1."""
    return x * tf.math.rsqrt(tf.reduce_mean(x**2, axis=1, keepdims=True) + EPSILON)


def activate(x: tf.Tensor, activation: str, clamp: float | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """The activation with its gain, then the clamp to +-clamp; and the slope of both, 0 where the clamp acts."""
    gain = {"lrelu": np.sqrt(2), "relu": np.sqrt(2), "linear": 1.0}[activation]
    negative = {"lrelu": 0.2, "relu": 0.0, "linear": 1.0}[activation]
    slope = tf.where(x > 0, tf.constant(gain, x.dtype), tf.constant(gain * negative, x.dtype))
    y = x * slope
    if clamp is not None:
        slope = tf.where(tf.abs(y) < clamp, slope, tf.zeros([], x.dtype))
        y = tf.clip_by_value(y, -clamp, clamp)
    return y, slope


def convolve(x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """[N, h, w, Ci] -> [N, h, w, Co], zeros around the border."""
    return tf.nn.conv2d(x, weight, strides=1, padding="SAME")


class Upsampling:
    """Up-sampling by 2 with the network's FIR filter, alone or after a transposed convolution. Linear in x."""

    def __init__(self, resample_kernel: tuple[float, ...], dtype: str) -> None:
        taps = np.asarray(resample_kernel, np.float64) * 2 / np.sum(resample_kernel)  # zeros inserted: gain 2 an axis
        self.fir = tf.constant(np.outer(taps, taps)[::-1, ::-1, None, None], dtype)

    def convolve(self, x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Transposed convolution of stride 2, then the filter: [N, h, w, Ci] -> [N, 2h, 2w, Co]."""
        height, width = x.shape[1:3]
        kernel, _, _, outputs = weight.shape
        size = [tf.shape(x)[0], 2 * height - 2 + kernel, 2 * width - 2 + kernel, outputs]
        y = tf.nn.conv2d_transpose(x, tf.transpose(weight, [0, 1, 3, 2]), size, strides=2, padding="VALID")
        missing = self.fir.shape[0] - kernel + 1  # what the filter would cut below 2h
        return self._filter(y, (missing + 1) // 2, missing - (missing + 1) // 2)

    def image(self, x: tf.Tensor) -> tf.Tensor:
        """Zeros inserted after each pixel, then the filter: [N, h, w, C] -> [N, 2h, 2w, C]."""
        height, width, channels = x.shape[1:]
        y = tf.pad(x[:, :, None, :, None, :], [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])  # [N, h, 2, w, 2, C]
        y = tf.reshape(y, [-1, 2 * height, 2 * width, channels])
        before = (self.fir.shape[0] + 1) // 2
        return self._filter(y, before, self.fir.shape[0] - 1 - before)

    def _filter(self, x: tf.Tensor, before: int, after: int) -> tf.Tensor:
        x = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
        fir = tf.tile(self.fir, [1, 1, x.shape[3], 1])
        return tf.nn.depthwise_conv2d(x, fir, strides=[1, 1, 1, 1], padding="VALID")


def layer_weights(arrays: dict[str, Any], name: str, dtype: str) -> dict[str, tf.Tensor]:
    """The arrays `name/...` of a network record as tensors, by the last part of their names."""
    return {key[len(name) + 1:]: tf.cast(value, dtype) for key, value in arrays.items() if key.startswith(name + "/")}
