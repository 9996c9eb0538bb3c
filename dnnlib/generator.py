"""A generator of any family with a NumPy surface: mapping, truncation, synthesis and derivatives.

What it knows of a network is the interface of families/interface.py.
"""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from dnnlib.class_names import ClassNames, find_class
from dnnlib.errors import InputError
from dnnlib.families import make_network
from dnnlib.linear_map import DeviceCopy, LinearMap, expect_finite, named_memory_error
from dnnlib.record import NetworkRecord

BATCH_MEMORY = 2 << 30  # bytes that one batch of images or tangents may take


class Generator:
    """Made by `dnnlib.load_generator`. Arrays in and out are NumPy, in the generator's dtype.

    Shapes: N codes, L = num_layers, D = edit_dim, and E numbers of a code that no direction moves
    (0 for a StyleGAN); images [N, H, W, C], about -1 to 1, not clipped. A StyleGAN also has w_dim,
    which is D, and w_avg [w_dim].
    """

    w_dim: int
    w_avg: np.ndarray

    def __init__(
        self,
        record: NetworkRecord,
        dtype: str = "float32",
        class_names: ClassNames | None = None,
    ) -> None:
        self.family, self.dtype = record.family, np.dtype(dtype)
        self.z_dim, self.label_dim = record.z_dim, record.label_dim
        self.num_layers = record.num_layers
        self.size, self.resolution = record.size, record.size[0]  # (height, width), and the height
        self.num_channels, self.class_names = record.num_channels, class_names
        self.notes = record.notes  # lines about what the reader of its file ignored or guessed
        # Every visible device has a copy of the network, to share the tangents with the others.
        self._copies = []
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        for device in devices:
            with tf.device(device.name):
                self._copies.append(DeviceCopy(make_network(record, dtype), device.name))
        network = self._network = self._copies[0].network
        self.space, self.edit_dim = record.space, network.edit_dim
        self.layers, self.default_edit_layers = network.layers, network.default_edit_layers
        self.truncation = network.truncation
        if network.w_avg is not None:
            self.w_dim, self.w_avg = network.edit_dim, network.w_avg.numpy()
        self.batch_size = self._largest_batch()  # images, or tangents, at once

        def mapping_jacobian(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(z)
                w = network.mapping(z, labels)[0, 0, : self.edit_dim]
            return tape.jacobian(w, z)[:, 0]  # [D, z_dim]

        z, labels = (tf.TensorSpec((None, size), dtype) for size in (self.z_dim, self.label_dim))
        self._mapping = tf.function(network.mapping, autograph=False, input_signature=[z, labels])
        self._mapping_jacobian = tf.function(
            mapping_jacobian, autograph=False, input_signature=[z, labels]
        )
        self._code_shape = self.num_layers, network.code_dim
        self._synthesis = tf.function(
            lambda codes: network.primal(codes)[0],
            autograph=False,
            input_signature=[tf.TensorSpec((None, *self._code_shape), dtype)],
        )

    def find_class(self, name: str) -> int:
        """The index of the class of this name. Raises InputError if there is none, or more than
        one."""
        return find_class(name, self.class_names, self.label_dim)

    def describe_class(self, index: int) -> str | None:
        """A class with its name, for people; None: its name is not known."""
        return self.class_names and self.class_names.describe(index)

    def sample(self, random: np.random.RandomState, count: int, psi: float = 1.0) -> np.ndarray:
        """Random z [N, z_dim], truncated by psi where `truncation` is "threshold"."""
        return self._network.sample(random, count, psi)

    def mapping(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Codes [N, L, D + E] of z [N, z_dim] and labels [N, label_dim] (None: zeros), not
        truncated.

        Raises InputError if a shape does not fit the network.
        """
        z, labels = self._checked_z(z, labels)
        if not len(z):
            return np.empty((0, *self._code_shape), self.dtype)
        return self._mapping(z, labels).numpy()

    def truncate(self, codes: np.ndarray, psi: float, cutoff: int | None = None) -> np.ndarray:
        """Codes drawn towards the mean, w_avg + psi (w - w_avg), on the first `cutoff` layers
        (None: all): [N, L, D + E]. Where `truncation` is not "mean", the codes as they are."""
        return self._network.truncate(self._checked_codes(codes), float(psi), cutoff).numpy()

    def synthesis(self, codes: np.ndarray) -> np.ndarray:
        """Images [N, H, W, C] of codes [N, L, D + E], with the network's constant noise.

        Raises InputError if the shape does not fit the network, or the codes lie so far off that
        numbers overflow.
        """
        codes = self._checked_codes(codes)
        if not len(codes):  # of which TensorFlow's convolutions may give the shape of their input
            return np.empty((0, *self.size, self.num_channels), self.dtype)
        with named_memory_error(f"{len(codes)} images"):
            images = self._synthesis(codes).numpy()
        return expect_finite(images, "an image")

    def radius_of_codes(self, in_z: bool = False) -> float:
        """How far random codes lie from their mean, on average; in_z: or random z from 0."""
        z = self.sample(np.random.RandomState(0), 64)
        if in_z or self.space == "z":
            return float(np.linalg.norm(z, axis=1).mean())
        w = self.mapping(z)[:, 0]
        return float(np.linalg.norm(w - w.mean(axis=0), axis=1).mean())

    def time_synthesis(self, batch_size: int = 1) -> tuple[float, float]:
        """How long the first batch takes, which pays for building the graph, and how long an image
        after that: measured, in seconds. A graph for tangents, and a tangent, take about as long.
        """
        codes = self.mapping(np.zeros((batch_size, self.z_dim)))
        start = time.perf_counter()
        self.synthesis(codes)
        ready = time.perf_counter()
        self.synthesis(codes)
        return ready - start, (time.perf_counter() - ready) / batch_size

    def even_batch_size(self, images: int) -> int:
        """`batch_size`, or as much less as makes batches of one size for so many images."""
        return math.ceil(images / math.ceil(images / self.batch_size))

    def jacobian_size(self, image_size: int) -> tuple[int, int]:
        """Height and width of an image resized so that its longer side is image_size, if that is
        shorter."""
        longer = max(self.size)
        size = min(image_size, longer)
        height, width = (max(side * size // longer, 1) for side in self.size)
        return height, width

    def expect_layers(self, layers: Sequence[int] | None) -> None:
        """Raise InputError for a layer that is not there; None: all."""
        for layer in layers or ():
            if layer not in range(self.num_layers):
                raise InputError(
                    f"layer {layer}; expected 0 to {self.num_layers - 1} for this network",
                    option="layers",
                )

    def linearize(
        self,
        codes: np.ndarray,
        image_size: int = 256,
        fused_channel: bool = True,
        layers: Sequence[int] | None = None,
    ) -> LinearMap:
        """The derivative of the image at one code [1, L, D + E], for tangents to be pushed through.

        The image is resized so that its longer side is image_size (or left as it is, if that is
        shorter); `fused_channel` averages the channels but for alpha. Tangents shift the code on
        `layers`, or on all. Raises InputError if the shape, or a layer, does not fit the network.
        """
        self.expect_layers(layers)
        height, width = self.jacobian_size(image_size)
        return LinearMap(
            self._copies,
            self._checked_codes(codes, one=True),
            (height, width, 1 if fused_channel else self.num_channels),
            self.size,
            fused_channel,
            self.batch_size,
            layers,
        )

    def jacobian(
        self,
        codes: np.ndarray,
        image_size: int = 256,
        fused_channel: bool = True,
        batch_size: int | None = None,
        progress: Callable[[int], object] | None = None,
        layers: Sequence[int] | None = None,
    ) -> np.ndarray:
        """d image / d code at one code [1, L, D + E], with respect to a shift common to `layers`,
        or to all.

        Returns [H, W, 1, D], or [C, H, W, 1, D] where not `fused_channel`: see `linearize`.
        Published as J in Zhu et al. 2021, eq. 2. `batch_size` tangents are pushed at once;
        `progress` is told the number of tangents of each batch when it is done. Raises InputError
        as `synthesis` does, MemoryError if a batch does not fit.
        """
        linear = self.linearize(codes, image_size, fused_channel, layers)
        jacobian = linear.jacobian(batch_size, progress)
        return jacobian[0] if fused_channel else jacobian

    def jacobian_z(
        self,
        z: np.ndarray,
        labels: np.ndarray | None = None,
        image_size: int = 256,
        fused_channel: bool = True,
        batch_size: int | None = None,
    ) -> np.ndarray:
        """d image / d z at one z [1, z_dim], through the mapping network: as `jacobian`, the last
        axis [z_dim]."""
        codes = self.mapping(z, labels)
        if len(codes) != 1:
            raise InputError(f"{len(codes)} z codes; expected one: call once for each")
        jacobian = self.jacobian(codes, image_size, fused_channel, batch_size)
        return self.chain_to_z(jacobian, z, labels)

    def chain_to_z(
        self, jacobian: np.ndarray, z: np.ndarray, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """d image / d z of d image / d w [..., D] at one z [1, z_dim]: [..., z_dim]. Where
        directions live in z, the two are one.

        dx/dz = dx/dw dw/dz. Raises InputError if a shape does not fit, or numbers overflow.
        """
        if self.space == "z":
            return jacobian
        z, labels = self._checked_z(z, labels)
        if len(z) != 1:
            raise InputError(f"{len(z)} z codes; expected one: call once for each")
        with np.errstate(over="ignore", invalid="ignore"):
            product = jacobian @ self._mapping_jacobian(z, labels).numpy()
        return expect_finite(product, "the Jacobian")

    def _largest_batch(self) -> int:
        """How many images fit into BATCH_MEMORY: about four activations of the largest layer are
        alive at once."""
        largest = max(
            layer.size * (layer.width or layer.size) * layer.outputs for layer in self.layers
        )
        fitting = BATCH_MEMORY // (4 * largest * self.dtype.itemsize)
        batch, chunk = min(max(fitting, 1), self.edit_dim), self._network.chunk
        return batch // chunk * chunk or batch

    def _checked_z(self, z: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise InputError(
                f"z codes of shape {list(z.shape)}; expected [N, {self.z_dim}] for this network"
            )
        if labels is None:
            labels = np.zeros((len(z), self.label_dim))
        if labels.shape != (len(z), self.label_dim):
            raise InputError(
                f"labels of shape {list(labels.shape)}; expected [{len(z)}, {self.label_dim}]"
            )
        return self._cast(z), self._cast(labels)

    def _checked_codes(self, codes: np.ndarray, one: bool = False) -> np.ndarray:
        if codes.ndim != 3 or codes.shape[1:] != self._code_shape or (one and len(codes) != 1):
            layers, size = self._code_shape
            raise InputError(
                f"{'w+ ' if self.space == 'w' else ''}codes of shape {list(codes.shape)}; expected "
                f"[{1 if one else 'N'}, {layers}, {size}] for this network"
            )
        return self._cast(codes)

    def _cast(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # what is too large is an error of the synthesis
            return values.astype(self.dtype, copy=False)
