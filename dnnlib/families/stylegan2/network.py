"""StyleGAN2 on tensors: mapping, synthesis, and the synthesis's tangent.

Between two layers an activation is a function, `Pending`, so that what ends one layer and what
begins the next are one pass over memory: called with nothing, it gives the activation; otherwise
scaled, and with zeros around, as the next convolution takes it.

Shapes: N codes; T tangents that share one code; L = num_layers, D = w_dim; h x w pixels; Ci, Co
channels. Images and activations are [N, h, w, C].
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.layers import (
    EPSILON,
    Convolution,
    UpConvolution,
    Upsampling,
    activate,
    filtered_product_rule,
    fused_activate,
    fused_scale,
    fused_slopes,
    layer_weights,
    mean_of_colors,
    pixels,
    slope,
    times_factor,
)
from dnnlib.mapping import MappingNetwork, StyleNetwork

Pending = Callable[..., tf.Tensor]


class KeptConv(NamedTuple):
    """What the tangent of a StyledConv needs."""

    x: tf.Tensor  # the input
    s: tf.Tensor  # the style, which scales it
    d: tf.Tensor  # the demodulation, which scales the convolution's output p
    slope: tf.Tensor  # the derivative of the layer's output with respect to p
    slope_d: tf.Tensor  # and with respect to d

    def at_pixels(self, step: int) -> "KeptConv":
        """For a tangent at every step-th pixel of every step-th row only."""
        return self._replace(
            slope=self.slope[:, ::step, ::step], slope_d=self.slope_d[:, ::step, ::step]
        )


class StyledConv:
    """Modulated, demodulated 3x3 convolution, up-sampling or not; then noise, bias, activation,
    clamp.

    The style scales the activations, not the weights: the same numbers, and one convolution serves
    the whole batch.
    """

    def __init__(
        self,
        weights: dict[str, tf.Tensor],
        activation: str,
        clamp: float | None,
        convolution: Convolution | UpConvolution,
    ) -> None:
        self.weight = weights["weight"]  # [3, 3, Ci, Co]
        self.style_weight, self.style_bias = (
            weights["style_weight"],
            weights["style_bias"],
        )  # [D, Ci], [Ci]
        self.noise, self.bias = weights["noise"][:, :, None], weights["bias"]  # [h, w, 1], [Co]
        self.squares = tf.reduce_sum(self.weight**2, axis=[0, 1])  # [Ci, Co]
        self.activation, self.clamp, self.convolution = activation, clamp, convolution

    def primal(self, x: Pending, w: tf.Tensor) -> tuple[Pending, Callable[[], KeptConv]]:
        s = w @ self.style_weight + self.style_bias  # [N, Ci]
        d = tf.math.rsqrt(s**2 @ self.squares + EPSILON)  # [N, Co]
        size, taps = self.noise.shape[:2], self.convolution.taps
        scaled = x(pixels(s), padding=self.convolution.padding(size))
        p = self.convolution.of_padded(scaled, size)  # [N, h, w, Co], once filtered
        rest = p, taps, pixels(d), self.noise, self.bias, self.activation, self.clamp
        return partial(fused_activate, *rest), lambda: KeptConv(x(), s, d, *fused_slopes(*rest))

    def tangent(self, kept: KeptConv, dx: Pending, dw: tf.Tensor) -> Pending:
        x, s, d, slope, slope_d = kept
        ds = dw @ self.style_weight  # [T, Ci]
        dd = -(d**3) * ((s * ds) @ self.squares)  # [T, Co]
        size, step = slope.shape[1:3], self.noise.shape[0] // slope.shape[1]
        scaled = dx(pixels(s), x, pixels(ds), padding=self.convolution.padding(size, step))
        dp = self.convolution.of_padded(scaled, size, step)  # [T, h, w, Co], once filtered
        taps = self.convolution.taps
        return partial(filtered_product_rule, dp, taps, slope, slope_d, pixels(dd))


class KeptRGB(NamedTuple):
    """What the tangent of a ToRGB needs."""

    x: tf.Tensor
    s: tf.Tensor
    slope: tf.Tensor
    weight: tf.Tensor  # [Ci, C], or [Ci, 1] where the channels are averaged

    def at_pixels(self, step: int) -> "KeptRGB":
        """For a tangent at every step-th pixel of every step-th row only."""
        return self._replace(x=self.x[:, ::step, ::step], slope=self.slope[:, ::step, ::step])

    def averaged(self, channels: int) -> "KeptRGB":
        """For a tangent averaged over the first channels; only where no clamp acts."""
        weight = mean_of_colors(self.weight, channels)
        return self._replace(weight=weight, slope=self.slope[..., :1])


class ToRGB:
    """Modulated 1x1 convolution to the image's channels, not demodulated; then bias and clamp."""

    def __init__(self, weights: dict[str, tf.Tensor], clamp: float | None) -> None:
        self.weight, self.bias = weights["weight"], weights["bias"]  # [1, 1, Ci, C], [C]
        self.style_weight, self.style_bias = (
            weights["style_weight"],
            weights["style_bias"],
        )  # [D, Ci], [Ci]
        self.clamp = clamp

    def primal(self, x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, KeptRGB]:
        s = w @ self.style_weight + self.style_bias  # [N, Ci]
        p = tf.einsum("nhwi,nic->nhwc", x, s[:, :, None] * self.weight[0, 0]) + self.bias
        return activate(p, "linear", self.clamp), KeptRGB(
            x, s, slope(p, "linear", self.clamp), self.weight[0, 0]
        )

    def tangent(self, kept: KeptRGB, dx: tf.Tensor, dw: tf.Tensor) -> tf.Tensor:
        x, s, slope, weight = kept
        ds = dw @ self.style_weight  # [T, Ci]
        dy = tf.tensordot(dx, s[0, :, None] * weight, axes=1)  # [T, h, w, C]
        return (dy + tf.einsum("hwi,tic->thwc", x[0], ds[:, :, None] * weight)) * slope


class Block(NamedTuple):
    """The layers of one resolution."""

    convs: list[StyledConv]
    skip: UpConvolution | None  # resnet only
    rgb: ToRGB | None  # skip: everywhere; orig and resnet: in the last block only


class Kept(NamedTuple):
    """What the tangent of the image needs."""

    convs: list[KeptConv]  # in the order of the data flow
    rgbs: list[KeptRGB]
    mean_rgb: bool = False


class StyleGAN2(StyleNetwork):
    """The network: see dnnlib/families/interface.py. A code is w+, [L, D]; noise is constant."""

    def __init__(self, record: StyleGAN2Record, dtype: str) -> None:
        self.z_dim, self.label_dim = record.z_dim, record.label_dim
        self.edit_dim = self.code_dim = record.w_dim
        self.layers, self.num_layers = record.layers, record.num_layers
        self.w_avg = tf.cast(record.arrays["w_avg"], dtype)
        self._num_colors = record.num_colors

        def weights(name: str) -> dict[str, tf.Tensor]:
            return layer_weights(record.arrays, name, dtype)

        self._mapping = MappingNetwork(
            record.arrays,
            record.mapping_layers,
            dtype,
            record.mapping_activation,
            record.normalize_z,
            record.label_normalization,
        )
        self._upsampling = Upsampling(record.resample_kernel, dtype)
        self._const = tf.cast(record.arrays["const"], dtype)[None]  # [1, 4, 4, C]
        self._blocks = []

        def up_convolution(weight: tf.Tensor) -> UpConvolution:
            return UpConvolution(weight, record.resample_kernel)

        for size in record.resolutions:
            convs = [
                StyledConv(layer, record.activation, record.conv_clamp, kind(layer["weight"]))
                for name, kind in (("conv0", up_convolution), ("conv1", Convolution))
                if (layer := weights(f"{size}/{name}"))
            ]
            to_rgb = weights(f"{size}/rgb")
            rgb = ToRGB(to_rgb, record.conv_clamp) if to_rgb else None
            skip = weights(f"{size}/skip").get("weight")
            self._blocks.append(Block(convs, None if skip is None else up_convolution(skip), rgb))
        self._linearize = tf.function(self._kept_at_pixels, autograph=False)

    def primal(self, codes: tf.Tensor) -> tuple[tf.Tensor, Callable[[], Kept]]:
        """Images [N, H, W, C] of w+ codes [N, L, D], and what gives Kept."""
        convs: list[Callable[[], KeptConv]] = []
        rgbs: list[KeptRGB] = []

        def convolve(layer: StyledConv, x: Pending, index: int) -> Pending:
            x, kept = layer.primal(x, codes[:, index])
            convs.append(kept)
            return x

        def to_rgb(layer: ToRGB, x: tf.Tensor, index: int) -> tf.Tensor:
            rgb, kept = layer.primal(x, codes[:, index])
            rgbs.append(kept)
            return rgb

        start = tf.repeat(self._const, tf.shape(codes)[0], axis=0)
        images = self._join(convolve, to_rgb, fused_scale, start)
        return images, lambda: Kept([kept() for kept in convs], rgbs)

    def linearize(self, codes: tf.Tensor, step: int = 1, mean_rgb: bool = False) -> Kept:
        """What `tangent` needs at the code [1, L, D].

        The mean over RGB is taken before ToRGB is applied, which is less to compute; where a clamp
        acts on an image, it must wait.
        """
        kept = self._linearize(codes, step)._replace(mean_rgb=mean_rgb)
        if mean_rgb and not any(tf.reduce_any(each.slope != 1) for each in kept.rgbs):
            kept = kept._replace(rgbs=[each.averaged(self._num_colors) for each in kept.rgbs])
        return kept

    def _kept_at_pixels(self, codes: tf.Tensor, step: int) -> Kept:
        _, keep = self.primal(codes)
        kept = keep()
        *convs, last_conv = kept.convs
        *rgbs, last_rgb = kept.rgbs
        return Kept([*convs, last_conv.at_pixels(step)], [*rgbs, last_rgb.at_pixels(step)])

    def tangent(self, kept: Kept, dcode: tf.Tensor, step: int = 1) -> tf.Tensor:
        """The derivative of the image along dcode [T, L, D], added to w+."""
        convs, rgbs = iter(kept.convs), iter(kept.rgbs)

        def convolve(layer: StyledConv, dx: Pending, index: int) -> Pending:
            return layer.tangent(next(convs), dx, dcode[:, index])

        def to_rgb(layer: ToRGB, dx: tf.Tensor, index: int) -> tf.Tensor:
            return layer.tangent(next(rgbs), dx, dcode[:, index])

        start = tf.repeat(tf.zeros_like(self._const), tf.shape(dcode)[0], axis=0)
        image = self._join(convolve, to_rgb, times_factor, start, step)
        return mean_of_colors(image, self._num_colors) if kept.mean_rgb else image

    def _join(
        self,
        convolve: Callable,
        to_rgb: Callable,
        scale: Callable[..., tf.Tensor],
        start: tf.Tensor,
        step: int = 1,
    ) -> tf.Tensor:
        """How the layers are joined. `convolve` and `to_rgb` take a layer, its input, and its index
        into the code, and are their primal or tangent; `scale` makes an activation `Pending`."""
        image, index, x = None, 0, partial(scale, start)
        for block in self._blocks:
            block_input = x
            # Only every step-th pixel is left after the last convolution.
            shown = step if block is self._blocks[-1] else 1
            for conv in block.convs:
                x = convolve(conv, x, index)
                index += 1
            if block.skip is not None:
                skipped = block.skip(block_input())
                x = partial(scale, (x() + skipped[:, ::shown, ::shown]) / math.sqrt(2))
            if block.rgb is not None:
                rgb = to_rgb(block.rgb, x(), index)
                if image is not None:
                    rgb += self._upsampling(image)[:, ::shown, ::shown]
                image = rgb
        return image
