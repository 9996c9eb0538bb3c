"""What the readers of all BigGAN files share: the arrays of a file on their way into a record.

A format says what its arrays are named, how a matrix is normalized, and where statistics stand.
"""

from dataclasses import dataclass

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays, Shape
from dnnlib.errors import InputError
from dnnlib.families.biggan.record import BigGANRecord

Tables = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Names:
    """Of the arrays of a format. {i} is a block, {k} a layer of it, {number} that
    counted from 1, {suffix} "" or _{k}."""

    embedding: str
    first: str
    norm: str
    convolution: str
    shortcut: str
    attention: str
    attention_output: str  # its last matrix
    parts: Tables  # of a batch norm: its gain and its bias
    output_norm: str
    output_parts: Tables
    output: str


class ArrayReader:
    """Takes the arrays of a file into a record, of which the settings are known.

    `class_dim` numbers of a condition are the embedding of the class, `chunk` those of z;
    `class_comes_first` of the two.
    """

    names: Names
    class_comes_first = False
    first_is_channels_first = False  # whether the first layer is laid out [C, 4, 4]

    def __init__(
        self, source: NamedArrays, record: BigGANRecord, chunk: int, class_dim: int
    ) -> None:
        self.source, self.record, self.to = source, record, record.arrays
        self.chunk, self.class_dim = chunk, class_dim

    def take_matrix(self, name: str, shape: Shape) -> np.ndarray:
        """The weight of a layer over its spectral norm, [out, in] or [out, in, k, k]."""
        raise NotImplementedError

    def take_vector(self, name: str, size: int) -> np.ndarray:
        """[size], a bias or the gain of the last batch norm."""
        return self.source.take(name, (size,))

    def take_embedding(self) -> np.ndarray:
        """[classes, class_dim]."""
        return self.source.take(self.names.embedding, (self.record.label_dim, self.class_dim))

    def take_statistics(self, name: str, index: int, channels: int) -> tuple[np.ndarray, ...]:
        """Mean and variance of a batch norm, the index-th in the order of the data flow: [C], or
        [truncations, C]."""
        raise NotImplementedError

    def bias_name(self, layer: str) -> str:
        return f"{layer}.bias"

    def read_all(self, has_attention: tuple[bool, ...]) -> None:
        """Raises InputError if an array is lacking, of another shape, or not finite."""
        if self.class_dim:
            self.to["embedding"] = self.take_embedding()
        channels = self._read_first()
        blocks = len(self.record.up_samples)
        for i in range(blocks):
            channels = self._read_block(i, channels)
            if has_attention[i]:
                self._read_attention(i, channels)
        name, layer = self.names.output_norm, "output/norm"
        for part, stored in zip(("gain", "bias"), self.names.output_parts, strict=True):
            self.to[f"{layer}/{part}"] = self.take_vector(name + stored, channels)
        mean, variance = self.take_statistics(name, blocks * self._norms, channels)
        self.to[f"{layer}/mean"], self.to[f"{layer}/variance"] = mean, variance
        self._read_convolution(self.names.output, "output", channels, None, 3)
        for part in ("output/weight", "output/bias"):  # there may be more outputs than colours
            self.to[part] = np.ascontiguousarray(self.to[part][..., :3])

    def _name(self, pattern: str, i: int, k: int = 0) -> str:
        suffix = f"_{k}" if k else ""
        return pattern.format(i=self.block_name(i), k=k, number=k + 1, suffix=suffix)

    def block_name(self, i: int) -> str:
        """What stands for {i}."""
        return str(i)

    @property
    def _norms(self) -> int:
        """Of a block."""
        return 4 if self.record.variant == "deep" else 2

    def _z_first(self, weight: np.ndarray) -> np.ndarray:
        """Rows [z, class] of rows in the order of the file."""
        rolled = np.roll(weight, self.chunk, axis=0) if self.class_comes_first else weight
        return np.ascontiguousarray(rolled)

    def _read_first(self) -> int:
        record = self.record
        z_dim = record.z_dim if record.variant == "flat" else self.chunk
        inputs = z_dim + self.class_dim * (record.variant == "deep")
        weight = self.take_matrix(self.names.first, (None, inputs))
        channels, rest = divmod(len(weight), 16)
        if rest:
            raise InputError(
                f"has {len(weight)} outputs of its first layer; expected 4 x 4 for each channel"
            )
        bias = self.take_vector(self.bias_name(self.names.first), 16 * channels)
        if self.first_is_channels_first:
            weight = np.moveaxis(weight.reshape(channels, 16, inputs), 0, 1).reshape(-1, inputs)
            bias = bias.reshape(channels, 16).T.ravel()
        weight = weight.T
        self.to["linear/weight"] = self._z_first(weight) if record.variant == "deep" else weight
        self.to["linear/bias"] = bias
        return channels

    def _read_block(self, i: int, inputs: int) -> int:
        """Gives the number of its output channels."""
        deep = self.record.variant == "deep"
        kernels = (1, 3, 3, 1) if deep else (3, 3)
        channels = inputs
        for k, kernel in enumerate(kernels):
            self._read_norm(i, k, channels)
            outputs = inputs // 4 if deep and k < 3 else channels if k else None
            name = self._name(self.names.convolution, i, k)
            outputs = None if k == len(kernels) - 1 and deep else outputs
            channels = self._read_convolution(name, f"{i}/conv{k}", channels, outputs, kernel)
        if not deep:
            shortcut = self._name(self.names.shortcut, i)
            self._read_convolution(shortcut, f"{i}/shortcut", inputs, channels, 1)
        elif channels > inputs:
            raise InputError(
                f"its block {i} has {channels} channels after {inputs}; expected no more than "
                "before"
            )
        return channels

    def _read_norm(self, i: int, k: int, channels: int) -> None:
        name, layer = self._name(self.names.norm, i, k), f"{i}/norm{k}"
        for part, stored in zip(("gain", "bias"), self.names.parts, strict=True):
            if self.class_dim:
                weight = self.take_matrix(name + stored, (channels, self.class_dim + self.chunk))
                self.to[f"{layer}/{part}"] = self._z_first(weight.T)
            else:
                table = (self.record.label_dim, channels)
                self.to[f"{layer}/{part}"] = self.source.take(f"{name}{stored}.weight", table)
        index = self._norms * i + k
        mean, variance = self.take_statistics(name, index, channels)
        self.to[f"{layer}/mean"], self.to[f"{layer}/variance"] = mean, variance

    def _read_convolution(
        self, name: str, layer: str, inputs: int, outputs: int | None, kernel: int
    ) -> int:
        """Gives the number of its output channels."""
        weight = self.take_matrix(name, (outputs, inputs, kernel, kernel))
        self.to[f"{layer}/weight"] = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
        self.to[f"{layer}/bias"] = self.take_vector(self.bias_name(name), len(weight))
        return len(weight)

    def _read_attention(self, i: int, channels: int) -> None:
        name, layer = self._name(self.names.attention, i), f"{i}/attention"
        narrow, wide = channels // 8, channels // 2
        shapes = {
            "theta": (narrow, channels),
            "phi": (narrow, channels),
            "g": (wide, channels),
            "o": (channels, wide),
        }
        for part, shape in shapes.items():
            stored = self.names.attention_output if part == "o" else part
            weight = self.take_attention_matrix(name, stored, (*shape, 1, 1))
            self.to[f"{layer}/{part}"] = np.ascontiguousarray(weight[:, :, 0, 0].T)
        self.to[f"{layer}/gamma"] = self.take_gamma(name)

    def take_attention_matrix(self, name: str, part: str, shape: Shape) -> np.ndarray:
        """As `take_matrix`, of the attention."""
        return self.take_matrix(name + part, shape)

    def take_gamma(self, name: str) -> np.ndarray:
        """The weight of attention, [], which may be stored as [1]. Raises InputError for more."""
        gamma = self.source.take(name + "gamma", self.source.shape(name + "gamma") or ())
        if gamma.size != 1:
            raise InputError(f"its {name}gamma has {gamma.size} numbers; expected one")
        return gamma.reshape(())
