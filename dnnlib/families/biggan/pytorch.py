"""State dicts of BigGAN-PyTorch's generators (G_ema.pth), of its BigGAN and its BigGANdeep.

A torch file with the state dict by itself. There are arrays and no settings; sizes are read off
names and shapes. Convolutions are [out, in, k, k], matrices [out, in]; X.u0 [1, out] is the vector
of X.weight's spectral norm (one step of power iteration; a weight without one is used as it is),
and .sv0, .u1, .sv1, ... have no influence.

    shared.weight                       [classes, S]; lacking: every batch norm has tables
    linear.weight, .bias                [C 4 4, in], laid out [C, 4, 4]
    blocks.{i}.0.conv1, conv2, conv_sc  .weight, .bias; deep: conv1 ... conv4
    blocks.{i}.0.bn1, bn2 (... bn4)     .gain.weight, .bias.weight [C, in]; tables: [classes, C];
                                        .stored_mean, .stored_var [C], or .bn.stored_mean and so on
                                        where it was trained with its own batch norm
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

from dnnlib.containers.named_arrays import NamedArrays, Shape
from dnnlib.containers.safe_pickle import Memory
from dnnlib.errors import InputError
from dnnlib.families.biggan.arrays import ArrayReader, Names
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
    has_attention = tuple(f"blocks.{i}.1.gamma" in arrays for i in range(blocks))
    _Arrays(arrays, record, chunk, 0 if has_tables else class_dim).read_all(has_attention)
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
        is_counter = name.endswith(".accumulation_counter")
        if is_counter and arrays.take(name, arrays.shape(name) or ()).any():
            raise InputError(
                f"has sums in its statistics that are not divided yet ({name} is not 0); "
                "expected averages: save it in evaluation mode"
            )


def _count_blocks(arrays: NamedArrays) -> int:
    count = 0
    while f"blocks.{count}.0.conv1.weight" in arrays and count <= MOST_BLOCKS:
        count += 1
    return count


class _Arrays(ArrayReader):
    class_comes_first = True
    first_is_channels_first = True
    names = Names(
        embedding="shared.weight",
        first="linear",
        norm="blocks.{i}.0.bn{number}.",
        convolution="blocks.{i}.0.conv{number}",
        shortcut="blocks.{i}.0.conv_sc",
        attention="blocks.{i}.1.",
        attention_output="o",
        parts=("gain", "bias"),
        output_norm="output_layer.0.",
        output_parts=("gain", "bias"),
        output="output_layer.2",
    )

    def take_matrix(self, name: str, shape: Shape) -> np.ndarray:
        weight = self.source.take(f"{name}.weight", shape)
        if f"{name}.u0" in self.source:
            u = self.source.take(f"{name}.u0", (1, len(weight)))[0]
            weight /= np.float32(power_iteration(weight, u))
        return weight

    def take_statistics(self, name: str, index: int, channels: int) -> tuple[np.ndarray, ...]:
        own = f"{name}bn." if f"{name}bn.stored_mean" in self.source else name
        return tuple(self.source.take(own + each, (channels,)) for each in _STATISTICS)


_STATISTICS = ("stored_mean", "stored_var")
