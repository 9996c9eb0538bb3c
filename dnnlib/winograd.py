"""3x3 convolutions of stride 1 with a quarter of the multiplications, for a CPU.

Winograd's F(4x4, 3x3), by Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks",
section 4. Four pixels y of a row, of six pixels d and three taps g, are

    y = A^T [(G g) * (B^T d)]                         eq. 7

with * by elements: 6 products instead of 12. Done along rows and columns, 36 products make a tile
of 4 x 4 pixels, not 144. Over all tiles and channels, each of the 36 is a product of matrices,
[tiles, Ci] with [Ci, Co]. Before and after it are sums of few arrays, compiled into two passes over
memory each; a large image goes through in slices, which stay in the processor's cache.

Shapes: N images; h x w pixels; Ci, Co channels; k x m tiles.
"""

import functools
import operator
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

TILE = 4  # pixels that a tile gives; it takes two more
FEWEST_CHANNELS = 64  # benchmarks/README.md has what it gains with these, and loses with fewer
FEWEST_PRODUCTS = 1 << 26  # pixels x Ci x Co; with fewer, compiling it takes more than it saves
FEWEST_TILES = 256  # of a slice, or the products of matrices are slow
MOST_INPUTS = 1 << 15  # tiles x Ci of a slice, if it has more tiles than that
# Where the polynomials of the derivation are evaluated, and infinity: rounding errors are about a
# third of those of the usual 0, 1, -1, 2, -2.
_POINTS = (0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))

_fused = tf.function(jit_compile=True, autograph=False)

Padding = tuple[tuple[int, int], tuple[int, int]]  # before and after the rows, and the columns


def _powers(count: int) -> np.ndarray:
    """A polynomial of `count` coefficients at the points and at infinity: [6, count]."""
    finite = np.array(_POINTS)[:, None] ** np.arange(count)
    return np.concatenate([finite, np.eye(count)[-1:]])


_A, _G, _B = _powers(TILE), _powers(3), np.linalg.inv(_powers(TILE + 2))  # A [6, 4], B [6, 6]


def is_faster(weight: tf.Tensor, size: Sequence[int]) -> bool:
    """Whether a 3x3 convolution with this weight [k, k, Ci, Co] and an output of `size` is faster
    here than TensorFlow's: a fixed rule, so that the same device gives the same numbers."""
    rows, columns, inputs, outputs = weight.shape
    is_large = (
        rows == columns == 3
        and min(inputs, outputs) >= FEWEST_CHANNELS
        and size[0] * size[1] * inputs * outputs >= FEWEST_PRODUCTS
    )
    return is_large and weight.dtype == tf.float32 and "CPU" in weight.device


def transform_weight(weight: tf.Tensor) -> tf.Tensor:
    """G g G^T of the weight [3, 3, Ci, Co]: [6, 6, Ci, Co]."""
    both = tf.constant(np.kron(_G, _G), weight.dtype)  # [36, 9]
    return tf.reshape(both @ tf.reshape(weight, [9, -1]), [6, 6, *weight.shape[2:]])


def padding(size: Sequence[int], inputs: int, border: int = 1) -> Padding:
    """The zeros that `convolve` needs around x for an output of `size`: `border`, and after the
    last row and column what the tiles need."""
    slices, k, m = _tiles(size, inputs)
    rows, columns = (TILE * tiles - side for tiles, side in zip((slices * k, m), size, strict=True))
    return (border, border + rows), (border, border + columns)


def convolve(x: tf.Tensor, transformed: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """[N, h, w, Ci] with `padding` -> [N, *size, Co]."""
    inputs, outputs = transformed.shape[2:]
    slices, k, m = _tiles(size, inputs)

    def convolve_slice(index: tf.Tensor) -> tf.Tensor:
        start = [index // slices, index % slices * k * TILE, 0, 0]
        part = tf.slice(x, start, [1, k * TILE + 2, *x.shape[2:]])
        return _convolve_tiles(part, transformed)[0]

    if slices == 1:
        y = _convolve_tiles(x, transformed)
    else:
        y = tf.map_fn(
            convolve_slice,
            tf.range(tf.shape(x)[0] * slices),
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec([k * TILE, m * TILE, outputs], x.dtype),
        )
        y = tf.reshape(y, [-1, slices * k * TILE, m * TILE, outputs])
    height, width = size
    return y if y.shape[1:3] == (height, width) else y[:, :height, :width]


def _tiles(size: Sequence[int], inputs: int) -> tuple[int, int, int]:
    """Slices of an image, and tiles of a slice along its rows and columns."""
    rows, columns = (-(-side // TILE) for side in size)
    slices = max(rows * columns // max(MOST_INPUTS // inputs, FEWEST_TILES), 1)
    return slices, -(-rows // slices), columns


def _convolve_tiles(x: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
    """[N, 4k + 2, 4m + 2, Ci] -> [N, 4k, 4m, Co]."""
    d = _take_columns(_take_rows(x))
    inputs, outputs = transformed.shape[2:]
    y = tf.reshape(d, [6, 6, -1, inputs]) @ transformed
    return _give_columns(_give_rows(tf.reshape(y, [6, 6, -1, *d.shape[3:5], outputs])))


@_fused
def _take_rows(x: tf.Tensor) -> tf.Tensor:
    """B^T x: [N, 4k + 2, w, Ci] -> [6, N, k, w, Ci]."""
    end = x.shape[1] - 5
    return tf.stack(_product(_B.T, [x[:, i : i + end : TILE] for i in range(6)]))


@_fused
def _take_columns(x: tf.Tensor) -> tf.Tensor:
    """x B: [6, N, k, 4m + 2, Ci] -> [6, 6, N, k, m, Ci]."""
    end = x.shape[3] - 5
    return tf.stack(_product(_B.T, [x[:, :, :, i : i + end : TILE] for i in range(6)]), 1)


@_fused
def _give_rows(y: tf.Tensor) -> tf.Tensor:
    """A^T y: [6, 6, N, k, m, Co] -> [4, 6, N, k, m, Co]."""
    return tf.stack(_product(_A.T, tf.unstack(y)))


@_fused
def _give_columns(y: tf.Tensor) -> tf.Tensor:
    """y A: [4, 6, N, k, m, Co] -> [N, 4k, 4m, Co]."""
    rows = [tf.stack(_product(_A.T, tf.unstack(row)), 3) for row in tf.unstack(y)]
    k, m, channels = y.shape[3:]
    return tf.reshape(tf.stack(rows, 2), [-1, TILE * k, TILE * m, channels])


def _product(matrix: np.ndarray, arrays: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The matrix times a column of arrays, without its zeros."""
    terms = (
        [value * array for value, array in zip(row, arrays, strict=True) if abs(value) > 1e-9]
        for row in matrix.astype(np.float32)
    )
    return [functools.reduce(operator.add, row) for row in terms]
