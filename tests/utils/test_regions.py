"""The boxes of the regions."""

import numpy as np
import pytest

from utils.errors import InputError
from utils.regions import BOXES, region_mask

# Row centre, column centre, height, width, as in DESIGN 5, in a 256 frame.
TABLE = {
    "left_eye": (120, 95, 20, 38), "right_eye": (120, 159, 20, 38), "eyes": (120, 128, 20, 115),
    "nose": (142, 131, 40, 46), "mouth": (184, 127, 30, 70), "chin": (217, 130, 42, 110),
    "left_region": (128, 74, 128, 64), "point_eye": (120, 95, 2, 2), "point_mouth": (184, 127, 2, 2),
    "brows": (103, 127, 22, 110), "hair": (44, 128, 52, 150),
}
SIZES = [4, 5, 8, 16, 31, 64, 128, 255, 256, 300, 512, 1024]


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """First row, row after the last, first column, column after the last; the mask must be that box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert mask.sum() == (bottom - top) * (right - left)
    return top, bottom, left, right


def test_the_regions_are_those_of_the_design():
    """Every region of the table is there, and no other."""
    assert BOXES.keys() == TABLE.keys()


@pytest.mark.parametrize("region", TABLE)
def test_box_at_256(region):
    """At 256 x 256 a box starts at centre - size // 2 and has the size of the table."""
    row, column, height, width = TABLE[region]
    top, left = row - height // 2, column - width // 2
    mask = region_mask(region, 256, 256)
    assert mask.dtype == bool
    assert box(mask) == (top, top + height, left, left + width)


@pytest.mark.parametrize("region", TABLE)
@pytest.mark.parametrize("size", SIZES)
def test_rounded_outwards(region, size):
    """At any size a box contains the scaled one, exceeds it by less than a pixel, and is never empty or everything."""
    row, column, height, width = TABLE[region]
    top, bottom, left, right = box(region_mask(region, size, size))
    for start, stop, centre, length in ((top, bottom, row, height), (left, right, column, width)):
        exact_start, exact_stop = np.array([0, length]) * size / 256 + (centre - length // 2) * size / 256
        assert start <= exact_start < start + 1
        assert stop - 1 < exact_stop <= stop
    assert 0 < (bottom - top) * (right - left) < size**2


def test_height_and_width_are_separate():
    """An image that is not square is scaled along each axis by itself."""
    top, bottom, left, right = box(region_mask("mouth", 128, 512))
    assert box(region_mask("mouth", 128, 128))[:2] == (top, bottom)
    assert box(region_mask("mouth", 512, 512))[2:] == (left, right)


def test_doubling_the_size_doubles_the_box():
    """512 is 256 with every pixel doubled."""
    for region in TABLE:
        np.testing.assert_array_equal(region_mask(region, 512, 512),
                                      region_mask(region, 256, 256).repeat(2, axis=0).repeat(2, axis=1))


def test_unknown_region():
    """An unknown region is an error that lists all known ones."""
    with pytest.raises(InputError, match="'ears'") as caught:
        region_mask("ears", 256, 256)
    assert all(region in str(caught.value) for region in TABLE)
