"""BigGAN and BigGAN-deep on tensors: mapping, synthesis, and the synthesis's tangent.

Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", appendix B.
A code is [L, Z + E], one vector for the first layer and one for each block: z, and the embedding of
the class. Which numbers of it a layer reads is its slot. A layer's tangent stands beside it.

Shapes: N codes; T tangents that share one code; h x w pixels, P = h w; Ci, Co channels.
Activations are [N, h, w, C].
"""

import functools
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import ndtr, ndtri

from dnnlib.families.biggan.record import BigGANRecord
from dnnlib.layers import Convolution, DoublingConvolution, convolve, fused, layer_weights, pixels

_SCORES_AT_ONCE = 1 << 20  # of attention, for each image or tangent: its rows are cut into pieces


class KeptNorm(NamedTuple):
    """What the tangent of a ConditionalNorm needs."""

    x: tf.Tensor  # the input
    scale: tf.Tensor  # [N, C]: the output is relu(x scale + shift)
    shift: tf.Tensor


class ConditionalNorm:
    """Batch norm with stored statistics, its gain and bias of the condition c; then ReLU.

    y = max(0, x^ (1 + c Wg) + c Wb), with x^ = (x - mean) / sqrt(variance + epsilon).
    """

    def __init__(self, weights: dict[str, tf.Tensor], epsilon: float) -> None:
        self.gain, self.bias = weights["gain"], weights["bias"]  # [condition, C]
        self.inverse = tf.math.rsqrt(weights["variance"] + epsilon)  # [C]
        self.mean = weights["mean"]

    def primal(self, x: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, KeptNorm]:
        scale = self.inverse * (1 + c @ self.gain)
        shift = c @ self.bias - self.mean * scale
        return _scale_relu(x, pixels(scale), pixels(shift)), KeptNorm(x, scale, shift)

    def tangent(self, kept: KeptNorm, dx: tf.Tensor, dc: tf.Tensor) -> tf.Tensor:
        dscale = self.inverse * (dc @ self.gain)  # [T, C]
        dshift = dc @ self.bias - self.mean * dscale
        x, scale, shift = kept
        return _scale_relu_tangent(
            x, pixels(scale), pixels(shift), dx, pixels(dscale), pixels(dshift)
        )


@fused
def _scale_relu(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(x * scale + shift)


@fused
def _scale_relu_tangent(
    x: tf.Tensor,
    scale: tf.Tensor,
    shift: tf.Tensor,
    dx: tf.Tensor,
    dscale: tf.Tensor,
    dshift: tf.Tensor,
) -> tf.Tensor:
    """Of y = max(0, x g + b): dy = [y > 0] (dx g + x dg + db)."""
    dy = dx * scale + x * dscale + dshift
    return tf.where(x * scale + shift > 0, dy, tf.zeros([], x.dtype))


class BiasedConvolution:
    """A convolution with its bias; one that `up_samples` is of the image with each pixel doubled.

    A 1x1 convolution comes before the doubling, which is exact.
    """

    def __init__(self, weights: dict[str, tf.Tensor], up_samples: bool) -> None:
        self.weight, self.bias = weights["weight"], weights["bias"]  # [k, k, Ci, Co], [Co]
        self.up_samples = up_samples
        self.is_doubling = up_samples and self.weight.shape[0] == 3
        kind = DoublingConvolution if self.is_doubling else Convolution
        self.convolution = kind(self.weight)

    def primal(self, x: tf.Tensor) -> tf.Tensor:
        return self.tangent(x) + self.bias

    def tangent(self, dx: tf.Tensor) -> tf.Tensor:
        dy = self.convolution(dx)
        return double(dy) if self.up_samples and not self.is_doubling else dy


def double(x: tf.Tensor) -> tf.Tensor:
    """Every pixel becomes 2 x 2: [N, h, w, C] -> [N, 2h, 2w, C]."""
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)


class KeptAttention(NamedTuple):
    """What the tangent of an Attention needs."""

    theta: tf.Tensor  # [1, P, C / 8]
    phi: tf.Tensor  # [1, P / 4, C / 8]
    g: tf.Tensor  # [1, P / 4, C / 2]
    attention: tf.Tensor  # [1, P, P / 4], the softmax
    o: tf.Tensor  # [1, P, C / 2], attention @ g
    phi_winners: tf.Tensor  # [1, P / 4, 4, C / 8], 1 at the largest pixel of each window
    g_winners: tf.Tensor


class Attention:
    """Self-attention over pixels, as Zhang et al. 2019, "Self-Attention GANs", section 3.

    y = x + gamma softmax(theta phi^T) g Wo, with theta = x Wt and phi and g maxima over windows of
    2 x 2 pixels of x Wp and x Wv.
    """

    def __init__(self, weights: dict[str, tf.Tensor]) -> None:
        self.theta, self.phi, self.g = weights["theta"], weights["phi"], weights["g"]  # [C, .]
        self.output = weights["gamma"] * weights["o"]  # [C / 2, C]

    def primal(self, x: tf.Tensor) -> tuple[tf.Tensor, KeptAttention]:
        theta = _rows(x) @ self.theta
        phi, phi_winners = _largest(_windows(x @ self.phi))
        g, g_winners = _largest(_windows(x @ self.g))
        attention, o = [], []
        for piece in _pieces(theta, phi):
            attention.append(tf.nn.softmax(theta[:, piece] @ _transposed(phi)))
            o.append(attention[-1] @ g)
        kept = KeptAttention(
            theta, phi, g, tf.concat(attention, 1), tf.concat(o, 1), phi_winners, g_winners
        )
        return x + tf.reshape(kept.o @ self.output, tf.shape(x)), kept

    def tangent(self, kept: KeptAttention, dx: tf.Tensor) -> tf.Tensor:
        """Of A g with A = softmax(S): B g - (row sums of B) A g + A dg, B = A dS by elements."""
        dtheta = _rows(dx) @ self.theta
        dphi = tf.reduce_sum(_windows(dx @ self.phi) * kept.phi_winners, axis=2)
        dg = tf.reduce_sum(_windows(dx @ self.g) * kept.g_winners, axis=2)
        do = []
        for piece in _pieces(dtheta, dphi):
            attention = kept.attention[:, piece]
            dscores = dtheta[:, piece] @ _transposed(kept.phi)
            dscores += kept.theta[:, piece] @ _transposed(dphi)
            weighted = attention * dscores
            mean = tf.reduce_sum(weighted, axis=2, keepdims=True)
            do.append(weighted @ kept.g - mean * kept.o[:, piece] + attention @ dg)
        return dx + tf.reshape(tf.concat(do, axis=1) @ self.output, tf.shape(dx))


def _rows(x: tf.Tensor) -> tf.Tensor:
    """[N, h, w, C] -> [N, h w, C]."""
    return tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2], x.shape[3]])


def _windows(x: tf.Tensor) -> tf.Tensor:
    """[N, h, w, C] -> [N, h w / 4, 4, C]: the windows of 2 x 2 pixels, row by row."""
    _, height, width, channels = x.shape
    x = tf.reshape(x, [-1, height // 2, 2, width // 2, 2, channels])
    return tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, height * width // 4, 4, channels])


def _largest(windows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The maximum of each window [N, P / 4, C], and 1 where it stands, the first one of equals."""
    winners = tf.one_hot(tf.argmax(windows, axis=2), 4, axis=2, dtype=windows.dtype)
    return tf.reduce_max(windows, axis=2), winners


def _pieces(queries: tf.Tensor, keys: tf.Tensor) -> list[slice]:
    """Rows [., P, .] in pieces of which the scores with all keys [., P / 4, .] fit."""
    count = queries.shape[1]
    size = max(1, _SCORES_AT_ONCE // keys.shape[1])
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _transposed(x: tf.Tensor) -> tf.Tensor:
    return tf.transpose(x, [0, 2, 1])


class KeptBlock(NamedTuple):
    """What the tangent of a Block needs."""

    norms: list[KeptNorm]
    attention: KeptAttention | None


class Block:
    """A residual block of either kind, and the attention that may follow it.

    A BigGAN's up-samples in its first convolution; a deep one's in its second (the first 3x3 one),
    and its shortcut drops the upper channels instead of having weights.
    """

    def __init__(self, record: BigGANRecord, index: int, dtype: str) -> None:
        def weights(name: str) -> dict[str, tf.Tensor]:
            return layer_weights(record.arrays, f"{index}/{name}", dtype)

        deep, up = record.variant == "deep", record.up_samples[index]
        numbers = range(4 if deep else 2)
        self.norms = [ConditionalNorm(weights(f"norm{k}"), record.epsilon) for k in numbers]
        first_3x3 = 1 if deep else 0
        self.convs = [
            BiasedConvolution(weights(f"conv{k}"), up and k == first_3x3) for k in numbers
        ]
        shortcut, attention = weights("shortcut"), weights("attention")
        self.up, self.shortcut = up, BiasedConvolution(shortcut, up) if shortcut else None
        self.attention = Attention(attention) if attention else None

    def primal(self, x: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, KeptBlock]:
        t, norms = x, []
        for norm, conv in zip(self.norms, self.convs, strict=True):
            t, kept = norm.primal(t, c)
            norms.append(kept)
            t = conv.primal(t)
        y = t + (self.shortcut.primal(x) if self.shortcut else self._first_channels(x, t))
        if self.attention is None:
            return y, KeptBlock(norms, None)
        y, kept_attention = self.attention.primal(y)
        return y, KeptBlock(norms, kept_attention)

    def tangent(self, kept: KeptBlock, dx: tf.Tensor, dc: tf.Tensor) -> tf.Tensor:
        dt = dx
        for norm, conv, kept_norm in zip(self.norms, self.convs, kept.norms, strict=True):
            dt = conv.tangent(norm.tangent(kept_norm, dt, dc))
        dy = dt + (self.shortcut.tangent(dx) if self.shortcut else self._first_channels(dx, dt))
        if self.attention is None or kept.attention is None:
            return dy
        return self.attention.tangent(kept.attention, dy)

    def zeros(self, x: tf.Tensor) -> tf.Tensor:
        """As the output for an input x of zeros, of which no condition moves."""
        scale = 1 + self.up
        shape = [tf.shape(x)[0], scale * x.shape[1], scale * x.shape[2]]
        return tf.zeros([*shape, self.convs[-1].weight.shape[3]], x.dtype)

    def _first_channels(self, x: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        x = x[..., : output.shape[3]]
        return double(x) if self.up else x


class Kept(NamedTuple):
    """What the tangent of the image needs."""

    blocks: list[KeptBlock]
    mask: tf.Tensor  # the slope of the last batch norm and its ReLU
    slope: tf.Tensor  # of tanh, at the pixels that are left
    mean_rgb: bool = False


class BigGAN:
    """The network: see dnnlib/families/interface.py."""

    space: Literal["z"] = "z"
    truncation: Literal["threshold"] = "threshold"
    w_avg = None

    def __init__(self, record: BigGANRecord, dtype: str) -> None:
        self.z_dim = self.edit_dim = record.z_dim
        self.label_dim = record.label_dim
        self.code_dim = record.z_dim + record.embedding_dim
        self.layers, self.num_layers = record.layers, record.num_layers
        self.default_edit_layers = range(self.num_layers)
        self._slots, self._variant = record.slots, record.variant
        self.chunk = self._slots[0].stop if record.variant == "hierarchical" else 1
        self._z_is_truncated = record.z_is_truncated
        embedding = record.arrays.get("embedding")
        self._embedding = None if embedding is None else tf.cast(embedding, dtype)
        self._first = layer_weights(record.arrays, "linear", dtype)
        self._blocks = [Block(record, i, dtype) for i in range(len(record.up_samples))]
        norm = layer_weights(record.arrays, "output/norm", dtype)
        scale = norm["gain"] * tf.math.rsqrt(norm["variance"] + record.output_epsilon)
        self._scale, self._shift = scale, norm["bias"] - norm["mean"] * scale  # [C]
        output = layer_weights(record.arrays, "output", dtype)
        self._last_weight, self._last_bias = output["weight"], output["bias"]
        self._linearize = tf.function(self._kept_at_pixels, autograph=False)

    def sample(self, random: np.random.RandomState, count: int, psi: float) -> np.ndarray:
        """Random z: normal, or normal cut at 2 where the program draws it so; times psi."""
        if not self._z_is_truncated:
            return psi * random.randn(count, self.z_dim)
        below = ndtr(-2.0)
        drawn = ndtri(below + random.uniform(size=(count, self.z_dim)) * (ndtr(2.0) - below))
        return (psi * drawn).astype(np.float32)

    def mapping(self, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Codes [N, L, Z + E] of z [N, Z] and labels [N, label_dim]: the same for each layer."""
        classes = labels if self._embedding is None else labels @ self._embedding
        return tf.repeat(tf.concat([z, classes], axis=1)[:, None], self.num_layers, axis=1)

    def truncate(self, codes: tf.Tensor, psi: float, cutoff: int | None) -> tf.Tensor:
        """The codes as they are: z is truncated where it is drawn."""
        return tf.convert_to_tensor(codes)

    def primal(self, codes: tf.Tensor) -> tuple[tf.Tensor, Kept]:
        """Images [N, H, W, 3] of codes [N, L, Z + E]."""
        x = self._first_layer(self._condition(codes, 0), self._first["bias"])
        blocks = []
        for i, block in enumerate(self._blocks):
            x, kept = block.primal(x, self._condition(codes, i + 1))
            blocks.append(kept)
        y = _scale_relu(x, self._scale, self._shift)
        images = tf.tanh(convolve(y, self._last_weight) + self._last_bias)
        mask = tf.where(y > 0, self._scale, tf.zeros([], y.dtype))
        return images, Kept(blocks, mask, 1 - images**2)

    def linearize(self, codes: tf.Tensor, step: int = 1, mean_rgb: bool = False) -> Kept:
        """What `tangent` needs at the code [1, L, Z + E]. Of the dropped pixels only the last
        convolution and tanh are spared; the mean over RGB comes after tanh."""
        return self._linearize(codes, step)._replace(mean_rgb=mean_rgb)

    def _kept_at_pixels(self, codes: tf.Tensor, step: int) -> Kept:
        _, kept = self.primal(codes)
        return kept._replace(slope=kept.slope[:, ::step, ::step])

    def tangent(self, kept: Kept, dcode: tf.Tensor, step: int = 1) -> tf.Tensor:
        """The derivative of the image along dcode [T, L, Z], added to the z of each layer."""
        dc = self._dcondition(dcode, 0)
        dx, moves = self._first_layer(dc, 0), tf.reduce_any(dc != 0)
        for i, (block, kept_block) in enumerate(zip(self._blocks, kept.blocks, strict=True), 1):
            dc = self._dcondition(dcode, i)
            run = functools.partial(block.tangent, kept_block, dx, dc)
            # Chunks that do not move leave the first blocks at rest, whose work is spared.
            moves |= tf.reduce_any(dc != 0)
            rest = functools.partial(block.zeros, dx)
            dx = tf.cond(moves, run, rest) if self._variant == "hierarchical" else run()
        image = convolve(dx * kept.mask, self._last_weight, step) * kept.slope
        return tf.reduce_mean(image, axis=3, keepdims=True) if kept.mean_rgb else image

    def _first_layer(self, c: tf.Tensor, bias: tf.Tensor | int) -> tf.Tensor:
        """[N, in] -> [N, 4, 4, C]."""
        h = c @ self._first["weight"] + bias
        return tf.reshape(h, [-1, 4, 4, h.shape[1] // 16])

    def _condition(self, codes: tf.Tensor, index: int) -> tf.Tensor:
        """What a slot reads of codes [N, L, Z + E]."""
        code, slot = codes[:, min(index, self.num_layers - 1)], self._slots[index]
        z = code[:, slot.start : slot.stop]
        return tf.concat([z, code[:, self.z_dim :]], axis=1) if slot.reads_class else z

    def _dcondition(self, dcode: tf.Tensor, index: int) -> tf.Tensor:
        """What a slot reads of dz [T, L, Z]; the class does not move."""
        slot = self._slots[index]
        dz = dcode[:, min(index, self.num_layers - 1), slot.start : slot.stop]
        classes = self.code_dim - self.z_dim if slot.reads_class else 0
        return tf.pad(dz, [[0, 0], [0, classes]])
