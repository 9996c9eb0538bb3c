"""Regions: the named boxes, and whatever else the command line can ask for."""

import json

import numpy as np
import pytest
from PIL import Image

from dnnlib.errors import InputError
from utils.command_line import Parser
from utils.regions import (
    BOXES,
    LABELS,
    add_region_options,
    box_mask,
    region_from_facts,
    region_from_options,
    region_mask,
    region_source,
)

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


def from_options(*arguments, default="eyes"):
    """The region of a command line."""
    parser = Parser("", "")
    add_region_options(parser, default)
    return region_from_options(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def painted(tmp_path, monkeypatch):
    """The working directory, with a mask, a label map, and a folder of each for the samples 0 and 3."""
    monkeypatch.chdir(tmp_path)
    labels = np.add.outer(np.arange(12), np.arange(10)) % 7
    for folder in ("masks", "maps"):
        (tmp_path / folder).mkdir()
    for name, shift in (("one", 0), ("s/x_number_0000", 1), ("s/x_number_0003", 2)):
        values = np.roll(labels, shift, axis=0).astype(np.uint8)
        Image.fromarray((values == 4).astype(np.uint8) * 255).save(f"mask_{name}.png" if "/" not in name else
                                                                  name.replace("s/", "masks/") + ".png")
        np.save(f"map_{name}.npy" if "/" not in name else name.replace("s/", "maps/") + ".npy", values)
    return labels


# Arguments, the name, and for samples 0 and 3 by how many rows the labels are shifted and which are inside.
SOURCES = [
    (["--mask", "mask_one.png"], "mask_one", (0, 0), [4]),
    (["--mask", "mask_one.png", "--invert"], "not_mask_one", (0, 0), [0, 1, 2, 3, 5, 6]),
    (["--mask", "masks"], "masks", (1, 2), [4]),
    (["--mask", "masks/"], "masks", (1, 2), [4]),
    (["--segmentation", "map_one.npy", "--labels", "4,2"], "labels_2_4", (0, 0), [2, 4]),
    (["--segmentation", "map_one.npy", "--labels", "nose,4,l_eye"], "labels_2_4", (0, 0), [2, 4]),
    (["--segmentation", "maps", "--labels", "r_eye", "--invert"], "not_labels_5", (1, 2), [0, 1, 2, 3, 4, 6]),
]


@pytest.mark.parametrize(("arguments", "name", "shifts", "labels"), SOURCES)
def test_region_from_files(painted, arguments, name, shifts, labels):
    """Masks and label maps, one for all samples or one a sample, by label number or name, inverted or not."""
    region = from_options(*arguments)
    assert region.name == name
    for sample, shift in zip((0, 3), shifts, strict=True):
        expected = np.isin(np.roll(painted, shift, axis=0), labels)
        np.testing.assert_array_equal(region.mask(sample, 12, 10), expected)
        np.testing.assert_array_equal(region.mask(sample, 24, 20), expected.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(("arguments", "name", "expected"), [
    ([], "eyes", region_mask("eyes", 64, 64)),
    (["--region", "mouth"], "mouth", region_mask("mouth", 64, 64)),
    (["--region", "mouth", "--invert"], "not_mouth", ~region_mask("mouth", 64, 64)),
    (["--box", "184,127,30,70"], "box_184_127_30_70", region_mask("mouth", 64, 64)),
    (["--box", "0,0,20,20", "--invert"], "not_box_0_0_20_20", ~box_mask([0, 0, 20, 20], 64, 64)),
])
def test_region_of_all_samples(arguments, name, expected):
    """Without an option the default; a preset and its box are the same; --invert swaps inside and outside."""
    region = from_options(*arguments)
    assert region.name == name
    for sample in (0, 5):
        np.testing.assert_array_equal(region.mask(sample, 64, 64), expected)


def test_box_at_the_edge():
    """A box that reaches over the edge is cut off there."""
    mask = box_mask([250, 3, 20, 10], 256, 256)
    assert box(mask) == (240, 256, 0, 8)


@pytest.mark.parametrize("arguments", [[], ["--box", "120,128,20,115", "--invert"], *(source[0] for source in SOURCES)])
def test_facts_make_the_region_again(painted, monkeypatch, tmp_path, arguments):
    """From its facts, by way of JSON and from another folder, a region gives the same masks under the same name."""
    region = from_options(*arguments)
    expected = region.mask(3, 24, 20)
    facts = json.loads(json.dumps({"region": region.name, "region_options": region.facts}))
    monkeypatch.chdir(tmp_path / "maps")
    again = region_from_facts(facts)
    assert (again.name, again.facts) == (region.name, region.facts)
    np.testing.assert_array_equal(again.mask(3, 24, 20), expected)


def test_facts_of_older_directions():
    """Directions that record only a name, and none at all."""
    np.testing.assert_array_equal(region_from_facts({"region": "nose"}).mask(0, 64, 64), region_mask("nose", 64, 64))
    assert region_from_facts({"seed": 4}) is None
    for facts in ({"region": "ears"}, {"region_options": {"colour": "red"}}, {"region_options": {}, "region": 3}):
        with pytest.raises(InputError, match="recorded beside the directions"):
            region_from_facts(facts)


@pytest.mark.parametrize("recorded", [
    [1], "eyes", {"region": 3}, {"region": "ears"}, {"region": "x" * 9000}, {"region": "eyes", "invert": "yes"},
    {"region": "eyes", "colour": 1}, {"x": {}}, {"box": [1, 2, 3]}, {"box": "1234"}, {"box": [1, 2, 3, None]},
    {"box": [0, 0, 1e308, 1]}, {"mask": 5}, {"mask": ""}, {"segmentation": "a", "labels": "b"},
    {"segmentation": "a", "labels": [[1]]},
])
def test_facts_of_another_program(recorded):
    """A region that no script has recorded is an error of one line."""
    with pytest.raises(InputError, match="the region recorded beside the directions cannot be used") as caught:
        region_from_facts({"region_options": recorded})
    assert len(str(caught.value)) < 1000


def test_no_region():
    """Where there is no default, no option means no region."""
    assert from_options(default=None) is None
    for option in (["--invert"], ["--labels", "4"]):
        with pytest.raises(InputError, match=f"{option[0]} without a region"):
            from_options(*option, default=None)


@pytest.mark.parametrize(("options", "words"), [
    ({}, "expected one region"), ({"region": "eyes", "box": [1, 2, 3, 4]}, "expected one region"),
    ({"region": "eyes", "labels": [4]}, "--labels without --segmentation"),
    ({"segmentation": "map.png"}, "--segmentation without --labels"),
])
def test_contradictions(options, words):
    """Not one kind of region, or labels and label map without each other, is an error."""
    with pytest.raises(InputError, match=words):
        region_source(**options)


@pytest.mark.parametrize(("box", "invert", "words"), [
    ([128, 128, 256, 256], False, "no pixel outside at 8 x 8"), ([128, 128, 256, 256], True, "no pixel inside"),
    ([-40, 128, 20, 20], False, "no pixel inside"),
])
def test_all_or_nothing(box, invert, words):
    """A mask that is everything or nothing is an error that names the region and the sample."""
    with pytest.raises(InputError, match=words) as caught:
        region_source(box=box, invert=invert).mask(2, 8, 8)
    assert "sample 2" in str(caught.value)


def test_labels_of_the_design():
    """The label of a name is that of the usual face parser."""
    assert [LABELS.index(name) for name in ("background", "nose", "l_eye", "mouth", "hair", "cloth")] == [
        0, 2, 4, 10, 13, 18]
