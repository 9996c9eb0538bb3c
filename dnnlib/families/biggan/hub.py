"""DeepMind's BigGAN and BigGAN-deep modules of TF Hub: SavedModels, of which no graph is run.

Each trained array X has an average X/{ema}, which is used; u0 [1, out], of a weight's spectral norm
(one step of power iteration, each vector a over sqrt(|a|^2 + 1e-4)), has none. Convolutions are
[k, k, in, out], matrices [in, out]; biases, gains and offsets may have more dimensions.

                     BigGAN, ema_b999900                    BigGAN-deep, ema_0.9999
    embedding        linear/w                               linear/w
    first layer      Generator/G_Z/G_linear/{w,b,u0}        Generator/GenZ/G_linear/...
    block            Generator/GBlock_{i}/conv0, conv1,     .../conv0 ... conv3
                     conv_sc; GBlock is the first one
    batch norms      .../HyperBN{,_1}/gamma, beta           .../BatchNorm{,_1,_2,_3}/scale, offset
    statistics       .../CrossReplicaBN{,_1}/               constants of the graph, see below
                     accumulated_mean, _var
    attention        Generator/attention/theta, phi, g, o_conv, gamma
    output           Generator/ScaledCrossReplicaBN/gamma,  Generator/BatchNorm/scale, offset
                     beta, ...BNbn/accumulated_mean, _var
                     Generator/conv_2d                      Generator/conv_to_rgb, 3 outputs used

A deep network has 51 sets of statistics, one for each truncation: batch norm k in the order of the
data flow has its means in the constant stack_{5k + 1} and its variances in stack_{5k + 3}, [51, C];
a graph without them has those of truncation 1 alone (accumulated_...). A BigGAN's are those of
truncation 1.

Not in the names: a BigGAN block up-samples, of the deep ones every second; the attention stands
after the first block with as many channels as it has. A condition is [z, class]; all epsilon are
1e-4; z is normal, cut at 2, times the truncation.
"""

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays, Shape
from dnnlib.containers.safe_pickle import Memory
from dnnlib.containers.saved_model import SavedModel
from dnnlib.errors import InputError
from dnnlib.families.biggan.arrays import ArrayReader, Names
from dnnlib.families.biggan.record import MOST_BLOCKS, BigGANRecord
from dnnlib.families.biggan.spectral_norm import power_iteration
from dnnlib.record import IgnoredSettings

_EPSILON = 1e-4
_ONE_SET = (
    "the file has the statistics of truncation 1 alone: another truncation scales z, and they stay"
)
_BIGGAN = Names(
    embedding="linear/w",
    first="Generator/G_Z/G_linear",
    norm="Generator/GBlock{i}/HyperBN{suffix}/",
    convolution="Generator/GBlock{i}/conv{k}",
    shortcut="Generator/GBlock{i}/conv_sc",
    attention="Generator/attention/",
    attention_output="o_conv",
    parts=("gamma", "beta"),
    output_norm="Generator/ScaledCrossReplicaBN/",
    output_parts=("gamma", "beta"),
    output="Generator/conv_2d",
)
_DEEP = Names(
    embedding="linear/w",
    first="Generator/GenZ/G_linear",
    norm="Generator/GBlock{i}/BatchNorm{suffix}/",
    convolution="Generator/GBlock{i}/conv{k}",
    shortcut="",
    attention="Generator/attention/",
    attention_output="o_conv",
    parts=("scale", "offset"),
    output_norm="Generator/BatchNorm/",
    output_parts=("scale", "offset"),
    output="Generator/conv_to_rgb",
)


def to_record(model: SavedModel, memory: Memory, ignored: IgnoredSettings) -> BigGANRecord:
    """The record of a module. Raises InputError if it is none of BigGAN, or lacks an array."""
    arrays = NamedArrays(model.arrays.items(), memory)
    deep = f"{_DEEP.first}/u0" in arrays
    if not deep and f"{_BIGGAN.first}/u0" not in arrays:
        raise InputError(
            f"is a TensorFlow SavedModel without the array {_BIGGAN.first}/u0; expected a BigGAN "
            "or BigGAN-deep module of TF Hub"
        )
    names, ema = (_DEEP, "/ema_0.9999") if deep else (_BIGGAN, "/ema_b999900")
    blocks = 0
    while f"Generator/GBlock{_suffix(blocks)}/conv0/w{ema}" in arrays and blocks <= MOST_BLOCKS:
        blocks += 1
    classes, class_dim = arrays.sizes(f"{names.embedding}{ema}", 2)
    inputs = arrays.sizes(f"{names.first}/w{ema}", 2)[0]
    chunk = inputs - class_dim if deep else inputs
    if deep and blocks % 2:
        raise InputError(f"has {blocks} deep blocks; expected an even number")
    up_samples = tuple(not deep or i % 2 == 1 for i in range(blocks))
    sets = deep and "stack_1" in model.constants
    record = BigGANRecord(
        z_dim=chunk if deep else chunk * (blocks + 1),
        label_dim=classes,
        resolution=4 * 2 ** sum(up_samples),
        num_channels=3,
        arrays={},
        format=f"BigGAN{'-deep' if deep else ''} module of TF Hub",
        notes=() if sets else (_ONE_SET,),
        variant="deep" if deep else "hierarchical",
        up_samples=up_samples,
        epsilon=_EPSILON,
        output_epsilon=_EPSILON,
        z_is_truncated=True,
    )
    record.check_settings()
    reader = _Arrays(arrays, record, chunk, class_dim)
    reader.names, reader.ema, reader.constants = names, ema, model.constants if sets else {}
    reader.read_all(_places_of_attention(arrays, blocks, deep, ema))
    return record


def _suffix(i: int) -> str:
    return f"_{i}" if i else ""


def _places_of_attention(
    arrays: NamedArrays, blocks: int, deep: bool, ema: str
) -> tuple[bool, ...]:
    """Whether there is attention after each block: after the first one with its channels."""
    places = [False] * blocks
    if f"Generator/attention/theta/w{ema}" in arrays:
        channels = arrays.sizes(f"Generator/attention/theta/w{ema}", 4)[2]
        last = "conv3" if deep else "conv1"
        outputs = [
            arrays.sizes(f"Generator/GBlock{_suffix(i)}/{last}/w{ema}", 4)[3] for i in range(blocks)
        ]
        if channels not in outputs:
            raise InputError(
                f"has attention of {channels} channels, and no block of as many; expected one"
            )
        places[outputs.index(channels)] = True
    return tuple(places)


class _Arrays(ArrayReader):
    ema = ""
    constants: dict[str, np.ndarray]

    def block_name(self, i: int) -> str:
        return _suffix(i)

    def bias_name(self, layer: str) -> str:
        return f"{layer}/b"

    def take_embedding(self) -> np.ndarray:
        shape = (self.record.label_dim, self.class_dim)
        return self.source.take(f"{self.names.embedding}{self.ema}", shape)

    def take_matrix(self, name: str, shape: Shape) -> np.ndarray:
        stored = (*shape[2:], shape[1], shape[0])
        weight = np.moveaxis(self.source.take(f"{name}/w{self.ema}", stored), (-1, -2), (0, 1))
        weight = np.ascontiguousarray(weight)
        u = self.source.take(f"{name}/u0", (1, len(weight)))[0]
        weight /= np.float32(power_iteration(weight, u, _EPSILON))
        return weight

    def take_vector(self, name: str, size: int) -> np.ndarray:
        values = self.source.take(name + self.ema, self.source.shape(name + self.ema) or (size,))
        if values.size != size:
            raise InputError(f"its array {name} has {values.size} numbers; expected {size}")
        return values.ravel()

    def take_gamma(self, name: str) -> np.ndarray:
        return self.take_vector(f"{name}gamma", 1).reshape(())

    def take_statistics(self, name: str, index: int, channels: int) -> tuple[np.ndarray, ...]:
        if self.constants:
            return tuple(self._constant(5 * index + shift, channels) for shift in (1, 3))
        if self.record.variant == "hierarchical":
            name = name.replace("/HyperBN", "/CrossReplicaBN")
            name = name.replace("ScaledCrossReplicaBN/", "ScaledCrossReplicaBNbn/")
        stored = ("accumulated_mean", "accumulated_var")
        return tuple(self.source.take(name + each, (channels,)) for each in stored)

    def _constant(self, number: int, channels: int) -> np.ndarray:
        values = self.constants.get(f"stack_{number}")
        sets = len(self.constants["stack_1"])
        if sets < 2 or values is None or values.shape != (sets, channels):
            raise InputError(
                f"its graph has no statistics stack_{number} of {channels} channels; expected "
                "those of several truncations for each batch norm"
            )
        if not np.isfinite(values).all():
            raise InputError(f"its statistics stack_{number} hold NaN or infinity")
        return values
