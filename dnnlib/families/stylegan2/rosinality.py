"""State dicts of rosinality's StyleGAN2 in PyTorch, and of programs built on it.

A torch file with a dict, of which `g_ema` is the state dict of the averaged generator, and
`latent_avg` beside it is the mean w; or the state dict by itself. There are arrays and no settings:
the architecture is always `skip`, the activation lrelu, and sizes are read off the arrays.

    style.{i}.weight, .bias             [out, in], [out], from i = 1: times 0.01 / sqrt(in), 0.01
    input.input                         [1, C, 4, 4]
    conv1, convs.{i}                    4 x 4; convs.{2j} up-samples to 2^(j + 3), the next keeps it
        .conv.weight                    [1, out, in, k, k]: times 1 / sqrt(in k k); where it
                                        up-samples, as a transposed convolution takes it
        .conv.modulation.weight, .bias  [in, w_dim], [in]: times 1 / sqrt(w_dim); with the +1
        .conv.blur.kernel               outer(taps, taps) of sum 4, where it up-samples
        .activate.bias, .noise.weight   [out], [1]
    to_rgb1, to_rgbs.{j}                .conv as above, k = 1; .bias [1, channels, 1, 1];
                                        .upsample.kernel as .conv.blur.kernel
    noises.noise_{k}                    [1, 1, h, w], times the layer's .noise.weight: of conv1,
                                        then of each convs.{k - 1}; a file may lack them all
    latent_avg                          [w_dim]; may be lacking

What the network computes stands in dnnlib/families/stylegan2/network.py; z is normalized.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, read_rows
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.record import (
    MAX_RESOLUTION,
    IgnoredSettings,
    check_first_layer,
    check_mapping_layers,
)

_LR_MLP = 0.01  # the learning rate of the mapping network, over that of the others
_MEAN_OF = 4096  # codes
_MEAN_MEMORY = 1 << 25  # bytes that finding it takes
_MOST_STAGES = MAX_RESOLUTION.bit_length() - 3


def to_record(
    generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings
) -> StyleGAN2Record:
    """The record of a state dict with latent_avg in it. Without latent_avg, w_avg is the mean over
    4096 codes, as that program takes it; without noise inputs there is no noise.

    Raises InputError for an array that this reader does not know.
    """
    tensors = NamedArrays(generator.items(), memory)
    w_dim, z_dim = tensors.sizes("style.1.weight", 2)
    check_first_layer(z_dim, w_dim)
    num_channels = tensors.sizes("to_rgb1.bias", 4)[1]
    has_noise = any(name.startswith("noises.") for name in generator)
    note = "the file has no noise inputs (noises. ...): images are drawn without noise"
    stages = _count(generator, "to_rgbs.{}.bias")
    record = StyleGAN2Record(
        z_dim=z_dim,
        w_dim=w_dim,
        label_dim=0,
        resolution=2 ** (2 + stages),
        num_channels=num_channels,
        architecture="skip",
        activation="lrelu",
        mapping_activation="lrelu",
        normalize_z=True,
        label_normalization="separate",
        resample_kernel=tensors.take_filter(_filters(stages), 4),
        conv_clamp=None,
        arrays={},
        format="rosinality-style PyTorch checkpoint",
        w_avg_is_estimated="latent_avg" not in tensors,
        notes=() if has_noise else (note,),
    )
    record.check_settings()
    _read_mapping(tensors, record, _count(generator, "style.{}.weight", 1))
    _read_synthesis(tensors, record, has_noise)
    record.arrays["w_avg"] = w_avg = (
        tensors.take("latent_avg", (w_dim,)) if "latent_avg" in tensors else _mean_w(record, memory)
    )
    if not np.isfinite(w_avg).all():
        raise InputError(
            "has a mapping network that overflows; expected finite w: download it again"
        )
    tensors.expect_none_left()
    return record


def _filters(stages: int) -> list[str]:
    """The names of all filters, which are one."""
    if stages > _MOST_STAGES:
        raise InputError(
            f"has {stages} arrays to_rgbs; expected {_MOST_STAGES} at most, for {MAX_RESOLUTION} "
            "pixels"
        )
    if not stages:
        raise InputError(
            "lacks the array to_rgbs.0.bias; expected a network of resolution 8 or more"
        )
    return [
        name
        for j in range(stages)
        for name in (f"convs.{2 * j}.conv.blur.kernel", f"to_rgbs.{j}.upsample.kernel")
    ]


def _read_mapping(tensors: NamedArrays, record: StyleGAN2Record, count: int) -> None:
    check_mapping_layers(count)
    for i in range(count):
        inputs, outputs = record.w_dim if i else record.z_dim, record.w_dim
        rows = (
            Row("weight", "weight", (outputs, inputs), _LR_MLP / math.sqrt(inputs), np.transpose),
            Row("bias", "bias", (outputs,), _LR_MLP),
        )
        read_rows(rows, tensors, f"style.{i + 1}.", record.arrays, f"mapping/{i}")


def _read_synthesis(tensors: NamedArrays, record: StyleGAN2Record, has_noise: bool) -> None:
    arrays = record.arrays
    const = tensors.take("input.input", (1, None, 4, 4))[0]
    arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
    channels = len(const)
    for index, (name, layer, size) in enumerate(_convolutions(record)):
        channels = _read_convolution(tensors, record, name, layer, channels)
        bias = Row("bias", "activate.bias", (channels,))
        read_rows([bias], tensors, f"{name}.", arrays, layer)
        (strength,) = tensors.take(f"{name}.noise.weight", (1,))
        arrays[f"{layer}/noise"] = (
            tensors.take(f"noises.noise_{index}", (1, 1, size, size), float(strength))[0, 0]
            if has_noise
            else np.broadcast_to(np.float32(0), (size, size))
        )
        if layer.endswith("conv1"):
            to_rgb = f"to_rgbs.{index // 2 - 1}" if index else "to_rgb1"
            _read_convolution(tensors, record, to_rgb, f"{size}/rgb", channels)
            bias = Row("bias", "bias", (1, record.num_channels, 1, 1), change=np.ravel)
            read_rows([bias], tensors, f"{to_rgb}.", arrays, f"{size}/rgb")


def _convolutions(record: StyleGAN2Record) -> Iterator[tuple[str, str, int]]:
    """The names of the 3x3 convolutions in the file and in the record, and their sizes."""
    yield "conv1", "4/conv1", 4
    for j, size in enumerate(record.resolutions[1:]):
        yield f"convs.{2 * j}", f"{size}/conv0", size
        yield f"convs.{2 * j + 1}", f"{size}/conv1", size


def _read_convolution(
    tensors: NamedArrays, record: StyleGAN2Record, name: str, layer: str, inputs: int
) -> int:
    """Reads name.conv, and gives the number of its output channels."""
    kernel, outputs = (1, record.num_channels) if layer.endswith("rgb") else (3, None)
    fan_in, w_dim = inputs * kernel**2, record.w_dim
    rows = (
        Row("weight", "weight", (1, outputs, inputs, kernel, kernel), fan_in**-0.5, _spatial_first),
        Row("style_weight", "modulation.weight", (inputs, w_dim), w_dim**-0.5, np.transpose),
        Row("style_bias", "modulation.bias", (inputs,)),  # with its +1
    )
    read_rows(rows, tensors, f"{name}.conv.", record.arrays, layer)
    return record.arrays[f"{layer}/weight"].shape[3]


def _spatial_first(weight: np.ndarray) -> np.ndarray:
    """[1, out, in, k, k] -> [k, k, in, out]."""
    return weight[0].transpose(2, 3, 1, 0)


def _count(generator: dict[str, Any], name: str, first: int = 0) -> int:
    """How many arrays there are of this name, with the numbers first, first + 1, ..."""
    count = 0
    while name.format(first + count) in generator:
        count += 1
    return count


def _mean_w(record: StyleGAN2Record, memory: Memory) -> np.ndarray:
    """The mean w [w_dim] of 4096 codes, always the same ones."""
    memory.take(0, besides=_MEAN_MEMORY)
    random, total = np.random.RandomState(0), np.zeros(record.w_dim)
    batch = _MEAN_MEMORY // (
        32 * max(record.z_dim, record.w_dim)
    )  # 2048 of 512; with 256 it took far longer
    for start in range(0, _MEAN_OF, batch):
        x = random.randn(min(batch, _MEAN_OF - start), record.z_dim).astype(np.float32)
        x /= np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
        for i in range(record.mapping_layers):
            x = x @ record.arrays[f"mapping/{i}/weight"] + record.arrays[f"mapping/{i}/bias"]
            x = np.where(x > 0, x, 0.2 * x) * np.float32(math.sqrt(2))
        total += x.sum(axis=0, dtype=np.float64)
    return (total / _MEAN_OF).astype(np.float32)
