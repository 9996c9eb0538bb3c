"""Walks along directions."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from dnnlib.errors import InputError
from utils.editing.walk import (
    FARTHEST,
    Edit,
    Walker,
    distance_of_change,
    doubt_of_distance,
    edited_codes,
    even_distances,
    images_in_batches,
    walk,
)

WS = np.random.Generator(np.random.PCG64(0)).standard_normal((3, 10, 4)).astype(np.float32)
DIRECTIONS = np.random.Generator(np.random.PCG64(1)).standard_normal((2, 4))
DISTANCES = np.array([-2.0, 0.0, 1.5])
EDITS = [
    Edit("eyes", row, direction, DISTANCES * (1 + row), None)
    for row, direction in enumerate(DIRECTIONS)
]


@pytest.mark.parametrize("layers", [[0], [4, 5, 6, 7], [9], list(range(10))])
def test_walk(layers):
    """w + a direction on the chosen layers for each a; other layers keep their bytes, and so does
    the argument."""
    before, others = WS.copy(), sorted(set(range(10)) - set(layers))
    codes = walk(WS, DIRECTIONS[0], layers, DISTANCES)
    assert codes.shape == (3, 3, 10, 4)
    assert codes.dtype == np.float32
    for sample, step, layer in itertools.product(range(3), range(3), layers):
        np.testing.assert_allclose(
            codes[sample, step, layer],
            WS[sample, layer] + DISTANCES[step] * DIRECTIONS[0],
            rtol=1e-5,
            atol=1e-6,
        )
    for step in range(3):
        np.testing.assert_array_equal(codes[:, step, others], WS[:, others])
    np.testing.assert_array_equal(codes[:, 1], WS)  # distance 0
    np.testing.assert_array_equal(WS, before)


@pytest.mark.parametrize("layers", [[0], [4, 5, 6, 7], list(range(10))])
def test_walk_with_a_vector_for_each_layer(layers):
    """A direction [L, D] moves each chosen layer along its own row; equal rows are the same as one
    vector."""
    vectors = np.random.Generator(np.random.PCG64(2)).standard_normal((10, 4))
    codes = walk(WS, vectors, layers, DISTANCES)
    for layer in range(10):
        one = walk(WS, vectors[layer], layers, DISTANCES)
        np.testing.assert_array_equal(codes[:, :, layer], one[:, :, layer])
    np.testing.assert_array_equal(
        walk(WS, np.repeat(DIRECTIONS[:1], 10, axis=0), layers, DISTANCES),
        walk(WS, DIRECTIONS[0], layers, DISTANCES),
    )


@pytest.mark.parametrize("layers", [[10], [4, 5, 6, 12]])
def test_layer_out_of_range(layers):
    """A layer that the network lacks is an error that says which there are."""
    with pytest.raises(InputError, match=f"layer {layers[-1]}; expected 0 to 9"):
        walk(WS, DIRECTIONS[0], layers, DISTANCES)


def test_edited_codes():
    """First the originals, then by direction, sample and step what `walk` gives."""
    codes = list(edited_codes(Walker(WS, [2, 3]), EDITS))
    assert len(codes) == 3 + 2 * 3 * 3
    np.testing.assert_array_equal(codes[:3], WS)
    expected = [walk(WS, edit.direction, [2, 3], edit.distances) for edit in EDITS]
    np.testing.assert_array_equal(codes[3:], np.reshape(expected, (-1, 10, 4)))


def test_edited_codes_are_made_as_asked_for():
    """A walk of endless samples can be begun: memory does not grow with their number."""
    ws = np.broadcast_to(np.zeros(4, np.float32), (10**9, 10, 4))
    assert next(edited_codes(Walker(ws, [0]), EDITS)).shape == (10, 4)


def test_doubt_of_distance():
    """A walk farther than twice the radius of random codes, on any layer, is doubted, with both
    numbers; one whose distance is still to be found is not."""
    rows = np.array([[3.0, 4.0], [0.0, 1.0]])
    edit = Edit("eyes", 0, rows, np.array([-2.0, 0.0, 1.0]), None)
    assert doubt_of_distance(edit, 5.0) is None
    assert "moves codes by 10, where random ones lie 4.9 from" in doubt_of_distance(edit, 4.9)
    assert doubt_of_distance(replace(edit, finds_distance=True), 0.1) is None


def test_walk_in_z():
    """A direction in z moves z, which is mapped with the sample's label; the result replaces the
    chosen layers."""
    z = np.arange(6.0).reshape(3, 2)

    def map_z(z, sample):
        return np.broadcast_to(
            (z @ [[1, 2, 3, 4], [5, 6, 7, 8]] + sample)[:, None], (len(z), 10, 4)
        )

    edit = Edit("eyes", 0, np.array([1.0, -1.0]), DISTANCES, None, in_z=True)
    codes = Walker(WS, [2, 3], z, map_z).steps(edit, 1, DISTANCES)
    for step, distance in enumerate(DISTANCES):
        moved = map_z(z[1:2] + distance * edit.direction, 1)[0]
        np.testing.assert_allclose(codes[step, 2:4], moved[2:4], rtol=1e-6)
        np.testing.assert_array_equal(codes[step, :2], WS[1, :2])
    with pytest.raises(InputError, match="found in z, and the latent codes are of w"):
        Walker(WS, [2, 3]).steps(edit, 1, DISTANCES)


@pytest.mark.parametrize(
    ("count", "size", "lengths"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 5, [2]), (0, 4, [])]
)
def test_images_in_batches(count, size, lengths):
    """Every code has its image, in order; the network sees batches of one size."""
    seen = []

    def synthesis(batch):
        seen.append(len(batch))
        return 2 * batch

    codes = (np.full((10, 4), i) for i in range(count))
    batches = list(images_in_batches(synthesis, codes, size))
    assert [len(batch) for batch in batches] == lengths and set(seen) <= {size}
    assert [image[0, 0] for batch in batches for image in batch] == [2 * i for i in range(count)]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d / 7,
        lambda d: d**2,
        np.sqrt,
        np.tanh,
        lambda d: 0.11 * d / (1 + d),
        lambda d: min(d, 0.04) if d < 3 else 0.4,
        lambda d: 40 * d,
    ],
    ids=["line", "square", "root", "tanh", "saturating", "jump", "steep"],
)
def test_distance_of_change(change):
    """The distance found changes as much as asked for, or a jump lies there; it has three digits
    and took few tries."""
    tried = []
    distance = distance_of_change(lambda d: tried.append(d) or change(d), 0.1)
    assert abs(change(distance) - 0.1) <= 0.003 or change(distance * 0.99) < 0.1 < change(
        distance * 1.01
    )
    assert float(f"{distance:.3g}") == distance
    assert len(tried) <= 30
    if change(1) == 1 / 7:
        assert len(tried) == 2


@pytest.mark.parametrize("change", [lambda d: 0.0, lambda d: 0.09 * d / (1 + d)])
def test_change_out_of_reach(change):
    """A direction that never changes that much is told, after few tries, none of them farther than
    FARTHEST."""
    tried = []
    assert distance_of_change(lambda d: tried.append(d) or change(d), 0.1) is None
    assert max(tried) == FARTHEST
    assert len(tried) <= 35


@pytest.mark.parametrize(("last", "steps"), [(0.842, 7), (4, 9), (1.08, 11), (0.61, 101)])
def test_even_distances(last, steps):
    """A walk there and back passes the original itself, not something a rounding error away."""
    distances = even_distances(-last, last, steps)
    np.testing.assert_allclose(distances, np.linspace(-last, last, steps), atol=1e-12)
    assert distances[steps // 2] == 0
