"""StyleGAN3 on tensors: the synthesis and its tangent.

Karras et al. 2021, "Alias-Free Generative Adversarial Networks", section 3 and appendix F. A layer
is a modulated convolution, then a leaky ReLU at a higher sampling rate, between two filters.

Shapes: N codes; T tangents that share one code; D = w_dim; h x w pixels; C, Ci, Co channels; taps
of filters. Activations are [N, h, w, C]. x counts columns, y rows.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dnnlib.families.stylegan3.filters import downsample, upsample
from dnnlib.families.stylegan3.record import Filtering, StyleGAN3Record
from dnnlib.layers import (
    Convolution,
    activate,
    fused,
    layer_weights,
    mean_of_colors,
    pixels,
    product_rule,
    slope,
)
from dnnlib.mapping import MappingNetwork, StyleNetwork


class KeptInput(NamedTuple):
    """What the tangent of the Input needs."""

    derivatives: tf.Tensor  # [4, h, w, C]: of the features along each number of the transform


class Input:
    """Fourier features of the plane, which w turns and shifts (appendix F)."""

    def __init__(self, record: StyleGAN3Record, dtype: str) -> None:
        weights = layer_weights(record.arrays, "input", dtype)
        self.frequencies, self.phases = weights["frequencies"], weights["phases"]  # [C, 2], [C]
        self.transform = weights["transform"]  # [3, 3]
        self.style_weight, self.style_bias = weights["style_weight"], weights["style_bias"]
        self.weight = weights["weight"] / math.sqrt(weights["weight"].shape[0])  # [C, C]
        self.bandwidth, self.nyquist = record.input_bandwidth, record.input_rate / 2
        height, width = record.input_size
        y, x = (
            tf.constant((2 * np.arange(size) + 1 - size) / (2 * record.input_rate), dtype)
            for size in (height, width)
        )
        self.x, self.y = x[None, None, :, None], y[None, :, None, None]

    def primal(self, w: tf.Tensor) -> tf.Tensor:
        """Features [N, h, w, C] of w [N, D]."""
        return self._features(self._numbers(w))

    def linearize(self, w: tf.Tensor) -> KeptInput:
        """Its derivative passes through four numbers: it is computed along each of them, once."""
        numbers = self._numbers(w)
        along = []
        for unit in tf.unstack(tf.eye(4, dtype=numbers.dtype)):
            with tf.autodiff.ForwardAccumulator(numbers, unit[None]) as accumulator:
                features = self._features(numbers)
            along.append(accumulator.jvp(features)[0])
        return KeptInput(tf.stack(along))

    def tangent(self, kept: KeptInput, dw: tf.Tensor) -> tf.Tensor:
        """[T, D] -> [T, h, w, C]."""
        return tf.tensordot(dw @ self.style_weight, kept.derivatives, axes=1)

    def _numbers(self, w: tf.Tensor) -> tf.Tensor:
        """The transform as cos, sin, x, y, not normalized yet: [N, 4]."""
        return w @ self.style_weight + self.style_bias

    def _features(self, numbers: tf.Tensor) -> tf.Tensor:
        t = numbers / tf.norm(numbers[:, :2], axis=1, keepdims=True)
        cosine, sine, right, down = (t[:, k, None, None] for k in range(4))
        zero, one = tf.zeros_like(cosine), tf.ones_like(cosine)
        rotation = _matrix([[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]])
        shift = _matrix([[one, zero, -right], [zero, one, -down], [zero, zero, one]])
        moved = rotation @ shift @ self.transform  # [N, 3, 3]
        frequencies = self.frequencies @ moved[:, :2, :2]  # [N, C, 2]
        phases = self.phases + (self.frequencies @ moved[:, :2, 2:])[..., 0]  # [N, C]
        excess = tf.norm(frequencies, axis=2) - self.bandwidth
        amplitudes = tf.clip_by_value(1 - excess / (self.nyquist - self.bandwidth), 0, 1)
        angle = self.x * pixels(frequencies[..., 0]) + self.y * pixels(frequencies[..., 1])
        waves = tf.sin(2 * math.pi * (angle + pixels(phases))) * pixels(amplitudes)
        return tf.tensordot(waves, self.weight, axes=1)


def _matrix(rows: list[list[tf.Tensor]]) -> tf.Tensor:
    """[N, 3, 3] of entries [N, 1, 1]."""
    return tf.concat([tf.concat(row, axis=2) for row in rows], axis=1)


# The slope of a leaky ReLU with its clamp as one byte, a quarter of the memory.
_CLAMPED, _BELOW, _ABOVE = -1, 0, 1
_LARGE = 1 << 20  # numbers of an activation


@fused
def _activated(u: tf.Tensor, clamp: float | None) -> tf.Tensor:
    return activate(u, "lrelu", clamp)


@fused
def _slope_codes(u: tf.Tensor, clamp: float | None) -> tf.Tensor:
    codes = tf.where(u > 0, tf.constant(_ABOVE, tf.int8), tf.constant(_BELOW, tf.int8))
    is_clamped = slope(u, "lrelu", clamp) == 0
    return tf.where(is_clamped, tf.constant(_CLAMPED, tf.int8), codes)


@fused
def _sloped(du: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    above, below = (slope(tf.constant(x, du.dtype), "lrelu", None) for x in (1, -1))
    kept = tf.where(codes == _ABOVE, du * above, du * below)
    return tf.where(codes == _CLAMPED, tf.zeros([], du.dtype), kept)


class FilteredLeakyReLU:
    """Up-sampling, leaky ReLU with its clamp, down-sampling (section 3.2).

    Channels are worked on in slices: at the higher rate an activation is much larger.
    """

    def __init__(self, weights: dict[str, tf.Tensor], filtering: Filtering) -> None:
        one = tf.ones([1, 1], weights["bias"].dtype)
        up, down = (_square(weights.get(f"{name}_filter", one)) for name in ("up", "down"))
        self.up, self.down = up * filtering.up**2, down
        self.filtering = filtering

    def primal(self, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """[N, h, w, C] -> [N, h', w', C], and the codes of the slopes at the higher rate."""
        made, codes = [], []
        for channels in self._slices(v):
            u = self._upsample(v[..., channels])
            made.append(self._downsample(_activated(u, self.filtering.clamp)))
            codes.append(_slope_codes(u, self.filtering.clamp))
        return tf.concat(made, axis=3), tf.concat(codes, axis=3)

    def tangent(self, codes: tf.Tensor, dv: tf.Tensor, step: int = 1) -> tf.Tensor:
        """[T, h, w, C] -> [T, h', w', C], at every step-th pixel of every step-th row."""
        made = []
        for channels in self._slices(dv):
            da = _sloped(self._upsample(dv[..., channels]), codes[..., channels])
            made.append(self._downsample(da, step))
        return tf.concat(made, axis=3)

    def _slices(self, x: tf.Tensor) -> list[slice]:
        """Of channels: where an image is large, so that one of them is as large at the higher rate
        as all of them at the lower."""
        height, width, count = x.shape[1:]
        is_large = height * width * count > _LARGE
        size = -(-count // min(self.filtering.up**2, count)) if is_large else count
        return [slice(start, start + size) for start in range(0, count, size)]

    def _upsample(self, x: tf.Tensor) -> tf.Tensor:
        return upsample(x, self.up, self.filtering.up, self.filtering.padding)

    def _downsample(self, a: tf.Tensor, step: int = 1) -> tf.Tensor:
        return downsample(a, self.down, self.filtering.down * step)


def _square(taps: tf.Tensor) -> tf.Tensor:
    """[taps, taps] of a filter that may be given for one axis."""
    return taps if len(taps.shape) == 2 else taps[:, None] * taps


class KeptLayer(NamedTuple):
    """What the tangent of a Layer needs."""

    x: tf.Tensor  # the input
    s: tf.Tensor  # the style, which scales it
    d: tf.Tensor  # the demodulation and the gain, which scale p
    p: tf.Tensor  # the convolution's output
    slopes: tf.Tensor  # codes of them


class Layer:
    """Modulated, demodulated convolution, bias, filtered leaky ReLU."""

    def __init__(self, weights: dict[str, tf.Tensor], filtering: Filtering) -> None:
        self.weight, self.bias = weights["weight"], weights["bias"]  # [k, k, Ci, Co], [Co]
        self.style_weight, self.style_bias = weights["style_weight"], weights["style_bias"]
        self.convolution = Convolution(self.weight, border=self.weight.shape[0] - 1)
        self.gain, self.squares = weights["gain"], tf.reduce_sum(self.weight**2, axis=[0, 1])
        self.nonlinearity = FilteredLeakyReLU(weights, filtering)

    def primal(self, x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, KeptLayer]:
        s = w @ self.style_weight + self.style_bias  # [N, Ci]
        d = tf.math.rsqrt(s**2 @ self.squares) * self.gain  # [N, Co]
        p = self.convolution(x * pixels(s))
        y, slopes = self.nonlinearity.primal(p * pixels(d) + self.bias)
        return y, KeptLayer(x, s, d, p, slopes)

    def tangent(self, kept: KeptLayer, dx: tf.Tensor, dw: tf.Tensor, step: int = 1) -> tf.Tensor:
        x, s, d, p, slopes = kept
        ds = dw @ self.style_weight  # [T, Ci]
        dd = -d * (d / self.gain) ** 2 * ((s * ds) @ self.squares)  # [T, Co]
        dp = self.convolution(product_rule(dx, pixels(s), x, pixels(ds)))
        dv = product_rule(dp, pixels(d), p, pixels(dd))
        return self.nonlinearity.tangent(slopes, dv, step)


class KeptRGB(NamedTuple):
    """What the tangent of ToRGB needs."""

    x: tf.Tensor
    s: tf.Tensor
    slope: tf.Tensor  # 0 where the clamp acts
    weight: tf.Tensor  # [Ci, C], or [Ci, 1] where the channels are averaged


class ToRGB:
    """Modulated 1x1 convolution to the image's channels, not demodulated; bias and clamp."""

    def __init__(self, weights: dict[str, tf.Tensor], filtering: Filtering) -> None:
        self.weight = weights["weight"][0, 0] * weights["gain"]  # [Ci, C]
        self.bias, self.clamp = weights["bias"], filtering.clamp
        self.style_weight, self.style_bias = weights["style_weight"], weights["style_bias"]

    def primal(self, x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, KeptRGB]:
        s = w @ self.style_weight + self.style_bias  # [N, Ci]
        y = tf.tensordot(x * pixels(s), self.weight, axes=1) + self.bias
        return activate(y, "linear", self.clamp), KeptRGB(
            x, s, slope(y, "linear", self.clamp), self.weight
        )

    def tangent(self, kept: KeptRGB, dx: tf.Tensor, dw: tf.Tensor) -> tf.Tensor:
        x, s, slope, weight = kept
        ds = dw @ self.style_weight  # [T, Ci]
        return tf.tensordot(product_rule(dx, pixels(s), x, pixels(ds)), weight, axes=1) * slope


class Kept(NamedTuple):
    """What the tangent of the image needs."""

    input: KeptInput
    layers: list[KeptLayer]
    rgb: KeptRGB
    mean_rgb: bool = False


class StyleGAN3(StyleNetwork):
    """The network: see dnnlib/families/interface.py. A code is w+, [L, D]; where each class has a
    mean w, [L, 2 D], of which the second half is that mean."""

    def __init__(self, record: StyleGAN3Record, dtype: str) -> None:
        self.z_dim, self.label_dim = record.z_dim, record.label_dim
        self.edit_dim = self.code_dim = record.w_dim
        self._means: tf.Tensor | None = None
        self.layers, self.num_layers = record.layers, record.num_layers
        self.w_avg = tf.cast(record.arrays["w_avg"], dtype)
        if len(self.w_avg.shape) == 2:
            self._means, self.code_dim = self.w_avg, 2 * record.w_dim
            self.w_avg = tf.reduce_mean(self._means, axis=0)
        self._num_colors, self._scale = record.num_colors, record.output_scale
        self._mapping = MappingNetwork(record.arrays, record.mapping_layers, dtype)
        self._input = Input(record, dtype)
        weights = [
            layer_weights(record.arrays, str(i), dtype) for i in range(len(record.filterings))
        ]
        self._layers = [
            Layer(each, filtering)
            for each, filtering in zip(weights[:-1], record.filterings[:-1], strict=True)
        ]
        self._to_rgb = ToRGB(weights[-1], record.filterings[-1])
        self._linearize = tf.function(self._kept_at_pixels, autograph=False)

    def mapping(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """w+ [N, L, D] of z [N, z_dim] and labels [N, label_dim]; with the means of classes, [N, L,
        2 D]."""
        codes = super().mapping(z, labels)
        if self._means is None:
            return codes
        means = tf.repeat((labels @ self._means)[:, None], self.num_layers, axis=1)
        return tf.concat([codes, means], axis=2)

    def truncate(self, codes: tf.Tensor, psi: float, cutoff: int | None) -> tf.Tensor:
        """Towards w_avg, or the mean of the class."""
        if self._means is None:
            return super().truncate(codes, psi, cutoff)
        w, means = tf.split(codes, 2, axis=2)
        first = means[:, :cutoff] + psi * (w - means)[:, :cutoff]
        w = first if cutoff is None else tf.concat([first, w[:, cutoff:]], axis=1)
        return tf.concat([w, means], axis=2)

    def primal(self, codes: tf.Tensor) -> tuple[tf.Tensor, tuple[list[KeptLayer], KeptRGB]]:
        """Images [N, H, W, C] of w+ codes [N, L, D]; of the input nothing is kept here."""
        codes = codes[:, :, : self.edit_dim]
        x = self._input.primal(codes[:, 0])
        kept: list[KeptLayer] = []
        for i, layer in enumerate(self._layers):
            x, kept_layer = layer.primal(x, codes[:, i + 1])
            kept.append(kept_layer)
        image, kept_rgb = self._to_rgb.primal(x, codes[:, len(self._layers) + 1])
        return image * self._scale, (kept, kept_rgb)

    def linearize(self, codes: tf.Tensor, step: int = 1, mean_rgb: bool = False) -> Kept:
        """What `tangent` needs at the code [1, L, D]. The mean over RGB is taken before ToRGB is
        applied, unless a clamp acts on the image."""
        kept = self._linearize(codes, step)._replace(mean_rgb=mean_rgb)
        rgb = kept.rgb
        if mean_rgb and not tf.reduce_any(rgb.slope != 1):
            weight = mean_of_colors(rgb.weight, self._num_colors)
            kept = kept._replace(rgb=rgb._replace(weight=weight, slope=rgb.slope[..., :1]))
        return kept

    def _kept_at_pixels(self, codes: tf.Tensor, step: int) -> Kept:
        _, (layers, rgb) = self.primal(codes)
        at_pixels = rgb._replace(x=rgb.x[:, ::step, ::step], slope=rgb.slope[:, ::step, ::step])
        return Kept(self._input.linearize(codes[:, 0, : self.edit_dim]), layers, at_pixels)

    def tangent(self, kept: Kept, dcode: tf.Tensor, step: int = 1) -> tf.Tensor:
        """The derivative of the image along dcode [T, L, D], added to w+."""
        dx = self._input.tangent(kept.input, dcode[:, 0])
        for i, (layer, kept_layer) in enumerate(zip(self._layers, kept.layers, strict=True), 1):
            # Only every step-th pixel is left after the last filter.
            shown = step if layer is self._layers[-1] else 1
            dx = layer.tangent(kept_layer, dx, dcode[:, i], shown)
        image = self._to_rgb.tangent(kept.rgb, dx, dcode[:, -1]) * self._scale
        if kept.mean_rgb:
            return mean_of_colors(image, self._num_colors)
        return image
