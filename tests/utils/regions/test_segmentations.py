"""Label maps: numbers, palettes and colours, and whose names they are."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dnnlib.errors import InputError
from utils.regions.masks import read_mask
from utils.regions.segmentations import COLOURS, NAMES, PARSERS, percent, read_labels, resolve

INSIDE = np.zeros((6, 8), bool)
INSIDE[1:3, 2:7] = True
LABEL_MAP = np.where(INSIDE, 4, 1) + 12 * (np.arange(8) == 4)
GREY = Image.fromarray(LABEL_MAP.astype(np.uint8))
FACE = np.arange(19 * 19).reshape(19, 19) % 19  # every label of a parser, many times


def coloured(parser: str) -> np.ndarray:
    """FACE in the colours of a parser: uint8 [19, 19, 3]."""
    return np.array([list(bytes.fromhex(colour)) for colour in COLOURS[parser].split()], np.uint8)[
        FACE
    ]


def with_palette(indices: np.ndarray, colours: str) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(bytes.fromhex(colours.replace(" ", "")))
    return image


def saved(folder, content):
    """The path of an array or a picture."""
    path = folder / ("map.npy" if isinstance(content, np.ndarray) else "map.png")
    np.save(path, content) if isinstance(content, np.ndarray) else content.save(path)
    return path


# As in CelebAMask-HQ's g_mask.py and g_color.py, and in face-parsing.PyTorch's prepropess_data.py
# and test.py.
@pytest.mark.parametrize(
    ("parser", "numbers", "colours"),
    [
        (
            "celebamask",
            {
                "nose": 2,
                "eye_g": 3,
                "l_brow": 6,
                "mouth": 10,
                "l_lip": 12,
                "hair": 13,
                "neck": 17,
                "cloth": 18,
            },
            {
                "skin": (204, 0, 0),
                "l_eye": (51, 51, 255),
                "hair": (0, 0, 204),
                "cloth": (0, 204, 0),
            },
        ),
        (
            "bisenet",
            {
                "l_brow": 2,
                "eye_g": 6,
                "nose": 10,
                "mouth": 11,
                "l_lip": 13,
                "neck": 14,
                "cloth": 16,
                "hair": 17,
            },
            {
                "skin": (255, 85, 0),
                "l_eye": (255, 0, 170),
                "hair": (255, 255, 170),
                "hat": (255, 0, 255),
            },
        ),
    ],
)
def test_tables(tmp_path, parser, numbers, colours):
    """Names have the numbers and colours of their parser."""
    assert sorted(PARSERS[parser]) == sorted(NAMES)
    for name, number in numbers.items():
        assert resolve([name], parser) == [number]
    path = saved(tmp_path, Image.fromarray(coloured(parser)))
    for name, colour in colours.items():
        expected = (coloured(parser) == colour).all(axis=-1)
        assert expected.any()
        np.testing.assert_array_equal(
            read_labels(path, resolve([name], parser), parser=parser).inside, expected
        )


@pytest.mark.parametrize(
    ("labels", "parser", "resolved"),
    [
        (["background", "skin", "l_eye", "r_eye"], None, [0, 1, 4, 5]),
        (["r_eye"], "bisenet", [5]),
        ([7, 3, 7], None, [3, 7]),
        (["hair", 3], "bisenet", [3, 17]),
        (["#00ff00", "#0000ff"], None, ["#0000ff", "#00ff00"]),
    ],
)
def test_resolve(labels, parser, resolved):
    """Numbers and names that mean the same to all parsers need none; each label counts once."""
    assert resolve(labels, parser) == resolved


@pytest.mark.parametrize(
    ("labels", "parser", "words"),
    [
        (
            ["hair"],
            None,
            "hair in label maps: 13 in those of celebamask and 17 in those of bisenet; expected "
            "the parser",
        ),
        (["nose", 3, "l_eye"], None, "nose in label maps: 2 in those of celebamask and 10"),
        ([4], "bisenet", "without a name among the labels"),
        (["#ff0000"], "bisenet", "without a name among the labels"),
        ([4, "#ff0000"], None, "colours and numbers in one list"),
        (["ear"], None, "'ear' is not a known label"),
        (["#ff00"], None, "not a known label"),
        ([1 << 40], None, "not a known label"),
        ([True], None, "not a known label"),
        (["hair"], "deeplab", "parser 'deeplab' is not known; expected one of celebamask, bisenet"),
        (list(range(1001)), None, "1001 labels given; expected at most 1000"),
    ],
)
def test_unclear_labels(labels, parser, words):
    """A name that means two things, and what is no label or has no effect, is an error that says
    what to give."""
    with pytest.raises(InputError, match=words):
        resolve(labels, parser)


@pytest.mark.parametrize("labels", [[4], [4, 16], [1, 13], [13, 18]])
@pytest.mark.parametrize(
    "content",
    [
        GREY,
        Image.fromarray(LABEL_MAP.astype(np.uint16)),
        GREY.convert("RGB"),
        GREY.convert("RGBA"),
        GREY.convert("LA"),
        with_palette(LABEL_MAP, bytes(range(255)).hex()),
        with_palette(LABEL_MAP, COLOURS["celebamask"]),
        with_palette(LABEL_MAP, "000000" * 19),
        LABEL_MAP,
        np.asarray(GREY),
        LABEL_MAP[None],
        LABEL_MAP[..., None],
        np.repeat(LABEL_MAP[..., None], 3, axis=-1),
    ],
    ids=[
        "grey",
        "16bit",
        "rgb",
        "rgba",
        "la",
        "palette",
        "celebamask",
        "black",
        "int64",
        "uint8",
        "1HW",
        "HW1",
        "HW3",
    ],
)
def test_numbers(tmp_path, labels, content):
    """A pixel is inside if its number is asked for: grey in one channel or three, and the index of
    a palette."""
    drawn = read_labels(saved(tmp_path, content), labels)
    np.testing.assert_array_equal(drawn.inside, np.isin(LABEL_MAP, labels))
    assert not drawn.doubts


def test_palette_without_colours(tmp_path):
    """A picture whose palette is too short is no mask; as a label map it can be read."""
    path = saved(tmp_path, with_palette(LABEL_MAP, COLOURS["celebamask"]))
    content = path.read_bytes()
    start = content.index(b"PLTE") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    short = b"PLTE" + bytes(6)
    path.write_bytes(
        content[:start]
        + struct.pack(">I", 6)
        + short
        + struct.pack(">I", zlib.crc32(short))
        + content[end:]
    )
    with pytest.raises(InputError, match="palette"):
        read_mask(path)
    np.testing.assert_array_equal(read_labels(path, [4]).inside, LABEL_MAP == 4)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("kind", ["png", "swapped", "npy", "palette"])
def test_colours(tmp_path, parser, kind):
    """A map in the colours of a parser has its labels, with red and blue swapped as OpenCV saves
    it, too; any colour can be asked for as such."""
    colours = coloured(parser)[..., ::-1] if kind == "swapped" else coloured(parser)
    palette = with_palette(FACE, COLOURS[parser])
    path = saved(
        tmp_path,
        palette
        if kind == "palette"
        else colours
        if kind == "npy"
        else Image.fromarray(np.ascontiguousarray(colours)),
    )
    for labels in ([4, 5], resolve(["hair"], parser), [1, 18]):
        np.testing.assert_array_equal(
            read_labels(path, labels, parser=parser).inside, np.isin(FACE, labels)
        )
    red, green, blue = colours[0, 7]
    np.testing.assert_array_equal(
        read_labels(path, [f"#{red:02x}{green:02x}{blue:02x}"]).inside, FACE == 7
    )
    other = next(name for name in PARSERS if name != parser)
    with pytest.raises(InputError, match=f"has the colours of {parser}; expected those of {other}"):
        read_labels(path, [4], parser=other)


SHUFFLED = COLOURS["celebamask"].split()[::-1]
TWO = np.repeat(np.where(INSIDE, 4, 1)[..., None], 3, axis=-1).astype(np.uint8) * np.array(
    [1, 2, 3], np.uint8
)


@pytest.mark.parametrize(
    ("content", "labels", "words"),
    [
        (
            LABEL_MAP,
            [7, 9],
            r"no pixel of label 7 or 9; expected at least one: choose among 1 \(71 %\), "
            r"4 ",
        ),
        (
            LABEL_MAP,
            ["#ff0000"],
            "has no colours; expected numbers or names: choose among 1",
        ),
        (LABEL_MAP.astype(float), [4], "type float64; expected a label map"),
        (np.arange(10000).reshape(100, 100), [-1], "thousands of different numbers"),
        (
            Image.fromarray(TWO),
            [4],
            r"colours that are not those of .*among '#010203' \(79 %\), '#04080c' \(21 %\)",
        ),
        (
            Image.fromarray(TWO),
            ["#010204"],
            "no pixel of label #010204; .*choose among '#010203'",
        ),
        (TWO.astype(int) + 300, [4], "or colours of 0 to 255"),
        (
            Image.fromarray(coloured("celebamask")),
            [19],
            r"no pixel of label 19, by the colours of .* 0 \(5.3 %\), 1 ",
        ),
        (
            with_palette(FACE, " ".join(SHUFFLED)),
            [4],
            "label 4 is '#ff3399' .* indices of its palette and '#3333ff'",
        ),
        (
            with_palette(FACE, "".join(f"{4 * i:02x}" * 3 for i in range(19))),
            [4],
            "by its shades of grey",
        ),
        (
            Image.fromarray(TWO)
            .resize((99, 99), Image.Resampling.BICUBIC)
            .rotate(7, Image.Resampling.BICUBIC),
            [4],
            "colours that are not",
        ),
        (
            Image.merge("RGBA", [*Image.fromarray(TWO).split(), Image.fromarray(TWO[..., 0])]),
            [4],
            "transparent in places",
        ),
    ],
)
def test_unusable_label_maps(tmp_path, content, labels, words):
    """Labels that do not occur, and what can be read in two ways or in none, are errors that say
    what there is."""
    with pytest.raises(InputError, match=words):
        read_labels(saved(tmp_path, content), labels)


def test_map_laid_over_a_photograph(tmp_path):
    """As face-parsing.PyTorch draws it, at 0.6 over 0.4 of the picture: no label can be read from
    it."""
    photograph = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (19, 19, 3))
    blended = np.rint(0.4 * photograph + 0.6 * coloured("bisenet")).astype(np.uint8)
    for labels in ([4], ["#ff5500"]):
        with pytest.raises(InputError, match=r"more than 256 colours, .* a map laid over one"):
            read_labels(saved(tmp_path, Image.fromarray(blended)), labels)


def test_size(tmp_path):
    """At another size a label is where nearest neighbour puts it; one that is lost there is an
    error of its own."""
    path = saved(tmp_path, np.repeat(np.repeat(LABEL_MAP, 2, axis=0), 2, axis=1))
    np.testing.assert_array_equal(read_labels(path, [4], (6, 8)).inside, LABEL_MAP == 4)
    with pytest.raises(
        InputError, match="has 8 of 192 pixels of label 16, too few to leave one at 2 x 2"
    ):
        read_labels(path, [16], (2, 2))


def test_doubts(tmp_path):
    """A photograph in grey is hardly a label map, nor is one of other proportions that of the
    picture."""
    path = saved(tmp_path, np.arange(256).reshape(16, 16))
    assert [doubt[:25] for doubt in read_labels(path, [4]).doubts] == ["has 256 different labels,"]
    assert "other proportions" in read_labels(path, [4], (16, 20)).doubts[0]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0004, "0.04 %"),
        (0.032, "3.2 %"),
        (0.256, "26 %"),
        (1, "100 %"),
    ],
)
def test_percent(share, text):
    """A share as people read it."""
    assert percent(share) == text


def png(values, depth, colour_type=0):
    """A PNG file of numbers [H, W] or [H, W, C], of `depth` bits each."""

    def chunk(name, content):
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = values.shape[:2]
    lines = values.reshape(height, -1)
    if depth == 16:
        rows = [line.astype(">u2").tobytes() for line in lines]
    else:
        bits = np.unpackbits(lines.astype(np.uint8)[..., None], axis=-1)[..., -depth:]
        rows = [np.packbits(line).tobytes() for line in bits]
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + content + chunk(b"IEND", b"")


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_bits_of_grey(tmp_path, depth):
    """The labels of a grey map are the numbers in the file, of however many bits."""
    numbers = np.arange(35).reshape(5, 7) * 11 % (1 << depth)
    path = tmp_path / "map.png"
    path.write_bytes(png(numbers, depth))
    for label in np.unique(numbers).tolist():
        np.testing.assert_array_equal(read_labels(path, [label]).inside, numbers == label)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colours_of_16_bits(tmp_path, colour_type, channels):
    """What Pillow reads of 16 bits only in part is refused for that reason: as a label map, and as
    a mask if nothing of it may be left."""
    numbers = np.repeat(LABEL_MAP[..., None], channels, axis=-1)
    if channels != 3:
        numbers[..., -1] = 0xFFFF
    path = tmp_path / "map.png"
    path.write_bytes(png(numbers, 16, colour_type))
    for read in (lambda: read_labels(path, [4]), lambda: read_mask(path)):
        with pytest.raises(InputError, match="16 bits for each colour, of which only the upper 8"):
            read()
    bright = np.where(INSIDE[..., None], 0xFFFF, 0x100) | (np.arange(channels) > 2) * 0xFFFF
    path.write_bytes(png(bright.astype(int) | numbers * 0, 16, colour_type))
    if channels != 2:
        np.testing.assert_array_equal(read_mask(path).inside, INSIDE)


@pytest.mark.parametrize("size", [16, 64, 100, 200, 256, 512])
def test_smeared(root, tmp_path, size):
    """A map that was scaled smoothly gets a warning; a sharp one of any size does not."""
    for path in sorted((root / "demo/label_maps").iterdir()):
        grey = Image.fromarray(np.asarray(Image.open(path)))
        for how in (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
            small = tmp_path / f"{how}.png"
            grey.resize((size, size), how).save(small)
            doubts = read_labels(small, [1, 13]).doubts
            looks = any("looks smeared" in doubt for doubt in doubts)
            assert looks == (how != Image.Resampling.NEAREST)
