"""Regions: the named boxes, and whatever else the command line can ask for."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnnlib.errors import InputError
from utils.cli.options import RegionOptions, add_region_options
from utils.cli.parser import Parser
from utils.regions.region import (
    BOXES,
    box_mask,
    frame_of,
    region_from_facts,
    region_mask,
    region_source,
)

# Row centre, column centre, height, width, in a 256 frame.
TABLE = {
    "left_eye": (120, 95, 20, 38),
    "right_eye": (120, 159, 20, 38),
    "eyes": (120, 128, 20, 115),
    "nose": (142, 131, 40, 46),
    "mouth": (184, 127, 30, 70),
    "chin": (217, 130, 42, 110),
    "left_region": (128, 74, 128, 64),
    "point_eye": (120, 95, 2, 2),
    "point_mouth": (184, 127, 2, 2),
    "brows": (103, 127, 22, 110),
    "hair": (44, 128, 52, 150),
    "center0": (120, 120, 80, 80),
    "center1": (120, 120, 130, 130),
    "center2": (120, 120, 200, 200),
    "left_side": (128, 64, 256, 128),
    "top_side": (64, 128, 128, 256),
    "head0": (89, 115, 49, 70),
    "head1": (93, 110, 48, 70),
}
SIZES = [4, 5, 8, 16, 31, 64, 128, 255, 256, 300, 512, 1024]


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """First row, row after the last, first column, column after the last; the mask must be that
    box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert mask.sum() == (bottom - top) * (right - left)
    return top, bottom, left, right


def test_the_regions_are_those_of_the_table():
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
    """At any size a box contains the scaled one, exceeds it by less than a pixel, and is never
    empty, or everything of more than a few pixels."""
    row, column, height, width = TABLE[region]
    top, bottom, left, right = box(region_mask(region, size, size))
    for start, stop, centre, length in ((top, bottom, row, height), (left, right, column, width)):
        exact_start, exact_stop = (
            np.array([0, length]) * size / 256 + (centre - length // 2) * size / 256
        )
        assert start <= exact_start < start + 1
        assert stop - 1 < exact_stop <= stop
    pixels = (bottom - top) * (right - left)
    assert pixels > 0
    assert pixels < size**2 or (size < 8 and height == 200)  # 200 of 256 are all of 5


def test_frame_of_the_image():
    """The frame of an image that is not square has its proportions: a box is where it is in the
    square of its longer side, as far as the image goes."""
    for rows, columns in ((256, 128), (96, 256), (512, 256)):
        longer = max(rows, columns)
        square = box_mask((70, 60, 50, 170), longer, longer)
        np.testing.assert_array_equal(
            box_mask((70, 60, 50, 170), rows, columns), square[:rows, :columns]
        )
        assert frame_of(rows, columns) == (rows * 256 // longer, columns * 256 // longer)


def test_doubling_the_size_doubles_the_box():
    """512 is 256 with every pixel doubled."""
    for region in TABLE:
        np.testing.assert_array_equal(
            region_mask(region, 512, 512),
            region_mask(region, 256, 256).repeat(2, axis=0).repeat(2, axis=1),
        )


def test_unknown_region():
    """An unknown region is an error that lists all known ones."""
    with pytest.raises(InputError, match="'ears'") as caught:
        region_mask("ears", 256, 256)
    assert all(region in str(caught.value) for region in TABLE)


def from_options(*arguments, default="eyes"):
    """The region of a command line."""
    parser = Parser("", "")
    add_region_options(parser, default)
    parsed = parser.parse_args([str(argument) for argument in arguments])
    return RegionOptions.from_arguments(parsed).source()


@pytest.fixture
def painted(tmp_path, monkeypatch):
    """The working directory, with a mask, a label map, and a folder of each for the samples 0 and
    3."""
    monkeypatch.chdir(tmp_path)
    labels = np.add.outer(np.arange(12), np.arange(10)) % 7
    for folder in ("masks", "maps"):
        (tmp_path / folder).mkdir()
    for name, shift in (("one", 0), ("s/x_number_0000", 1), ("s/x_number_0003", 2)):
        values = np.roll(labels, shift, axis=0).astype(np.uint8)
        Image.fromarray((values == 4).astype(np.uint8) * 255).save(
            f"mask_{name}.png" if "/" not in name else name.replace("s/", "masks/") + ".png"
        )
        np.save(
            f"map_{name}.npy" if "/" not in name else name.replace("s/", "maps/") + ".npy", values
        )
    return labels


# Arguments, the name, and for samples 0 and 3 by how many rows the labels are shifted and which are
# inside.
SOURCES = [
    (["--mask", "mask_one.png"], "mask_one", (0, 0), [4]),
    (["--mask", "mask_one.png", "--invert"], "not_mask_one", (0, 0), [0, 1, 2, 3, 5, 6]),
    (["--mask", "masks"], "masks", (1, 2), [4]),
    (["--mask", "masks/"], "masks", (1, 2), [4]),
    (["--segmentation", "map_one.npy", "--labels", "4,2"], "labels_2_4", (0, 0), [2, 4]),
    (
        ["--segmentation", "map_one.npy", "--labels", "nose,4,l_eye", "--parser", "celebamask"],
        "labels_2_4",
        (0, 0),
        [2, 4],
    ),
    (
        ["--segmentation", "map_one.npy", "--labels", "eye_g,l_eye", "--parser", "bisenet"],
        "labels_4_6",
        (0, 0),
        [4, 6],
    ),
    (
        ["--segmentation", "maps", "--labels", "r_eye", "--invert"],
        "not_labels_5",
        (1, 2),
        [0, 1, 2, 3, 4, 6],
    ),
]


@pytest.mark.parametrize(("arguments", "name", "shifts", "labels"), SOURCES)
def test_region_from_files(painted, arguments, name, shifts, labels):
    """Masks and label maps, one for all samples or one a sample, by label number or name, inverted
    or not."""
    region = from_options(*arguments)
    assert region.name == name
    for sample, shift in zip((0, 3), shifts, strict=True):
        expected = np.isin(np.roll(painted, shift, axis=0), labels)
        np.testing.assert_array_equal(region.mask(sample, 12, 10), expected)
        np.testing.assert_array_equal(
            region.mask(sample, 24, 20), expected.repeat(2, axis=0).repeat(2, axis=1)
        )


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        ([], "eyes", region_mask("eyes", 64, 64)),
        (["--region", "mouth"], "mouth", region_mask("mouth", 64, 64)),
        (["--region", "mouth", "--invert"], "not_mouth", ~region_mask("mouth", 64, 64)),
        (["--box", "184,127,30,70"], "box_184_127_30_70", region_mask("mouth", 64, 64)),
        (
            ["--box", "0,0,20,20", "--invert"],
            "not_box_0_0_20_20",
            ~box_mask([0, 0, 20, 20], 64, 64),
        ),
    ],
)
def test_region_of_all_samples(arguments, name, expected):
    """Without an option the default; a preset and its box are the same; --invert swaps inside and
    outside."""
    region = from_options(*arguments)
    assert region.name == name
    for sample in (0, 5):
        np.testing.assert_array_equal(region.mask(sample, 64, 64), expected)


def test_box_at_the_edge():
    """A box that reaches over the edge is cut off there."""
    mask = box_mask([250, 3, 20, 10], 256, 256)
    assert box(mask) == (240, 256, 0, 8)


@pytest.mark.parametrize(
    "arguments", [[], ["--box", "120,128,20,115", "--invert"], *(source[0] for source in SOURCES)]
)
def test_facts_make_the_region_again(painted, monkeypatch, tmp_path, arguments):
    """From its facts, by way of JSON and from another folder, a region gives the same masks under
    the same name."""
    region = from_options(*arguments)
    expected = region.mask(3, 24, 20)
    options = json.loads(json.dumps(region.facts))
    monkeypatch.chdir(tmp_path / "maps")
    again = region_from_facts(region.name, options)
    assert (again.name, again.facts) == (region.name, region.facts)
    np.testing.assert_array_equal(again.mask(3, 24, 20), expected)


def test_facts_of_older_directions():
    """Directions that record only a name, and none at all."""
    np.testing.assert_array_equal(
        region_from_facts("nose", None).mask(0, 64, 64), region_mask("nose", 64, 64)
    )
    assert region_from_facts(None, None) is None
    for facts in (("ears", None), (None, {"colour": "red"}), (3, {})):
        with pytest.raises(InputError, match="recorded beside the directions"):
            region_from_facts(*facts)


@pytest.mark.parametrize(
    "recorded",
    [
        [1],
        "eyes",
        {"region": 3},
        {"region": "ears"},
        {"region": "x" * 9000},
        {"region": "eyes", "invert": "yes"},
        {"region": "eyes", "colour": 1},
        {"x": {}},
        {"box": [1, 2, 3]},
        {"box": "1234"},
        {"box": [1, 2, 3, None]},
        {"box": [0, 0, 1e308, 1]},
        {"mask": 5},
        {"mask": ""},
        {"mask": "\0"},
        {"mask": "\ud800"},
        {"segmentation": "a", "labels": "b"},
        {"segmentation": "a", "labels": [[1]]},
        {"segmentation": "a", "labels": ["hair"]},
        {"box": [0, 0, 1 << 40, 1]},
        {"segmentation": "a", "labels": ["hair"], "parser": 3},
        {"segmentation": "a", "labels": [4], "parser": "bisenet"},
        {"segmentation": "a", "labels": list(range(2000))},
        {"region": "eyes", "parser": "bisenet"},
    ],
)
def test_facts_of_another_program(recorded):
    """A region that no script has recorded is an error of one line."""
    with pytest.raises(
        InputError, match="the region recorded beside the directions cannot be used"
    ) as caught:
        region_from_facts(None, recorded)
    assert len(str(caught.value)) < 1000


def test_no_region():
    """Where there is no default, no option means no region."""
    assert from_options(default=None) is None
    for option in (["--invert"], ["--labels", "4"], ["--parser", "bisenet"]):
        with pytest.raises(InputError, match=f"{option[0]} without a region"):
            from_options(*option, default=None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "expected one region"),
        ({"region": "eyes", "box": [1, 2, 3, 4]}, "expected one region"),
        ({"region": "eyes", "labels": [4]}, "--labels without --segmentation"),
        ({"segmentation": "map.png"}, "--segmentation without --labels"),
        ({"region": "eyes", "parser": "bisenet"}, "--parser without --segmentation"),
        ({"segmentation": "map.png", "labels": ["hair"]}, "expected the parser celebamask"),
        ({"box": [0, 0, 1 << 40, 1]}, "numbers beyond 10000"),
        ({"box": [-40, 128, 20, 20]}, "outside the image"),
    ],
)
def test_contradictions(options, words):
    """Not one kind of region, or labels and label map without each other, is an error."""
    with pytest.raises(InputError, match=words):
        region_source(**options)


@pytest.mark.parametrize(
    ("box", "invert", "words"),
    [
        ([128, 128, 256, 256], False, "no pixel outside at 8 x 8"),
        ([128, 128, 256, 256], True, "no pixel inside"),
    ],
)
def test_all_or_nothing(box, invert, words):
    """A mask that is everything or nothing is an error that names the region and the sample."""
    with pytest.raises(InputError, match=words) as caught:
        region_source(box=box, invert=invert).mask(2, 8, 8)
    assert "sample 2" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ([4, 2], "labels_2_4"),
        (["#ff0000", "#00ff00"], "colours_00ff00_ff0000"),
        (range(300, 316), None),
        (range(300, 317), None),
        ([f"#{i:06x}" for i in range(400)], None),
    ],
)
def test_names_of_labels(labels, name):
    """A region is named after its labels, in short: many labels share a name with no others."""
    found = region_source(segmentation="map.png", labels=list(labels)).name
    more = region_source(segmentation="map.png", labels=[*labels[:-1], *labels[:1]]).name
    assert found == name if name else len(found) <= 60
    assert found != more


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/my mask.png", "my mask"),
        ("...png", "png"),
        ("\x1b[2J.png", "_[2J"),
        ("{{data}}.npy", "{{data}}"),
        ("v1.2.png", "v1.2"),
        ("x" * 250 + ".png", None),
    ],
)
def test_names_of_masks(path, name):
    """A region is named after the file of its mask, as a part of other file names."""
    found = region_source(mask=path).name
    assert found == name if name else len(found) <= 100


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--region", "mouth"], "region mouth: 4.1 % of the picture"),
        (
            ["--mask", "mask_one.png"],
            "region mask_one: 15 % of the picture; one mask for all 4 samples",
        ),
        (
            ["--segmentation", "map_one.npy", "--labels", "4"],
            "region labels_4: 15 % of the picture; one label map for all 4 samples",
        ),
        (["--mask", "sizes"], "region sizes: 10 % to 40 % of the picture, 25 % on average"),
    ],
)
def test_description(painted, arguments, line):
    """The share of the picture that a region covers, over all samples, and whether they share one
    file."""
    np.save("map_one.npy", np.where(painted == 4, 4, 0))  # the other labels are a ramp
    Path("sizes").mkdir()
    for sample in range(4):
        np.save(f"sizes/{sample}.npy", np.arange(120).reshape(12, 10) < 12 * (sample + 1))
    assert from_options(*arguments).describe(range(4), 120, 100) == (line, [])


@pytest.mark.parametrize(
    ("kept", "invert", "words"),
    [
        (
            60,
            False,
            ["masks/1.npy covers 60 % of the picture: if the rest was meant, add --invert"],
        ),
        (60, True, []),
        (50, False, []),
    ],
)
def test_a_mask_of_most_of_the_picture(tmp_path, monkeypatch, kept, invert, words):
    """A mask that covers more than half may be the wrong way round, unless it was swapped."""
    monkeypatch.chdir(tmp_path)
    Path("masks").mkdir()
    for sample in range(2):
        np.save(f"masks/{sample}.npy", np.arange(100).reshape(10, 10) < (kept if sample else 10))
    assert region_source(mask="masks", invert=invert).describe(range(2), 10, 10)[1] == words


def test_doubts_about_many_files(tmp_path):
    """What is odd about several files is said once."""
    for sample in range(5):
        np.save(tmp_path / f"{sample}.npy", np.eye(8, 16))
    _, lines = region_source(mask=str(tmp_path)).describe(range(5), 8, 8)
    assert len(lines) == 1
    assert lines[0].startswith(f"{tmp_path / '0.npy'} has 8 x 16 pixels")
    assert lines[0].endswith("(and 4 more such files)")


def test_digest(painted):
    """It is that of what the region covers: of the masks, not of their file's name, format or
    size."""

    def digest(*arguments, samples=(0, 3), size=(12, 10)):
        return from_options(*arguments).digest(samples, *size)

    first = digest("--mask", "mask_one.png")
    assert first == digest("--segmentation", "map_one.npy", "--labels", "4")
    others = [
        digest("--mask", "mask_one.png", "--invert"),
        digest("--mask", "masks"),
        digest("--region", "eyes"),
        digest("--mask", "mask_one.png", size=(10, 12)),
        digest("--mask", "mask_one.png", samples=[0]),
    ]
    assert len({first, *others}) == 6
    np.save(
        "mask_one.npy", np.roll(painted, 1, axis=0) == 4
    )  # repainted, under another name as the first is kept
    assert digest("--mask", "mask_one.npy") != first
