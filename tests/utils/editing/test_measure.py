"""How much an edit changes, as numbers and as heat maps."""

import re

import numpy as np
import pytest

from utils.editing.measure import (
    COLOURS,
    LONGEST_PATH,
    OUTLINE,
    absolute_change,
    heat,
    heat_maps,
    measure,
    outline,
    outline_path,
)

RANDOM = np.random.Generator(np.random.PCG64(0))
PICTURES = RANDOM.integers(0, 256, (4, 12, 16, 3), np.uint8)
ORIGINAL = RANDOM.integers(0, 256, (12, 16, 3), np.uint8)
MASK = RANDOM.random((12, 16)) < 0.3
BOX = np.zeros((12, 16), bool)
BOX[3:7, 5:11] = True


def test_measure():
    """Mean absolute and mean squared change of images in [-1, 1], over the pixels and channels
    inside and outside."""
    change = measure(absolute_change(PICTURES, ORIGINAL), MASK)
    difference = PICTURES / 127.5 - ORIGINAL / 127.5
    for part, name in ((MASK, "inside"), (~MASK, "outside")):
        values = difference[:, part]
        np.testing.assert_allclose(
            getattr(change, f"change_{name}"), np.abs(values).mean(axis=(1, 2)), rtol=1e-5
        )
        np.testing.assert_allclose(
            getattr(change, f"mse_{name}"), (values**2).mean(axis=(1, 2)), rtol=1e-5
        )


def test_nothing_outside():
    """Where there is no pixel the mean is NaN, and nothing warns."""
    change = measure(np.ones((2, 12, 16, 3), np.float32), np.ones((12, 16), bool))
    np.testing.assert_allclose([change.change_inside, change.mse_inside], 1, rtol=1e-5)
    assert np.isnan([change.change_outside, change.mse_outside]).all()


def test_heat_grows_with_change():
    """No change is 0, more change is more, and from 0.5 on it is 255; so do the colours, from
    black."""
    values = heat(
        np.array([0, 0.01, 0.05, 0.2, 0.5, 2.0], np.float32)[None, None, :, None].repeat(3, axis=-1)
    )[0, 0]
    assert values[0] == 0
    assert (np.diff(values.astype(int))[:4] > 20).all()
    assert list(values[4:]) == [255, 255]
    brightness = COLOURS.astype(int).sum(axis=-1)
    assert brightness[0] == 0
    assert (np.diff(brightness) >= -2).all()  # three channels are rounded


def test_heat_maps():
    """Unchanged pixels show the dimmed original in grey, changed ones their heat, and the outline
    lies on top."""
    warm = np.zeros((2, 12, 16), np.uint8)
    warm[1, 0, 0] = 255
    maps = heat_maps(warm, ORIGINAL, BOX)
    np.testing.assert_allclose(maps[0, 0, 0], np.repeat(0.4 * ORIGINAL[0, 0].mean(), 3), atol=1)
    np.testing.assert_array_equal(maps[1, 0, 0], COLOURS[255])
    assert (maps[:, 3, 5:11] == OUTLINE).all()
    assert (maps[:, 4:6, 6:10] != OUTLINE).any(axis=-1).all()


def test_outline():
    """The outline of a box is its frame; at the edge of the picture, where there is no outside,
    none is drawn."""
    frame = BOX.copy()
    frame[4:6, 6:10] = False
    np.testing.assert_array_equal(outline(BOX), frame)
    assert not outline(np.ones((5, 5), bool)).any()


@pytest.mark.parametrize("mask", [BOX, MASK, ~MASK], ids=["box", "random", "inverse"])
def test_outline_path(mask):
    """The SVG path draws each pixel edge between inside and outside, once."""
    horizontal, vertical = np.zeros((13, 16), int), np.zeros((12, 17), int)
    for x, y, kind, length in re.findall(r"M(\d+) (\d+)([hv])(\d+)", outline_path(mask)):
        x, y, length = int(x), int(y), int(length)
        if kind == "h":
            horizontal[y, x : x + length] += 1
        else:
            vertical[y : y + length, x] += 1
    np.testing.assert_array_equal(horizontal[1:-1], mask[1:] != mask[:-1])
    np.testing.assert_array_equal(vertical[:, 1:-1], mask[:, 1:] != mask[:, :-1])
    if mask is BOX:
        assert outline_path(mask).count("M") == 4


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_ragged_outline(share):
    """The path of a mask like a photograph is bounded, coarser, and stays in its frame."""
    path = outline_path(RANDOM.random((256, 250)) < share)
    assert 1000 < len(path) <= LONGEST_PATH
    ends = [
        (int(x) + int(length) * (kind == "h"), int(y) + int(length) * (kind == "v"))
        for x, y, kind, length in re.findall(r"M(\d+) (\d+)([hv])(\d+)", path)
    ]
    assert max(x for x, _ in ends) <= 256
    assert max(y for _, y in ends) <= 256
