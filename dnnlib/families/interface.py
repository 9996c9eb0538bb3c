"""What a family of generators is to the rest: a network of one interface, and readers of its files.

Shapes: N codes, L = num_layers, D = edit_dim, T tangents that share one code; images [N, H, W, C].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from dnnlib.containers.safe_pickle import Memory
from dnnlib.record import IgnoredSettings, Layer, NetworkRecord

if TYPE_CHECKING:
    import tensorflow as tf


class Network(Protocol):
    """A generator on one device: tensors in and out, but for z, which is drawn with NumPy.

    A code is [L, D + E], one vector for each layer; a direction moves its first D numbers. E is 0
    but where a class embedding goes along that no direction moves. What kind of thing `kept` is
    concerns nobody else; tf.function takes it as an argument.
    """

    space: Literal["w", "z"]  # where directions live
    z_dim: int
    label_dim: int
    edit_dim: int  # D: how many numbers a direction has
    code_dim: int  # D + E
    layers: list[Layer]
    default_edit_layers: range
    truncation: Literal["mean", "threshold"] | None  # in `truncate`, in `sample`, or none
    chunk: int  # numbers of a direction that are cheaper in one batch of tangents; 1: any are
    w_avg: tf.Tensor | None  # [D], of the networks that have a w

    def sample(self, random: np.random.RandomState, count: int, psi: float) -> np.ndarray:
        """Random z [count, z_dim]; where `truncation` is "threshold", by psi."""

    def mapping(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Codes [N, L, D + E] of z [N, z_dim] and labels [N, label_dim], not truncated."""

    def truncate(self, codes: tf.Tensor, psi: float, cutoff: int | None) -> tf.Tensor:
        """Codes drawn towards the mean on the first `cutoff` layers (None: all), if it truncates
        so."""

    def primal(self, codes: tf.Tensor) -> tuple[tf.Tensor, Any]:
        """Images [N, H, W, C], and what each layer keeps for `tangent`."""

    def linearize(self, codes: tf.Tensor, step: int, mean_rgb: bool) -> Any:
        """What `tangent` needs at one code [1, L, D + E], without what only the dropped pixels
        need: for every step-th pixel of every step-th row, of each channel or their mean (but for
        alpha). Called eagerly, so that it may look at values."""

    def tangent(self, kept: Any, dcode: tf.Tensor, step: int) -> tf.Tensor:
        """The derivative of the image along dcode [T, L, D], added to the code: [T, H, W, C], or
        [T, H, W, 1] where `kept` is that of the mean."""


class Reader(NamedTuple):
    """A format of network files."""

    # Makes a record of a generator as its container holds it. Raises InputError for a setting,
    # unless it is ignored, or an array that it does not know; for fields of the wrong kind it may
    # raise nearly anything.
    to_record: Callable[[Any, Memory, IgnoredSettings], NetworkRecord]
    container: Literal["tensorflow", "modules", "state_dict", "saved_model"]
    # Names of arrays that a generator of this format has, and few others: one is enough.
    marks: tuple[str, ...]
    beside: str | None = None  # an array that may stand beside a state dict and belongs to it
    # A dict beside state dicts, of the settings of each by the last part of its name.
    settings_key: str | None = None
    settings_file: str | None = None  # whose JSON, beside the file, is put into the state dict


class Family(NamedTuple):
    """A line of FAMILIES."""

    network: str  # where its Network is, module:class; it imports TensorFlow
    readers: tuple[Reader, ...]
