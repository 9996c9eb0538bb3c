"""Layers that families share, each with its tangent; what one family has alone stands in its
network.py.

A layer that is not linear has two methods, written to be read side by side:

    primal(x, w) -> y, kept       the layer's output, and what its linearization needs
    tangent(kept, dx, dw) -> dy   the derivative of y along (dx, dw), where `kept` was made

What is linear in x is its own tangent. Shapes: N codes, or T tangents that share one code (kept
then has N = 1 and broadcasts); h x w pixels; Ci, Co channels. Images and activations are
[N, h, w, C].
"""

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dnnlib import winograd
from dnnlib.winograd import Padding

EPSILON = 1e-8
GAINS = {
    "lrelu": (2**0.5, 0.2),
    "relu": (2**0.5, 0.0),
    "linear": (1.0, 1.0),
    "plain lrelu": (1.0, 0.2),
    "plain relu": (1.0, 0.0),
}  # the gain, and the slope below 0

FEWEST_PIXELS = 32 * 32  # of an activation, for compiling to be worth its 50 ms


def fused(function: Callable) -> Callable:
    """For what runs over whole activations [N, h, w, C], the first argument, between two
    convolutions: compiled into one pass over memory, where TensorFlow's own operations take one
    each."""
    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def chosen(x: tf.Tensor, *rest: Any, **named: Any) -> Any:
        is_large = math.prod(x.shape[1:3]) >= FEWEST_PIXELS
        return (compiled if is_large else function)(x, *rest, **named)

    return chosen


Taps = tuple[float, ...]  # of a filter, the same along rows and columns
NO_FILTER: Taps = (1.0,)
NO_PADDING: Padding = ((0, 0), (0, 0))


def pixels(channels: tf.Tensor) -> tf.Tensor:
    """[N, C] -> [N, 1, 1, C], to scale every pixel of [N, h, w, C] alike."""
    return channels[:, None, None, :]


def filtered(x: tf.Tensor, taps: Taps, size: Sequence[int]) -> tf.Tensor:
    """[N, h, w, C] -> [N, *size, C], from the first pixel on: for a `fused` function, which then
    reads x once."""
    for axis, length in enumerate(size, 1):
        before = [slice(None)] * axis
        parts = (tap * x[(*before, slice(i, i + length))] for i, tap in enumerate(taps) if tap != 0)
        x = functools.reduce(operator.add, parts)
    return x


@fused
def product_rule(
    da: tf.Tensor, b: tf.Tensor, a: tf.Tensor, db: tf.Tensor, padding: Padding = NO_PADDING
) -> tf.Tensor:
    """The derivative of a b, with zeros around."""
    return padded(da * b + a * db, padding)


def times_factor(dx: tf.Tensor, *factor: tf.Tensor, padding: Padding = NO_PADDING) -> tf.Tensor:
    """dx; or the derivative of x s, with zeros around, where `factor` is s, x, ds."""
    return product_rule(dx, *factor, padding=padding) if factor else dx


@fused
def filtered_product_rule(
    da: tf.Tensor,
    taps: Taps,
    b: tf.Tensor,
    a: tf.Tensor,
    db: tf.Tensor,
    *factor: tf.Tensor,
    padding: Padding = NO_PADDING,
) -> tf.Tensor:
    """The derivative of a b, where da is still to be filtered; or that of a b c, with zeros around,
    where `factor` is c, a b, dc."""
    dab = product_rule(filtered(da, taps, a.shape[1:3]), b, a, db)
    return times_factor(dab, *factor, padding=padding)


@fused
def fused_scale(
    x: tf.Tensor, scale: tf.Tensor | float = 1.0, padding: Padding = NO_PADDING
) -> tf.Tensor:
    """x scale, with zeros around."""
    return padded(x * scale, padding)


def padded(x: tf.Tensor, padding: Padding) -> tf.Tensor:
    """[N, h, w, C] with zeros around."""
    return x if padding == NO_PADDING else tf.pad(x, [[0, 0], *padding, [0, 0]])


def inverse_rms(x: tf.Tensor) -> tf.Tensor:
    """[..., C] -> [..., 1]: what scales each row to a mean square of 1."""
    return tf.math.rsqrt(tf.reduce_mean(x**2, axis=-1, keepdims=True) + EPSILON)


def normalize(x: tf.Tensor) -> tf.Tensor:
    """Every row of x [..., C] scaled to a mean square of 1."""
    return x * inverse_rms(x)


def mean_of_colors(x: tf.Tensor, count: int) -> tf.Tensor:
    """[..., C] -> [..., 1]: over the first `count` channels, without alpha."""
    return tf.reduce_mean(x[..., :count], axis=-1, keepdims=True)


def activate(x: tf.Tensor, activation: str, clamp: float | None = None) -> tf.Tensor:
    """The activation with its gain, then the clamp to +-clamp."""
    gain, below = GAINS[activation]
    y = x * tf.where(x > 0, tf.constant(gain, x.dtype), tf.constant(gain * below, x.dtype))
    return y if clamp is None else tf.clip_by_value(y, -clamp, clamp)


@fused
def fused_activate(
    p: tf.Tensor,
    taps: Taps,
    scale: tf.Tensor,
    noise: tf.Tensor,
    bias: tf.Tensor,
    activation: str,
    clamp: float | None,
    factor: tf.Tensor | float = 1.0,
    padding: Padding = NO_PADDING,
) -> tf.Tensor:
    """The activation of p scale + noise + bias, where p is still to be filtered, times `factor`,
    with zeros around."""
    p = filtered(p, taps, noise.shape[:2])
    return padded(activate(p * scale + noise + bias, activation, clamp) * factor, padding)


def slope(x: tf.Tensor, activation: str, clamp: float | None) -> tf.Tensor:
    """The derivative of `activate` at x: 0 where the clamp acts."""
    gain, below = GAINS[activation]
    slopes = tf.where(x > 0, tf.constant(gain, x.dtype), tf.constant(gain * below, x.dtype))
    if clamp is None:
        return slopes
    return tf.where(tf.abs(x * slopes) < clamp, slopes, tf.zeros([], x.dtype))


@fused
def fused_slopes(
    p: tf.Tensor,
    taps: Taps,
    scale: tf.Tensor,
    noise: tf.Tensor,
    bias: tf.Tensor,
    activation: str,
    clamp: float | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The derivatives of `fused_activate` with respect to p, filtered, and to scale."""
    p = filtered(p, taps, noise.shape[:2])
    slopes = slope(p * scale + noise + bias, activation, clamp)
    return scale * slopes, p * slopes


def convolve(
    x: tf.Tensor, weight: tf.Tensor, step: int = 1, border: int | None = None
) -> tf.Tensor:
    """[N, h, w, Ci] -> [N, h, w, Co], zeros around the border; or every step-th pixel of every
    step-th row. With a `border` of so many zeros the size changes by 2 border - (k - 1)."""
    if step == 1 and border is None:
        return tf.nn.conv2d(x, weight, strides=1, padding="SAME")
    around = [weight.shape[0] // 2 if border is None else border] * 2
    return tf.nn.conv2d(x, weight, strides=step, padding=[[0, 0], around, around, [0, 0]])


class Convolution:
    """`convolve` with one weight, in the way that is fastest. Linear in x.

    Called in one step, or in two: with the zeros of `padding`, which a `fused` function adds for
    nothing, `of_padded` does the rest.
    """

    taps = NO_FILTER

    def __init__(self, weight: tf.Tensor, border: int | None = None) -> None:
        self.weight, self.border = weight, border

    @functools.cached_property
    def _transformed(self) -> tf.Tensor:
        """The weight as Winograd's convolution takes it, four times as large. Made when a layer
        first needs it, once for all graphs."""
        with tf.init_scope():
            return winograd.transform_weight(self.weight)

    def is_winograd(self, size: Sequence[int], step: int = 1) -> bool:
        """Whether that is the way for an output of `size`, of every step-th pixel."""
        return step == 1 and winograd.is_faster(self.weight, size)

    def __call__(self, x: tf.Tensor, step: int = 1) -> tf.Tensor:
        """[N, h, w, Ci] -> [N, h, w, Co], or what `border` makes of the size; or every step-th
        pixel of every step-th row."""
        wider = 0 if self.border is None else 2 * self.border + 1 - self.weight.shape[0]
        size = [(side + wider) // step for side in x.shape[1:3]]
        x = padded(x, self.padding(size, step))
        return self.of_padded(x, size, step)

    def padding(self, size: Sequence[int], step: int = 1) -> Padding:
        """The zeros around x that `of_padded` expects for an output of `size`."""
        if not self.is_winograd(size, step):
            return NO_PADDING
        border = 1 if self.border is None else self.border
        return winograd.padding(size, self.weight.shape[2], border)

    def of_padded(self, x: tf.Tensor, size: Sequence[int], step: int = 1) -> tf.Tensor:
        """[N, *size, Co] of x with `padding`."""
        if self.is_winograd(size, step):
            return winograd.convolve(x, self._transformed, size)
        return convolve(x, self.weight, step, self.border)


class DoublingConvolution:
    """A 3x3 convolution of the image with each pixel doubled: [N, h, w, Ci] -> [N, 2h, 2w, Co].

    It is a transposed convolution of stride 2 whose 4x4 kernel sums the taps that meet the same
    pixel: 16 products for four pixels instead of 36. Exact, and linear in x.
    """

    def __init__(self, weight: tf.Tensor) -> None:
        first, middle, last = weight[0], weight[1], weight[2]  # [3, Ci, Co] each
        rows = (last, middle + last, first + middle, first)
        taps = [(row[2], row[1] + row[2], row[0] + row[1], row[0]) for row in rows]
        self.kernel = tf.transpose(tf.convert_to_tensor(taps), [0, 1, 3, 2])  # [4, 4, Co, Ci]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        height, width = x.shape[1:3]
        shape = [tf.shape(x)[0], 2 * height, 2 * width, self.kernel.shape[2]]
        return tf.nn.conv2d_transpose(x, self.kernel, shape, strides=2, padding="SAME")


def upsampling_taps(resample_kernel: tuple[float, ...]) -> np.ndarray:
    """A filter's taps for zeros inserted between the pixels: their sum is 2 an axis."""
    return np.asarray(resample_kernel, np.float64) * 2 / np.sum(resample_kernel)


class UpConvolution:
    """Transposed convolution of stride 2, then the network's FIR filter: [N, h, w, Ci] ->
    [N, 2h, 2w, Co]. Linear in x.

    Called in one step, or in two as a Convolution: then `filtered` with `taps` is what is left, for
    the `fused` function that follows.
    """

    def __init__(self, weight: tf.Tensor, resample_kernel: tuple[float, ...]) -> None:
        self._kernel, count = tf.transpose(weight, [0, 1, 3, 2]), len(resample_kernel)
        size = weight.shape[0]
        before = (count - size + 2) // 2  # rows of zeros that the filter needs before the first
        # Zeros around the input give twice as many, and a last row is given for nothing.
        self._border = -(-before // 2), max(-(-(count - before - size) // 2), 0)
        self.taps = (0.0,) * (before % 2) + tuple(upsampling_taps(resample_kernel[::-1]).tolist())

    def padding(self, *_: object) -> Padding:
        """The zeros around x that `of_padded` expects."""
        return self._border, self._border

    def of_padded(self, x: tf.Tensor, size: Sequence[int], *_: object) -> tf.Tensor:
        """What `filtered` makes [N, *size, Co], of x with `padding`."""
        kernel, _, outputs, _ = self._kernel.shape
        rows, columns = (
            max(wanted + len(self.taps) - 1, 2 * (side - 1) + kernel)
            for wanted, side in zip(size, x.shape[1:3], strict=True)
        )
        shape = [tf.shape(x)[0], rows, columns, outputs]
        return tf.nn.conv2d_transpose(x, self._kernel, shape, strides=2, padding="VALID")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        size = [2 * side for side in x.shape[1:3]]
        y = self.of_padded(padded(x, self.padding()), size)
        return fused_filter(y, self.taps, size)


@fused
def fused_filter(x: tf.Tensor, taps: Taps, size: Sequence[int]) -> tf.Tensor:
    """`filtered`, where nothing follows."""
    return filtered(x, taps, size)


class Upsampling:
    """Up-sampling by 2 with the network's FIR filter. Linear in x."""

    def __init__(self, resample_kernel: tuple[float, ...], dtype: str) -> None:
        taps = upsampling_taps(resample_kernel)
        self.fir = tf.constant(np.outer(taps, taps)[:, :, None, None], dtype)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Zeros inserted after each pixel, then the filter: [N, h, w, C] -> [N, 2h, 2w, C]."""
        height, width, channels = x.shape[1:]
        taps = self.fir.shape[0]
        shape = [tf.shape(x)[0], 2 * height - 2 + taps, 2 * width - 2 + taps, channels]
        fir = self.fir * tf.eye(channels, dtype=x.dtype)  # each channel by itself
        y = tf.nn.conv2d_transpose(x, fir, shape, strides=2, padding="VALID")
        first = taps // 2 - 1  # the larger half of the border before the image, where it is uneven
        return y[:, first : first + 2 * height, first : first + 2 * width]


def layer_weights(
    arrays: Mapping[str, np.ndarray | tf.Tensor], name: str, dtype: str
) -> dict[str, tf.Tensor]:
    """The arrays `name/...` of a network record as tensors, by the last part of their names."""
    return {
        key[len(name) + 1 :]: tf.cast(value, dtype)
        for key, value in arrays.items()
        if key.startswith(name + "/")
    }
