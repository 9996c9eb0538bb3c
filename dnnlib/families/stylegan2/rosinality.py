"""State dicts of rosinality's StyleGAN2 in PyTorch, and of programs built on it.

There are arrays and no settings: the architecture is always `skip`, and sizes are read off the
arrays.

    style.{i}.weight, .bias             [out, in], [out], from i = 1: times 0.01 / sqrt(in), 0.01
    input.input                         [1, C, 4, 4]
    conv1, convs.{i}                    4 x 4; convs.{2j} up-samples to 2^(j + 3), the next keeps it
        .conv.weight                    [1, out, in, k, k]: times 1 / sqrt(in k k)
        .conv.modulation.weight, .bias  [in, w_dim], [in]: times 1 / sqrt(w_dim); with the +1
        .conv.blur.kernel               outer(taps, taps) of sum 4, where it up-samples
        .activate.bias, .noise.weight   [out], [1]
    to_rgb1, to_rgbs.{j}                .conv as above, k = 1; .bias [1, channels, 1, 1];
                                        .upsample.kernel
    noises.noise_{k}                    [1, 1, h, w]; a file may lack them all
    latent_avg                          [w_dim], the mean w, beside the state dict; may be lacking
"""

import math
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory
from dnnlib.errors import InputError
from dnnlib.record import (
    MAX_RESOLUTION,
    IgnoredSettings,
    NetworkRecord,
    check_first_layer,
    check_mapping_layers,
)

_LR_MLP = 0.01  # the learning rate of the mapping network, over that of the others
_MEAN_OF = 4096  # codes
_MEAN_MEMORY = 1 << 25  # bytes that finding it takes
_MOST_STAGES = MAX_RESOLUTION.bit_length() - 3


def to_record(generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings) -> NetworkRecord:
    """The record of a state dict with latent_avg in it. Without latent_avg, w_avg is the mean over
    4096 codes, as that program takes it; without noise inputs there is no noise.

    Raises InputError for an array that this reader does not know.
    """
    tensors = NamedArrays(generator.items(), memory)
    w_dim, z_dim = tensors.sizes("style.1.weight", 2)
    check_first_layer(z_dim, w_dim)
    num_channels = tensors.sizes("to_rgb1.bias", 4)[1]
    notes = []
    if no_noise := not any(name.startswith("noises.") for name in generator):
        notes.append("the file has no noise inputs (noises. ...): images are drawn without noise")
    stages = _count(generator, "to_rgbs.{}.bias")
    arrays: dict[str, np.ndarray] = {}
    if stages > _MOST_STAGES:
        raise InputError(
            f"has {stages} arrays to_rgbs; expected {_MOST_STAGES} at most, for {MAX_RESOLUTION} "
            "pixels"
        )
    kernels = [
        name
        for j in range(stages)
        for name in (f"convs.{2 * j}.conv.blur.kernel", f"to_rgbs.{j}.upsample.kernel")
    ]
    if not kernels:
        raise InputError(
            "lacks the array to_rgbs.0.bias; expected a network of resolution 8 or more"
        )
    record = NetworkRecord(
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
        resample_kernel=tensors.take_filter(kernels, 4),
        conv_clamp=None,
        arrays=arrays,
        format="rosinality-style PyTorch checkpoint"
        + ("" if "latent_avg" in tensors else " without latent_avg"),
        notes=tuple(notes),
    )
    record.check_settings()

    mapping_layers = _count(generator, "style.{}.weight", 1)
    check_mapping_layers(mapping_layers)
    for i in range(mapping_layers):
        shape = (w_dim, w_dim if i else z_dim)
        arrays[f"mapping/{i}/weight"] = tensors.take(
            f"style.{i + 1}.weight", shape, _LR_MLP / math.sqrt(shape[1])
        ).T
        arrays[f"mapping/{i}/bias"] = tensors.take(f"style.{i + 1}.bias", (w_dim,), _LR_MLP)

    def convolution(name: str, target: str, kernel: int, inputs: int, outputs: int | None) -> int:
        """Reads name.conv, and gives the number of its output channels."""
        shape = (1, outputs, inputs, kernel, kernel)
        weight = tensors.take(f"{name}.conv.weight", shape, 1 / math.sqrt(inputs * kernel**2))[0]
        # Already as a transposed convolution takes it, where it up-samples.
        arrays[f"{target}/weight"] = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
        style = tensors.take(
            f"{name}.conv.modulation.weight", (inputs, w_dim), 1 / math.sqrt(w_dim)
        )
        arrays[f"{target}/style_weight"] = np.ascontiguousarray(style.T)
        arrays[f"{target}/style_bias"] = tensors.take(
            f"{name}.conv.modulation.bias", (inputs,)
        )  # with its +1
        return len(weight)

    def noisy_convolution(name: str, target: str, inputs: int, layer: int, size: int) -> int:
        outputs = convolution(name, target, 3, inputs, None)
        arrays[f"{target}/bias"] = tensors.take(f"{name}.activate.bias", (outputs,))
        (strength,) = tensors.take(f"{name}.noise.weight", (1,))
        arrays[f"{target}/noise"] = (
            np.broadcast_to(np.float32(0), (size, size))
            if no_noise
            else tensors.take(f"noises.noise_{layer}", (1, 1, size, size), strength)[0, 0]
        )
        return outputs

    const = tensors.take("input.input", (1, None, 4, 4))[0]
    arrays["const"] = np.ascontiguousarray(const.transpose(1, 2, 0))
    channels = len(const)
    for stage, size in enumerate(record.resolutions):
        if size > 4:
            channels = noisy_convolution(
                f"convs.{2 * stage - 2}", f"{size}/conv0", channels, 2 * stage - 1, size
            )
        conv1, to_rgb = (
            (f"convs.{2 * stage - 1}", f"to_rgbs.{stage - 1}") if size > 4 else ("conv1", "to_rgb1")
        )
        channels = noisy_convolution(conv1, f"{size}/conv1", channels, 2 * stage, size)
        convolution(to_rgb, f"{size}/rgb", 1, channels, num_channels)
        arrays[f"{size}/rgb/bias"] = tensors.take(f"{to_rgb}.bias", (1, num_channels, 1, 1))[
            0, :, 0, 0
        ]
    arrays["w_avg"] = (
        tensors.take("latent_avg", (w_dim,)) if "latent_avg" in tensors else _mean_w(record, memory)
    )
    if not np.isfinite(arrays["w_avg"]).all():
        raise InputError(
            "has a mapping network that overflows; expected finite w: download it again"
        )
    tensors.expect_none_left()
    return record


def _count(generator: dict[str, Any], name: str, first: int = 0) -> int:
    """How many arrays there are of this name, with the numbers first, first + 1, ..."""
    count = 0
    while name.format(first + count) in generator:
        count += 1
    return count


def _mean_w(record: NetworkRecord, memory: Memory) -> np.ndarray:
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
