"""Walks along directions."""

import itertools

import numpy as np
import pytest

from utils.editing import edited_codes, in_batches, walk
from utils.errors import InputError

WS = np.random.Generator(np.random.PCG64(0)).standard_normal((3, 10, 4)).astype(np.float32)
DIRECTIONS = np.random.Generator(np.random.PCG64(1)).standard_normal((2, 4))
DISTANCES = np.array([-2.0, 0.0, 1.5])


@pytest.mark.parametrize("layers", [[0], [4, 5, 6, 7], [9], list(range(10))])
def test_walk(layers):
    """w + a direction on the chosen layers for each a; other layers keep their bytes, and so does the argument."""
    before, others = WS.copy(), sorted(set(range(10)) - set(layers))
    codes = walk(WS, DIRECTIONS[0], layers, DISTANCES)
    assert codes.shape == (3, 3, 10, 4)
    assert codes.dtype == np.float32
    for sample, step, layer in itertools.product(range(3), range(3), layers):
        np.testing.assert_allclose(codes[sample, step, layer],
                                   WS[sample, layer] + DISTANCES[step] * DIRECTIONS[0], rtol=1e-5, atol=1e-6)
    for step in range(3):
        np.testing.assert_array_equal(codes[:, step, others], WS[:, others])
    np.testing.assert_array_equal(codes[:, 1], WS)  # distance 0
    np.testing.assert_array_equal(WS, before)


@pytest.mark.parametrize("layers", [[10], [4, 5, 6, 12]])
def test_layer_out_of_range(layers):
    """A layer that the network lacks is an error that says which there are."""
    with pytest.raises(InputError, match=f"layer {layers[-1]}; expected 0 to 9"):
        walk(WS, DIRECTIONS[0], layers, DISTANCES)


def test_edited_codes():
    """First the originals, then by direction, sample and step what `walk` gives."""
    codes = list(edited_codes(WS, DIRECTIONS, [2, 3], DISTANCES))
    assert len(codes) == 3 + 2 * 3 * 3
    np.testing.assert_array_equal(codes[:3], WS)
    expected = [walk(WS, direction, [2, 3], DISTANCES) for direction in DIRECTIONS]
    np.testing.assert_array_equal(codes[3:], np.reshape(expected, (-1, 10, 4)))


def test_edited_codes_are_made_as_asked_for():
    """A walk of endless samples can be begun: memory does not grow with their number."""
    ws = np.broadcast_to(np.zeros(4, np.float32), (10**9, 10, 4))
    assert next(edited_codes(ws, DIRECTIONS, [0], DISTANCES)).shape == (10, 4)


@pytest.mark.parametrize(("count", "size", "lengths"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 5, [2]), (0, 4, [])])
def test_in_batches(count, size, lengths):
    """Batches have the given size, but for the last, and hold every code in order."""
    codes = [np.full((10, 4), i) for i in range(count)]
    batches = list(in_batches(iter(codes), size))
    assert [len(batch) for batch in batches] == lengths
    assert [batch[i, 0, 0] for batch in batches for i in range(len(batch))] == list(range(count))
