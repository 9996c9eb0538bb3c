"""3x3 convolutions of stride 1 with a quarter of the multiplications, for a CPU.

Winograd's F(4x4, 3x3), by Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks",
section 4. Four pixels y of a row, of six pixels d and three taps g, are

    y = A^T [(G g) * (B^T d)]                         eq. 7

with * by elements: 6 products instead of 12. Done along rows and columns, 36 products make 4 x 4
pixels, not 144. For many channels the products are 36 products of matrices, [pixels, Ci] with
[Ci, Co], and A, B, G cost little. A and B are matrices here too, for a block of tiles in a row at
once: they are mostly zeros, but a product of matrices runs at the speed of the processor.

Shapes: N images; h x w pixels; Ci, Co channels. An image is k blocks high and m wide, a block t
tiles high and s wide, a tile 4 pixels.
"""

import numpy as np
import tensorflow as tf

TILE = 4  # pixels that a tile gives; it takes two more
MOST_TILES = 8  # of a block; with more, products with zeros cost more than the blocks' borders
FEWEST_CHANNELS = 256  # benchmarks/README.md has what it gains with these, and loses with fewer
FEWEST_ROWS = 8
# Where the polynomials of the derivation are evaluated, and infinity: rounding errors are about a
# third of those of the usual 0, 1, -1, 2, -2.
_POINTS = (0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))


def _powers(count: int) -> np.ndarray:
    """A polynomial of `count` coefficients at the points and at infinity: [6, count]."""
    finite = np.array(_POINTS)[:, None] ** np.arange(count)
    return np.concatenate([finite, np.eye(count)[-1:]])


_A, _G, _B = _powers(TILE), _powers(3), np.linalg.inv(_powers(TILE + 2))  # A [6, 4], B [6, 6]


def is_faster(weight: tf.Tensor) -> bool:
    """Whether a 3x3 convolution with this weight [k, k, Ci, Co] is faster here than TensorFlow's:
    a fixed rule, so that the same device gives the same numbers."""
    rows, columns, inputs, outputs = weight.shape
    is_large = rows == columns == 3 and min(inputs, outputs) >= FEWEST_CHANNELS
    return is_large and weight.dtype == tf.float32 and "CPU" in weight.device


def transform_weight(weight: tf.Tensor) -> tf.Tensor:
    """G g G^T of the weight [3, 3, Ci, Co]: [6, 6, Ci, Co]."""
    both = tf.constant(np.kron(_G, _G), weight.dtype)  # [36, 9]
    return tf.reshape(both @ tf.reshape(weight, [9, -1]), [6, 6, *weight.shape[2:]])


def convolve(x: tf.Tensor, transformed: tf.Tensor, border: int = 1) -> tf.Tensor:
    """[N, h, w, Ci] -> [N, h + 2 border - 2, w + 2 border - 2, Co], with so many zeros around."""
    number = tf.shape(x)[0]
    height, width = (side + 2 * border - 2 for side in x.shape[1:3])
    inputs, outputs = transformed.shape[2:]
    (k, t), (m, s) = _blocks(height), _blocks(width)
    ends = [TILE * k * t + 2 - border, TILE * m * s + 2 - border]
    around = [[border, end - side] for end, side in zip(ends, x.shape[1:3], strict=True)]
    x = tf.transpose(tf.pad(x, [[0, 0], *around, [0, 0]]), [1, 2, 0, 3])

    d = tf.reshape(x, [x.shape[0], -1])
    d = _taking_tiles(t) @ _overlapping(d, k, TILE * t)  # [k, 6t, w N Ci]
    d = tf.reshape(d, [k * 6 * t, x.shape[1], number * inputs])
    d = _taking_tiles(s) @ _overlapping(d, m, TILE * s)  # [k 6t, m, 6s, N Ci]
    d = tf.reshape(d, [k, 6, t, m, 6, s * number, inputs])
    y = d @ transformed[:, None, None]  # [k, 6, t, m, 6, s N, Co]
    y = tf.reshape(y, [k * 6 * t, m, 6 * s, number * outputs])
    y = _giving_tiles(s) @ y  # [k 6t, m, 4s, N Co]
    y = _giving_tiles(t) @ tf.reshape(y, [k, 6 * t, -1])  # [k, 4t, w N Co]
    y = tf.reshape(y, [TILE * k * t, TILE * m * s, number, outputs])
    return tf.transpose(y, [2, 0, 1, 3])[:, :height, :width]


def _blocks(pixels: int) -> tuple[int, int]:
    """How many blocks, of how many tiles each, hold so many pixels of a row."""
    tiles = -(-pixels // TILE)
    count = -(-tiles // MOST_TILES)
    return count, -(-tiles // count)


def _overlapping(x: tf.Tensor, count: int, size: int) -> tf.Tensor:
    """[..., count size + 2, M] -> [..., count, size + 2, M]: blocks, and two rows after each."""
    return tf.stack([x[..., i * size : (i + 1) * size + 2, :] for i in range(count)], axis=-3)


def _taking_tiles(tiles: int) -> np.ndarray:
    """B^T of each tile of a block: [6 tiles, 4 tiles + 2], where row u tiles + i is of tile i."""
    matrix = np.zeros((6, tiles, TILE * tiles + 2), np.float32)
    for i in range(tiles):
        matrix[:, i, TILE * i : TILE * i + 6] = _B.T
    return matrix.reshape(6 * tiles, -1)


def _giving_tiles(tiles: int) -> np.ndarray:
    """A^T of each tile of a block: [4 tiles, 6 tiles]."""
    matrix = np.zeros((tiles, TILE, 6, tiles), np.float32)
    for i in range(tiles):
        matrix[i, :, :, i] = _A.T
    return matrix.reshape(TILE * tiles, -1)
