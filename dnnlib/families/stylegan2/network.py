"""The mapping and the synthesis network of StyleGAN2 on tensors, the latter with its tangent.

Shapes: N codes; T tangents that share one code; L = num_layers, D = w_dim. Images are [N, H, W, C].
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from dnnlib.layers import (
    KeptConv,
    KeptRGB,
    StyledConv,
    ToRGB,
    Upsampling,
    activate,
    convolve,
    layer_weights,
    normalize,
)
from dnnlib.record import NetworkRecord

Kept = KeptConv | KeptRGB


class MappingNetwork:
    """z [N, z_dim] and labels [N, label_dim] -> w [N, D]."""

    def __init__(self, record: NetworkRecord, dtype: str) -> None:
        self.normalize_z, self.label_normalization = record.normalize_z, record.label_normalization
        self.activation = record.mapping_activation
        self.embed = layer_weights(record.arrays, "mapping/embed", dtype)
        layers = [
            layer_weights(record.arrays, f"mapping/{i}", dtype)
            for i in range(record.mapping_layers)
        ]
        self.layers = [(layer["weight"], layer["bias"]) for layer in layers]

    def __call__(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        x = z
        if self.embed:
            embedding = labels @ self.embed["weight"] + self.embed["bias"]
            if self.label_normalization == "joint":
                x = tf.concat([z, embedding], axis=1)
        if self.normalize_z:
            x = normalize(x)
        if self.embed and self.label_normalization == "separate":
            x = tf.concat([x, normalize(embedding)], axis=1)
        for weight, bias in self.layers:
            x = activate(x @ weight + bias, self.activation)
        return x


class Block(NamedTuple):
    """The layers of one resolution."""

    convs: list[StyledConv]
    skip: tf.Tensor | None  # [1, 1, Ci, Co], resnet only
    rgb: ToRGB | None  # skip: everywhere; orig and resnet: in the last block only


class SynthesisNetwork:
    """ws [N, L, D] -> images [N, H, W, C], with constant noise."""

    def __init__(self, record: NetworkRecord, dtype: str) -> None:
        def weights(name: str) -> dict[str, tf.Tensor]:
            return layer_weights(record.arrays, name, dtype)

        self.upsampling = Upsampling(record.resample_kernel, dtype)
        self.const = tf.cast(record.arrays["const"], dtype)[None]  # [1, 4, 4, C]
        self.blocks = []
        for size in record.resolutions:
            convs = [
                StyledConv(
                    weights(f"{size}/{name}"), record.activation, record.conv_clamp, function
                )
                for name, function in (("conv0", self.upsampling.convolve), ("conv1", convolve))
                if f"{size}/{name}/weight" in record.arrays
            ]
            rgb = (
                ToRGB(weights(f"{size}/rgb"), record.conv_clamp)
                if f"{size}/rgb/weight" in record.arrays
                else None
            )
            self.blocks.append(Block(convs, weights(f"{size}/skip").get("weight"), rgb))

    def primal(self, ws: tf.Tensor) -> tuple[tf.Tensor, list[Kept]]:
        """The images of ws, and what each layer keeps for `tangent`, in the order of the data
        flow."""
        kept = []

        def run(layer: StyledConv | ToRGB, x: tf.Tensor, index: int) -> tf.Tensor:
            y, kept_here = layer.primal(x, ws[:, index])
            kept.append(kept_here)
            return y

        return self._flow(run, tf.repeat(self.const, tf.shape(ws)[0], axis=0)), kept

    def linearize(self, ws: tf.Tensor, step: int = 1) -> list[Kept]:
        """What `tangent` needs at the code ws [1, L, D], for every step-th pixel of every step-th
        row."""
        *kept, last_conv, rgb = self.primal(ws)[1]
        return [*kept, StyledConv.at_pixels(last_conv, step), ToRGB.at_pixels(rgb, step)]

    def tangent(self, kept: list[Kept], dw: tf.Tensor, step: int = 1) -> tf.Tensor:
        """The derivative of the image along dw [T, D], added to the w of all layers: [T, H, W,
        C]."""
        kept_in_order = iter(kept)

        def run(layer: StyledConv | ToRGB, dx: tf.Tensor, index: int) -> tf.Tensor:
            return layer.tangent(next(kept_in_order), dx, dw)

        return self._flow(run, tf.repeat(tf.zeros_like(self.const), tf.shape(dw)[0], axis=0), step)

    def _flow(self, run: Callable, x: tf.Tensor, step: int = 1) -> tf.Tensor:
        """How the layers are joined; `run(layer, x, index into ws)` is their primal or tangent, the
        rest is linear."""
        image, index = None, 0
        for block in self.blocks:
            block_input = x
            shown = (
                step if block is self.blocks[-1] else 1
            )  # every step-th pixel is left after the last convolution
            for conv in block.convs:
                x = run(conv, x, index)
                index += 1
            if block.skip is not None:
                x = (
                    x + self.upsampling.convolve(block_input, block.skip)[:, ::shown, ::shown]
                ) / math.sqrt(2)
            if block.rgb is not None:
                rgb = run(block.rgb, x, index)
                image = (
                    rgb
                    if image is None
                    else self.upsampling.image(image)[:, ::shown, ::shown] + rgb
                )
        return image


def averaged(kept: list[Kept], channels: int) -> list[Kept]:
    """For a tangent averaged over the first channels of the image, before ToRGB is applied: less to
    compute.

    Where a clamp acts on an image, the average must wait: then the list is returned as it is.
    """
    if any(tf.reduce_any(item.slope != 1) for item in kept if isinstance(item, KeptRGB)):
        return kept
    return [ToRGB.averaged(item, channels) if isinstance(item, KeptRGB) else item for item in kept]
