"""What both demo networks are fitted with: the loss of images, and weights with their running
average."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

AVERAGE_OVER = 500  # steps


def image_loss(images: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """L1 of the pixels, and of their differences to the next pixel below and to the right."""
    error = images - targets
    loss = tf.reduce_mean(tf.abs(error) * weights)
    for axis in (1, 2):
        size = error.shape[axis]
        difference = tf.gather(error, range(1, size), axis=axis) - tf.gather(
            error, range(size - 1), axis=axis
        )
        loss += tf.reduce_mean(tf.abs(difference) * tf.gather(weights, range(1, size), axis=axis))
    return loss


class Weights:
    """The arrays of a network as variables, and their running average.

    Matrices and kernels are trained at unit variance, so that Adam's steps suit every layer:
    StyleGAN2's equalized learning rate.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], scaled: Iterable[str]) -> None:
        """`scaled` are the names of those that are stored times 1 / sqrt(fan_in)."""
        names = set(scaled)
        self._scales = {
            name: np.float32(np.prod(array.shape[:-1]) ** -0.5 if name in names else 1)
            for name, array in arrays.items()
        }
        self.variables = {
            name: tf.Variable(array / self._scales[name]) for name, array in arrays.items()
        }
        self._averages = {name: tf.Variable(each) for name, each in self.variables.items()}

    def effective(self, names: Iterable[str]) -> dict[str, tf.Tensor]:
        """The arrays of these names, as the network takes them."""
        return {name: self.variables[name] * self._scales[name] for name in names}

    def average(self, names: Iterable[str], steps: tf.Tensor) -> None:
        """Take what these are after so many steps into the average: over the last tenth of the
        steps at first, so that the start is soon forgotten."""
        over = tf.minimum(float(AVERAGE_OVER), tf.cast(steps, tf.float32) / 10 + 1)
        for name in names:
            average = self._averages[name]
            average.assign_add((self.variables[name] - average) / over)

    def averaged(self) -> dict[str, np.ndarray]:
        """All arrays of the average."""
        return {name: each.numpy() * self._scales[name] for name, each in self._averages.items()}
