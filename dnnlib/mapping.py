"""What the networks with a w share: the mapping from z to w, and truncation towards the mean w.

Shapes: N codes; L = num_layers; D = w_dim. A code is w+ [L, D].
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import tensorflow as tf

from dnnlib.layers import activate, layer_weights, normalize


class MappingNetwork:
    """Dense layers from z and the label's embedding to w.

    `joint`: z and the embedding are normalized as one vector; `separate`: each by itself.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray | tf.Tensor],
        layers: int,
        dtype: str,
        activation: str = "lrelu",
        normalize_z: bool = True,
        label_normalization: Literal["joint", "separate"] = "separate",
    ) -> None:
        """`arrays` are mapping/{i}/weight [in, out] and bias, and mapping/embed/weight [label, E]
        and bias where there are labels."""
        self._embed = layer_weights(arrays, "mapping/embed", dtype)
        self._dense = [layer_weights(arrays, f"mapping/{i}", dtype) for i in range(layers)]
        self._activation, self._normalize_z = activation, normalize_z
        self._label_normalization = label_normalization

    def primal(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """w [N, D] of z [N, z_dim] and labels [N, label_dim]."""
        x = z
        if self._embed:
            embedding = labels @ self._embed["weight"] + self._embed["bias"]
            if self._label_normalization == "joint":
                x = tf.concat([z, embedding], axis=1)
        if self._normalize_z:
            x = normalize(x)
        if self._embed and self._label_normalization == "separate":
            x = tf.concat([x, normalize(embedding)], axis=1)
        for layer in self._dense:
            x = activate(x @ layer["weight"] + layer["bias"], self._activation)
        return x


class StyleNetwork:
    """The part of a network's interface that all with a w have in common."""

    space: Literal["w"] = "w"
    truncation: Literal["mean"] = "mean"
    default_edit_layers = range(4, 8)  # as published
    chunk = 1
    z_dim: int
    num_layers: int
    w_avg: tf.Tensor  # [D]
    _mapping: MappingNetwork

    def sample(self, random: np.random.RandomState, count: int, psi: float) -> np.ndarray:
        """Random normal z; psi has its effect in `truncate`."""
        return random.randn(count, self.z_dim)

    def mapping(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """w+ [N, L, D] of z [N, z_dim] and labels [N, label_dim]: one w, repeated."""
        return tf.repeat(self._mapping.primal(z, labels)[:, None], self.num_layers, axis=1)

    def truncate(self, codes: tf.Tensor, psi: float, cutoff: int | None) -> tf.Tensor:
        """w_avg + psi (w - w_avg) on the first `cutoff` layers (None: all)."""
        first = self.w_avg + psi * (codes[:, :cutoff] - self.w_avg)
        return first if cutoff is None else tf.concat([first, codes[:, cutoff:]], axis=1)
