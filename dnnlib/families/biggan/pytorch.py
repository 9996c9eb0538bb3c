"""State dicts of BigGAN-PyTorch's generators (G_ema.pth), of its BigGAN and its BigGANdeep.

A torch file with the state dict by itself. There are arrays and no settings; sizes are read off
names and shapes. Convolutions are [out, in, k, k], matrices [out, in]; X.u0 [1, out] is the vector
of X.weight's spectral norm (one step of power iteration; a weight without one is used as it is),
and .sv0, .u1, .sv1, ... have no influence.

    shared.weight                       [classes, S]; lacking: every batch norm has tables
    linear.weight, .bias                [C 4 4, in], laid out [C, 4, 4]
    blocks.{i}.0.conv1, conv2, conv_sc  .weight, .bias; deep: conv1 ... conv4
    blocks.{i}.0.bn1, bn2 (... bn4)     .gain.weight, .bias.weight [C, in], .stored_mean, .stored_var
                                        [C]; tables: [classes, C]; .bn.stored_mean and so on where
                                        it was trained with its own batch norm
    blocks.{i}.1.theta, phi, g, o       .weight: attention after block i, with .gamma []
    output_layer.0.gain, .bias, .stored_mean, .stored_var   [C]
    output_layer.2.weight, .bias        [3, C, 3, 3], [3]

A gain's inputs are [class, chunk of z], or all of z in a deep network, whose first layer reads
[class, z]. A BigGAN block up-samples, of a deep network's every second one. epsilon is not in the
file: 1e-5 where there is any sv0, as that program trains; without, the file was converted from
TensorFlow, and it is 1e-4 in the blocks. z is normal.
"""

import re
from typing import Any, Literal

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory
from dnnlib.errors import InputError
from dnnlib.families.biggan.record import MOST_BLOCKS, BigGANRecord
from dnnlib.families.biggan.spectral_norm import power_iteration
from dnnlib.record import IgnoredSettings

MARKS = ("blocks.0.0.conv1.weight", "blocks.0.0.conv2.weight")
_NO_INFLUENCE = re.compile(r"\.(u[1-9]\d?|sv\d\d?)$")
_CROSS_REPLICA = "blocks.0.0.bn1.bn.running_mean"


def to_record(generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings) -> BigGANRecord:
    """The record of a state dict. Raises InputError for an array that this reader does not know, or
    that is lacking, and for statistics of another kind."""
    arrays = NamedArrays(generator.items(), memory)
    trained_here = any(name.endswith(".sv0") for name in arrays.names())
    _expect_statistics(arrays)
    for name in arrays.names():
        if _NO_INFLUENCE.search(name):
            arrays.skip(name)
    blocks = _count_blocks(arrays)
    deep = "blocks.0.0.conv4.weight" in arrays
    if deep and blocks % 2:
        raise InputError(
            f"has {blocks} deep blocks; expected an even number, of which every second up-samples"
        )
    classes, class_dim = arrays.sizes(
        "shared.weight" if "shared.weight" in arrays else "blocks.0.0.bn1.gain.weight", 2
    )
    has_tables = "shared.weight" not in arrays
    inputs = arrays.sizes("linear.weight", 2)[1]
    chunk = 0 if has_tables else arrays.sizes("blocks.0.0.bn1.gain.weight", 2)[1] - class_dim
    variant: Literal["deep", "hierarchical", "flat"] = (
        "deep" if deep else "hierarchical" if chunk else "flat"
    )
    z_dim = {"deep": chunk, "hierarchical": chunk * (blocks + 1), "flat": inputs}[variant]
    up_samples = tuple(not deep or i % 2 == 1 for i in range(blocks))
    record = BigGANRecord(
        z_dim=z_dim,
        label_dim=classes,
        resolution=4 * 2 ** sum(up_samples),
        num_channels=3,
        arrays={},
        format="BigGAN-PyTorch state dict",
        variant=variant,
        up_samples=up_samples,
        epsilon=1e-5 if trained_here else 1e-4,
        output_epsilon=1e-5,
        z_is_truncated=False,
    )
    record.check_settings()
    _Arrays(arrays, record, chunk, 0 if has_tables else class_dim).read_all()
    arrays.expect_none_left()
    return record


def _expect_statistics(arrays: NamedArrays) -> None:
    """Raises InputError, naming how the batch norms were trained, unless their statistics are
    averages."""
    if _CROSS_REPLICA in arrays:
        raise InputError(
            "was trained with --cross_replica, whose gains mean something else in evaluation; "
            "expected the plain batch norm"
        )
    found = [arrays.shape(f"blocks.0.0.bn1.{own}stored_mean") for own in ("", "bn.")]
    if found == [None, None]:
        raise InputError(
            "lacks the statistics of its batch norms (stored_mean), as with --norm_style gn or "
            "nonorm; expected those of bn"
        )
    for name in arrays.names():
        if name.endswith(".accumulation_counter"):
            if arrays.take(name, arrays.shape(name) or ()).any():
                raise InputError(
                    f"has sums in its statistics that are not divided yet ({name} is not 0); "
                    "expected averages: save it in evaluation mode"
                )


def _count_blocks(arrays: NamedArrays) -> int:
    count = 0
    while f"blocks.{count}.0.conv1.weight" in arrays and count <= MOST_BLOCKS:
        count += 1
    return count


class _Arrays:
    """The arrays of a file on their way into a record."""

    def __init__(
        self, source: NamedArrays, record: BigGANRecord, chunk: int, class_dim: int
    ) -> None:
        self.source, self.record, self.to = source, record, record.arrays
        self.chunk, self.class_dim = chunk, class_dim

    def read_all(self) -> None:
        if self.class_dim:
            self.to["embedding"] = self.source.take(
                "shared.weight", (self.record.label_dim, self.class_dim)
            )
        channels = self._read_first()
        for i in range(len(self.record.up_samples)):
            channels = self._read_block(i, channels)
        for name, stored in _STATISTICS:
            self.to[f"output/norm/{name}"] = self._take_statistics("output_layer.0.", stored, channels)
        for name in ("gain", "bias"):
            self.to[f"output/norm/{name}"] = self.source.take(f"output_layer.0.{name}", (channels,))
        self._read_convolution("output_layer.2", "output", channels, 3, 3)

    def _normalized(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """name.weight over its spectral norm."""
        weight = self.source.take(f"{name}.weight", shape)
        if f"{name}.u0" in self.source:
            u = self.source.take(f"{name}.u0", (1, len(weight)))[0]
            weight /= np.float32(power_iteration(weight, u))
        return weight

    def _read_first(self) -> int:
        record = self.record
        inputs = {
            "hierarchical": self.chunk,
            "deep": self.class_dim + self.chunk,
            "flat": record.z_dim,
        }[record.variant]
        weight = self._normalized("linear", (None, inputs))
        channels, rest = divmod(len(weight), 16)
        if rest:
            raise InputError(
                f"has {len(weight)} outputs of its first layer; expected 4 x 4 for each channel"
            )
        weight = weight.reshape(channels, 4, 4, inputs).transpose(3, 1, 2, 0)
        weight = weight.reshape(inputs, 16 * channels)
        self.to["linear/weight"] = self._z_first(weight) if record.variant == "deep" else weight
        bias = self.source.take("linear.bias", (16 * channels,)).reshape(channels, 4, 4)
        self.to["linear/bias"] = bias.transpose(1, 2, 0).ravel()
        return channels

    def _read_block(self, i: int, inputs: int) -> int:
        """Reads a block and its attention, and gives the number of its output channels."""
        name = f"blocks.{i}.0"
        deep = self.record.variant == "deep"
        kernels, hidden = (1, 3, 3, 1) if deep else (3, 3), inputs // 4
        last = f"{name}.conv{len(kernels)}.weight"
        outputs = self.source.sizes(last, 4)[0]
        if deep:
            widths = [inputs, hidden, hidden, hidden, outputs]
        else:
            widths = [inputs, outputs, outputs]
        for k, kernel in enumerate(kernels):
            self._read_norm(f"{name}.bn{k + 1}.", f"{i}/norm{k}", widths[k])
            self._read_convolution(
                f"{name}.conv{k + 1}", f"{i}/conv{k}", widths[k], widths[k + 1], kernel
            )
        if not deep:
            self._read_convolution(f"{name}.conv_sc", f"{i}/shortcut", inputs, outputs, 1)
        elif outputs > inputs:
            raise InputError(
                f"its block {i} has {outputs} channels after {inputs}; expected no more than before"
            )
        if f"blocks.{i}.1.gamma" in self.source:
            self._read_attention(f"blocks.{i}.1", f"{i}/attention", outputs)
        return outputs

    def _read_norm(self, name: str, layer: str, channels: int) -> None:
        record, is_table = self.record, not self.class_dim
        for part in ("gain", "bias"):
            if is_table:
                shape = (record.label_dim, channels)
                self.to[f"{layer}/{part}"] = self.source.take(f"{name}{part}.weight", shape)
                continue
            weight = self._normalized(f"{name}{part}", (channels, self.class_dim + self.chunk))
            self.to[f"{layer}/{part}"] = self._z_first(weight.T)
        for part, stored in _STATISTICS:
            self.to[f"{layer}/{part}"] = self._take_statistics(name, stored, channels)

    def _z_first(self, weight: np.ndarray) -> np.ndarray:
        """Rows [class, z] -> rows [z, class]."""
        return np.roll(weight, self.chunk, axis=0)

    def _take_statistics(self, name: str, stored: str, channels: int) -> np.ndarray:
        own = f"{name}bn.{stored}"
        return self.source.take(own if own in self.source else f"{name}{stored}", (channels,))

    def _read_convolution(
        self, name: str, layer: str, inputs: int, outputs: int, kernel: int
    ) -> None:
        weight = self._normalized(name, (outputs, inputs, kernel, kernel))
        self.to[f"{layer}/weight"] = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
        self.to[f"{layer}/bias"] = self.source.take(f"{name}.bias", (outputs,))

    def _read_attention(self, name: str, layer: str, channels: int) -> None:
        narrow, wide = channels // 8, channels // 2
        shapes = {
            "theta": (narrow, channels),
            "phi": (narrow, channels),
            "g": (wide, channels),
            "o": (channels, wide),
        }
        for part, (outputs, inputs) in shapes.items():
            weight = self._normalized(f"{name}.{part}", (outputs, inputs, 1, 1))
            self.to[f"{layer}/{part}"] = np.ascontiguousarray(weight[:, :, 0, 0].T)
        gamma = self.source.take(f"{name}.gamma", self.source.shape(f"{name}.gamma") or ())
        if gamma.size != 1:
            raise InputError(f"its {name}.gamma has {gamma.size} numbers; expected one")
        self.to[f"{layer}/gamma"] = gamma.reshape(())


_STATISTICS = (("mean", "stored_mean"), ("variance", "stored_var"))
