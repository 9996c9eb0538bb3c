"""Resampling with FIR filters, each channel by itself, which StyleGAN3 does around each
nonlinearity. Linear in x."""

import tensorflow as tf


def upsample(
    x: tf.Tensor, filter: tf.Tensor, factor: int, padding: tuple[int, int, int, int]
) -> tf.Tensor:
    """Zeros inserted after each sample, the last one too, borders of `padding` (left, right, top,
    bottom; cropped where negative), then convolved with a filter [taps, taps]: along an axis,
    `size` samples become size factor + before + after - (taps - 1)."""
    height, width, channels = x.shape[1:]
    taps = filter.shape[0]
    full = [(size - 1) * factor + taps for size in (height, width)]
    shape = tf.stack([tf.shape(x)[0], *full, channels])
    y = tf.nn.depthwise_conv2d_backprop_input(
        shape, _of_each(filter, channels), x, [1, factor, factor, 1], "VALID"
    )
    y.set_shape([None, *full, channels])
    left, right, top, bottom = padding
    for axis, size, before, after in ((1, height, top, bottom), (2, width, left, right)):
        count = size * factor + before + after - (taps - 1)
        y = _window(y, taps - 1 - before, count, axis)
    return y


def downsample(x: tf.Tensor, filter: tf.Tensor, factor: int) -> tf.Tensor:
    """Convolved with a filter [taps, taps] without borders, then every factor-th sample kept: along
    an axis, `size` samples become ceil((size - (taps - 1)) / factor)."""
    kernel = _of_each(filter[::-1, ::-1], x.shape[3])
    return tf.nn.depthwise_conv2d(x, kernel, [1, factor, factor, 1], "VALID")


def _of_each(filter: tf.Tensor, channels: int) -> tf.Tensor:
    return tf.tile(filter[:, :, None, None], [1, 1, channels, 1])


def _window(x: tf.Tensor, start: int, count: int, axis: int) -> tf.Tensor:
    """`count` samples along an axis from `start` on, zeros where there are none."""
    before, after = max(-start, 0), max(start + count - x.shape[axis], 0)
    if before or after:
        x = tf.pad(x, [[before, after] if i == axis else [0, 0] for i in range(4)])
    start += before
    return x[:, start : start + count] if axis == 1 else x[:, :, start : start + count]
