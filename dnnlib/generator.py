"""A StyleGAN2 generator with a NumPy surface: mapping, truncation, synthesis and their
Jacobians."""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from dnnlib.errors import InputError
from dnnlib.families.stylegan2.network import MappingNetwork, SynthesisNetwork, averaged
from dnnlib.record import NetworkRecord

BATCH_MEMORY = 2 << 30  # bytes that one batch of images or tangents may take


class Generator:
    """Made by `dnnlib.load_generator`. Arrays in and out are NumPy, in the generator's dtype.

    Shapes: N codes, L = num_layers, D = w_dim; images [N, H, W, C], about -1 to 1, not clipped.
    """

    def __init__(self, record: NetworkRecord, dtype: str = "float32") -> None:
        self.z_dim, self.w_dim, self.label_dim = record.z_dim, record.w_dim, record.label_dim
        self.num_layers, self.resolution, self.num_channels = (
            record.num_layers,
            record.resolution,
            record.num_channels,
        )
        self.num_colors = record.num_colors  # of the channels, the first ones: without alpha
        self.notes = record.notes  # lines about what the reader of its file ignored or guessed
        self.dtype = np.dtype(dtype)
        self.w_avg = record.arrays["w_avg"].astype(dtype)
        self.batch_size = _batch_size(record, self.dtype)  # images, or tangents, at once
        mapping = MappingNetwork(record, dtype)
        # Every visible device has a copy of the synthesis network, to share the tangents with the
        # others.
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        networks = []
        for device in devices:
            with tf.device(device.name):
                networks.append(SynthesisNetwork(record, dtype))
        self._linear_maps = [
            _LinearMap(network, self.num_colors, device.name)
            for network, device in zip(networks, devices, strict=True)
        ]

        def codes(*shape: int) -> tf.TensorSpec:
            return tf.TensorSpec((None, *shape), dtype)

        def mapping_jacobian(z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(z)
                w = mapping(z, labels)
            return tape.jacobian(w, z)  # [N, D, N, z_dim]

        self._mapping = tf.function(
            mapping, input_signature=[codes(self.z_dim), codes(self.label_dim)]
        )
        self._mapping_jacobian = tf.function(mapping_jacobian)
        self._synthesis = tf.function(
            lambda ws: networks[0].primal(ws)[0],
            input_signature=[codes(self.num_layers, self.w_dim)],
        )

    def mapping(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """w+ codes [N, L, D] of z [N, z_dim] and labels [N, label_dim] (None: zeros), not
        truncated.

        Raises InputError if a shape does not fit the network.
        """
        z, labels = self._checked_z(z, labels)
        if not len(z):
            return np.empty((0, self.num_layers, self.w_dim), self.dtype)
        return np.repeat(self._mapping(z, labels).numpy()[:, None], self.num_layers, axis=1)

    def truncate(self, ws: np.ndarray, psi: float, cutoff: int | None = None) -> np.ndarray:
        """w_avg + psi (w - w_avg) on the first `cutoff` layers (None: all): [N, L, D]."""
        ws = self._checked_ws(ws).copy()
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # what is too far is an error of the synthesis
            ws[:, :cutoff] = self.w_avg + psi * (ws[:, :cutoff] - self.w_avg)
        return ws

    def synthesis(self, ws: np.ndarray) -> np.ndarray:
        """Images [N, H, W, C] of w+ codes [N, L, D], with the network's constant noise.

        Raises InputError if the shape does not fit the network, or the codes lie so far off that
        numbers overflow.
        """
        ws = self._checked_ws(ws)
        if not len(ws):  # of which TensorFlow's convolutions may give the shape of their input
            return np.empty((0, self.resolution, self.resolution, self.num_channels), self.dtype)
        with _memory_error(f"{len(ws)} images"):
            images = self._synthesis(ws).numpy()
        return _expect_finite(images, "an image")

    def seconds_per_image(self) -> float:
        """How long the synthesis of one image takes, measured; a tangent takes about as long."""
        ws = np.repeat(self.w_avg[None, None], self.num_layers, axis=1)
        self.synthesis(ws)  # the first image also pays for building the graph
        start = time.perf_counter()
        self.synthesis(ws)
        return time.perf_counter() - start

    def jacobian(
        self,
        ws: np.ndarray,
        image_size: int = 256,
        fused_channel: bool = True,
        batch_size: int | None = None,
        progress: Callable[[Iterator], Iterator] = iter,
    ) -> np.ndarray:
        """d image / d w at one w+ code [1, L, D], with respect to a shift common to all layers.

        The image is resized to image_size (or left at the network's resolution, if that is
        smaller). Returns [H, W, 1, D] with the channels averaged but for alpha, or [C, H, W, 1, D].
        Published as J in Zhu et al. 2021, eq. 2. `batch_size` tangents are pushed at once;
        `progress` wraps the iterator over batches. Raises InputError as `synthesis` does.
        """
        ws = self._checked_ws(ws, one=True)
        image_size = min(image_size, self.resolution)
        whole_step = self.resolution % image_size == 0
        step = self.resolution // image_size if whole_step else 1
        rows = slice(None) if whole_step else nearest_pixels(self.resolution, image_size)
        channels = 1 if fused_channel else self.num_channels
        jacobian = np.empty((channels, image_size, image_size, 1, self.w_dim), self.dtype)
        batch_size = min(batch_size or self.batch_size, self.w_dim)
        starts = range(0, self.w_dim, batch_size)
        for linear_map in self._linear_maps:
            linear_map.linearize(ws, step, fused_channel)
        free = queue.SimpleQueue()
        for linear_map in self._linear_maps:
            free.put(linear_map)

        def push(start: int) -> None:
            tangents = np.eye(
                batch_size, self.w_dim, start, dtype=self.dtype
            )  # the last batch: zeros at its end
            linear_map = free.get()
            try:
                derivatives = linear_map(tangents)[: self.w_dim - start, rows][:, :, rows]
            finally:
                free.put(linear_map)
            jacobian[..., 0, start : start + batch_size] = derivatives.transpose(3, 1, 2, 0)

        if len(self._linear_maps) == 1:
            for start in progress(starts):
                push(start)
        else:
            with ThreadPoolExecutor(len(self._linear_maps)) as pool:
                for _ in zip(progress(starts), pool.map(push, starts), strict=True):
                    pass
        _expect_finite(jacobian, "the Jacobian")
        return jacobian[0] if fused_channel else jacobian

    def jacobian_z(
        self,
        z: np.ndarray,
        labels: np.ndarray | None = None,
        image_size: int = 256,
        fused_channel: bool = True,
        batch_size: int | None = None,
        progress: Callable[[Iterator], Iterator] = iter,
    ) -> np.ndarray:
        """d image / d z at one z [1, z_dim], through the mapping network: as `jacobian`, the last
        axis [z_dim]."""
        mapping_jacobian = self.mapping_jacobian(z, labels)
        jacobian = self.jacobian(
            self.mapping(z, labels), image_size, fused_channel, batch_size, progress
        )
        return self.chain(jacobian, mapping_jacobian)

    @staticmethod
    def chain(jacobian: np.ndarray, mapping_jacobian: np.ndarray) -> np.ndarray:
        """dx/dz = dx/dw dw/dz: [..., D] and [D, z_dim] -> [..., z_dim]. Raises InputError if
        numbers overflow."""
        with np.errstate(over="ignore", invalid="ignore"):
            return _expect_finite(jacobian @ mapping_jacobian, "the Jacobian")

    def mapping_jacobian(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """d w / d z at one z [1, z_dim]: [D, z_dim]."""
        z, labels = self._checked_z(z, labels)
        if len(z) != 1:
            raise InputError(f"{len(z)} z codes; expected one: call once for each")
        return self._mapping_jacobian(z, labels)[0, :, 0].numpy()

    def _checked_z(self, z: np.ndarray, labels: np.ndarray | None) -> tuple[tf.Tensor, tf.Tensor]:
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
        return tf.constant(self._cast(z)), tf.constant(self._cast(labels))

    def _checked_ws(self, ws: np.ndarray, one: bool = False) -> np.ndarray:
        if ws.ndim != 3 or ws.shape[1:] != (self.num_layers, self.w_dim) or (one and len(ws) != 1):
            raise InputError(
                f"w+ codes of shape {list(ws.shape)}; expected [{1 if one else 'N'}, "
                f"{self.num_layers}, {self.w_dim}] for this network"
            )
        return self._cast(ws)

    def _cast(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # what is too large is an error of the synthesis
            return values.astype(self.dtype, copy=False)


class _LinearMap:
    """The derivative of an image as a function of tangents, on one device."""

    def __init__(self, synthesis: SynthesisNetwork, num_colors: int, device: str) -> None:
        self.num_colors, self.device = num_colors, device

        def derivatives(kept: list, dw: tf.Tensor, step: int, fused_channel: bool) -> tf.Tensor:
            image = synthesis.tangent(kept, dw, step)
            return (
                tf.reduce_mean(image[..., :num_colors], axis=3, keepdims=True)
                if fused_channel
                else image
            )

        self._linearize = tf.function(synthesis.linearize)
        self._derivatives = tf.function(derivatives, reduce_retracing=True)

    def linearize(self, ws: np.ndarray, step: int, fused_channel: bool) -> None:
        """Linearize at the code ws [1, L, D], for every step-th pixel of every step-th row."""
        with tf.device(self.device), _memory_error("one image"):
            kept = self._linearize(ws, step)
        self._kept = averaged(kept, self.num_colors) if fused_channel else kept
        self._step, self._fused_channel = step, fused_channel

    def __call__(self, tangents: np.ndarray) -> np.ndarray:
        """Tangents [T, D] -> [T, H, W, C], C = 1 where the channels are averaged."""
        with tf.device(self.device), _memory_error(f"{len(tangents)} tangents"):
            return self._derivatives(self._kept, tangents, self._step, self._fused_channel).numpy()


@contextlib.contextmanager
def _memory_error(batch: str) -> Iterator[None]:
    """Turn TensorFlow's error for a batch that does not fit into Python's."""
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        raise MemoryError(f"a batch of {batch} does not fit") from None


def _expect_finite(values: np.ndarray, what: str) -> np.ndarray:
    if (
        values.size and not np.isfinite([values.min(), values.max()]).all()
    ):  # without an array of booleans
        raise InputError(
            f"{what} holds NaN or infinity; expected latent codes as the network makes them: take "
            "others, or a smaller distance or --trunc_psi"
        )
    return values


def nearest_pixels(size: int, new_size: int) -> np.ndarray:
    """Source index of each of new_size pixels, as TensorFlow 1 resized: floor(i size /
    new_size)."""
    return np.arange(new_size) * size // new_size


def _batch_size(record: NetworkRecord, dtype: np.dtype) -> int:
    """How many images fit into BATCH_MEMORY: about four activations of the largest layer are alive
    at once."""
    largest = max(
        size**2 * record.arrays[f"{size}/conv1/weight"].shape[3] for size in record.resolutions
    )
    return int(np.clip(BATCH_MEMORY // (4 * largest * dtype.itemsize), 1, record.w_dim))
