"""Resampling with FIR filters along one axis, which StyleGAN3 does around each nonlinearity.

Written as sums of shifted slices, a slice for each tap, which the compiler makes one pass over
memory. Linear in x.
"""

import math

import tensorflow as tf


def upsample(
    x: tf.Tensor, taps: list[float], factor: int, before: int, after: int, axis: int
) -> tf.Tensor:
    """Zeros inserted after each sample, borders of so many zeros (cropped where negative), then
    convolved: `size` samples along the axis become size factor + before + after - (taps - 1).

    Only the taps that meet no zero are multiplied: other ones for each phase of the output.
    """
    size, last = x.shape[axis], len(taps) - 1
    count = size * factor + before + after - last
    length = math.ceil(count / factor)  # of a phase
    phases = []  # of each its taps, and the sample that the first of them meets
    for phase in range(factor):
        first = (before - phase) % factor
        of_phase = [taps[last - t] for t in range(first, len(taps), factor)]
        phases.append((of_phase, (phase + first - before) // factor))
    low = min(start for _, start in phases)
    high = max(start + len(of_phase) for of_phase, start in phases) + length - 1
    x = _padded(x, max(-low, 0), max(high - size, 0), axis)
    shift = max(-low, 0)
    made = [
        _weighted_sum(x, of_phase, [start + shift + k for k in range(len(of_phase))], length, axis)
        for of_phase, start in phases
    ]
    if factor == 1:
        return made[0]
    shape = tf.shape(x)
    joined = tf.stack(made, axis=axis + 1)
    joined = tf.reshape(
        joined, [*(shape[i] if i != axis else length * factor for i in range(len(x.shape)))]
    )
    return _sliced(joined, 0, count, 1, axis)


def downsample(x: tf.Tensor, taps: list[float], factor: int, axis: int) -> tf.Tensor:
    """Convolved without borders, then every factor-th sample kept: `size` samples along the axis
    become ceil((size - (taps - 1)) / factor)."""
    last = len(taps) - 1
    count = math.ceil((x.shape[axis] - last) / factor)
    reversed_taps = [taps[last - t] for t in range(len(taps))]
    return _weighted_sum(x, reversed_taps, list(range(len(taps))), count, axis, factor)


def _weighted_sum(
    x: tf.Tensor, weights: list[float], starts: list[int], count: int, axis: int, step: int = 1
) -> tf.Tensor:
    """The sum over k of weights[k] times `count` samples from starts[k] on."""
    total = weights[0] * _sliced(x, starts[0], count, step, axis)
    for weight, start in zip(weights[1:], starts[1:], strict=True):
        total += weight * _sliced(x, start, count, step, axis)
    return total


def _sliced(x: tf.Tensor, start: int, count: int, step: int, axis: int) -> tf.Tensor:
    kept = slice(start, start + (count - 1) * step + 1, step)
    return x[(slice(None),) * axis + (kept,)]


def _padded(x: tf.Tensor, before: int, after: int, axis: int) -> tf.Tensor:
    if not before and not after:
        return x
    return tf.pad(x, [[before, after] if i == axis else [0, 0] for i in range(len(x.shape))])
