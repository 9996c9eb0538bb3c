"""BigGAN-deep networks of pytorch-pretrained-biggan: pytorch_model.bin, and config.json beside it.

The settings:

    z_dim, num_classes, n_stats, eps    eps of all batch norms
    layers                              a list of blocks [up-samples, in, out], in channel_width
    channel_width, attention_layer_position   the attention stands before that block
    class_embed_dim, output_dim         of no use: the embedding has z_dim numbers

The arrays, a state dict; a matrix X is X.weight_orig [out, in] or [out, in, k, k], and its spectral
norm is weight_u [out] . (M weight_v [rest]), both as they are stored:

    embeddings.weight                   [z_dim, classes]
    generator.gen_z                     a matrix [16 C, z_dim + z_dim], laid out [4, 4, C]; .bias
    generator.layers.{j}                j counts the attention, too
        .conv_0 ... .conv_3             matrices; .bias
        .bn_0 ... .bn_3                 .scale, .offset: matrices; .running_means, .running_vars
                                        [n_stats, C], a row for each truncation
        .snconv1x1_theta, _phi, _g, _o_conv   matrices of the attention; .gamma [1]
    generator.bn                        .weight, .bias, .running_means, .running_vars
    generator.conv_to_rgb               a matrix, of whose outputs the first 3 are the image; .bias

A condition is [z, class]; z is normal, cut at 2, times the truncation.
"""

from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays, Shape
from dnnlib.containers.safe_pickle import Memory, brief
from dnnlib.errors import InputError
from dnnlib.families.biggan.arrays import ArrayReader, Names
from dnnlib.families.biggan.record import MOST_BLOCKS, BigGANRecord
from dnnlib.families.biggan.spectral_norm import stored_norm
from dnnlib.record import IgnoredSettings

MARKS = ("generator.gen_z.weight_orig", "generator.conv_to_rgb.weight_orig")
SETTINGS_FILE = "config.json"
_WHOLE = ("z_dim", "num_classes", "n_stats", "channel_width", "attention_layer_position")
_OF_NO_USE = ("class_embed_dim", "output_dim")
_MOST = 1 << 16


def to_record(generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings) -> BigGANRecord:
    """The record of a state dict with config.json in it, under that name.

    Raises InputError for an array or a setting that this reader does not know, or that is lacking.
    """
    arrays = NamedArrays(
        ((name, value) for name, value in generator.items() if name != SETTINGS_FILE), memory
    )
    settings = _settings(generator.get(SETTINGS_FILE), ignored)
    up_samples = tuple(up for up, _, _ in settings["layers"])
    record = BigGANRecord(
        z_dim=settings["z_dim"],
        label_dim=settings["num_classes"],
        resolution=4 * 2 ** sum(up_samples),
        num_channels=3,
        arrays={},
        format="BigGAN-deep of pytorch-pretrained-biggan",
        variant="deep",
        up_samples=up_samples,
        epsilon=settings["eps"],
        output_epsilon=settings["eps"],
        z_is_truncated=True,
    )
    record.check_settings()
    position = settings["attention_layer_position"]
    reader = _Arrays(arrays, record, record.z_dim, record.z_dim)
    reader.attention, reader.sets = position, settings["n_stats"]
    reader.read_all(tuple(i + 1 == position for i in range(len(up_samples))))
    arrays.expect_none_left()
    _expect_channels(record, settings)
    return record


def _settings(found: Any, ignored: IgnoredSettings) -> dict[str, Any]:
    """The settings of config.json. Raises InputError for one that is not known, or of another
    kind."""
    if not isinstance(found, dict):
        raise InputError(
            f"lacks its settings: expected {SETTINGS_FILE} beside it, as its program downloads it"
        )
    known = (*_WHOLE, *_OF_NO_USE, "eps", "layers")
    for name, value in found.items():
        if name not in known:
            ignored.expect_covered(name, value, "expected a BigGAN-deep's settings")
    for name in _WHOLE:
        value = found.get(name)
        if type(value) is not int or not 0 <= value <= _MOST or (name == "n_stats" and value < 2):
            raise InputError(f"its {name} is {brief(value)}; expected a whole number")
    epsilon, layers = found.get("eps"), found.get("layers")
    if type(epsilon) is not float or not 0 < epsilon < 1:
        raise InputError(f"its eps is {brief(epsilon)}; expected a small number, such as 0.0001")
    if not isinstance(layers, list) or len(layers) > MOST_BLOCKS or not all(map(_is_block, layers)):
        raise InputError(
            f"its layers are {brief(layers)}; expected [up-samples, in, out] for each block, "
            f"{MOST_BLOCKS} at most"
        )
    return found


def _is_block(layer: Any) -> bool:
    """Whether this is [up-samples, in, out]."""
    if not isinstance(layer, list) or [type(each) for each in layer] != [bool, int, int]:
        return False
    return min(layer[1:]) > 0


def _expect_channels(record: BigGANRecord, settings: dict[str, Any]) -> None:
    """Raises InputError if the channels of a block are not those of its settings."""
    width = settings["channel_width"]
    for i, (_, inputs, outputs) in enumerate(settings["layers"]):
        found = (
            record.arrays[f"{i}/norm0/mean"].shape[-1],
            record.arrays[f"{i}/conv3/weight"].shape[3],
        )
        if found != (inputs * width, outputs * width):
            raise InputError(
                f"its block {i} maps {found[0]} channels to {found[1]}; expected "
                f"{inputs * width} and {outputs * width}, by its settings: take {SETTINGS_FILE} of "
                "the same network"
            )


class _Arrays(ArrayReader):
    attention, sets = 0, 0
    names = Names(
        embedding="embeddings.weight",
        first="generator.gen_z",
        norm="generator.layers.{i}.bn_{k}.",
        convolution="generator.layers.{i}.conv_{k}",
        shortcut="",
        attention="generator.layers.{i}.",
        attention_output="o_conv",
        parts=("scale", "offset"),
        output_norm="generator.bn.",
        output_parts=("weight", "bias"),
        output="generator.conv_to_rgb",
    )

    def block_name(self, i: int) -> str:
        return str(i + (i >= self.attention))

    def take_embedding(self) -> np.ndarray:
        shape = (self.class_dim, self.record.label_dim)
        return np.ascontiguousarray(self.source.take(self.names.embedding, shape).T)

    def take_matrix(self, name: str, shape: Shape) -> np.ndarray:
        weight = self.source.take(f"{name}.weight_orig", shape)
        u = self.source.take(f"{name}.weight_u", (len(weight),))
        v = self.source.take(f"{name}.weight_v", (weight.size // len(weight),))
        weight /= np.float32(stored_norm(weight, u, v))
        return weight

    def take_attention_matrix(self, name: str, part: str, shape: Shape) -> np.ndarray:
        return self.take_matrix(f"generator.layers.{self.attention}.snconv1x1_{part}", shape)

    def take_gamma(self, name: str) -> np.ndarray:
        return super().take_gamma(f"generator.layers.{self.attention}.")

    def take_statistics(self, name: str, index: int, channels: int) -> tuple[np.ndarray, ...]:
        shape = (self.sets, channels)
        return tuple(self.source.take(f"{name}running_{each}", shape) for each in ("means", "vars"))
