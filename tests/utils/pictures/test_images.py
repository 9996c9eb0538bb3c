"""Images to bytes, thumbnails and grids."""

import io

import numpy as np
import pytest
from PIL import Image

from utils.pictures.images import (
    GAP,
    HEAD,
    PAPER,
    contact_sheet,
    encode,
    grid,
    mosaic,
    region_picture,
    save_animation,
    save_jpeg,
    save_png,
    thumbnail,
    to_picture,
    to_uint8,
)


def random_picture(size, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (size, size, 3), np.uint8)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-1, 0),
        (1, 255),
        (-7, 0),
        (7, 255),
        (0.0, 128),
        (1 / 127.5 - 1, 1),
        (1.4 / 127.5 - 1, 1),
        (1.6 / 127.5 - 1, 2),
    ],
)
def test_to_uint8(value, expected):
    """-1 to 1 becomes 0 to 255, rounded to the nearest and clipped."""
    result = to_uint8(np.full((1, 2, 2, 3), value))
    assert result.dtype == np.uint8
    assert (result == expected).all()


def test_one_channel_becomes_three():
    """A grey image is a colour picture with equal channels."""
    result = to_uint8(np.linspace(-1, 1, 16).reshape(1, 4, 4, 1))
    assert result.shape == (1, 4, 4, 3)
    assert (result == result[..., :1]).all()


@pytest.mark.parametrize(("channels", "shown"), [(2, [0, 0, 0]), (5, [0, 1, 2])])
def test_other_numbers_of_channels(channels, shown):
    """Of two channels the first is shown, of five the first three."""
    images = np.linspace(-1, 1, 16 * channels).reshape(1, 4, 4, channels)
    np.testing.assert_array_equal(to_uint8(images), to_uint8(images[..., shown]))


def test_alpha(tmp_path):
    """Of RGB and alpha, a PNG file keeps all four, and pictures show what Pillow makes of it over
    white."""
    image = np.random.Generator(np.random.PCG64(0)).uniform(-1.2, 1.2, (8, 8, 4))
    save_png(tmp_path / "picture.png", to_uint8(image[None])[0])
    picture = Image.open(tmp_path / "picture.png")
    np.testing.assert_array_equal(
        np.asarray(picture)[..., 3], to_uint8(image[None, ..., 3:])[0, ..., 0]
    )
    white = Image.new("RGBA", picture.size, "white")
    expected = np.asarray(Image.alpha_composite(white, picture).convert("RGB")).astype(int)
    assert np.abs(to_picture(image) - expected).max() <= 1  # Pillow rounds twice


def test_png_is_lossless(tmp_path):
    """A PNG file holds the picture, byte for byte."""
    save_png(tmp_path / "a" / "picture.png", random_picture(20))
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "a" / "picture.png")), random_picture(20)
    )
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["picture.png"]


@pytest.mark.parametrize(("size", "kind"), [(64, "JPEG"), (128, "JPEG"), (256, "WEBP")])
def test_encoded_is_close(tmp_path, size, kind):
    """A smooth picture of the page is within a few grey levels of what it was, also as a JPEG
    file."""
    ramp = np.add.outer(np.arange(size), np.arange(size)) * 127 // size
    picture = np.stack([ramp, ramp[::-1], ramp], axis=-1).astype(np.uint8)
    save_jpeg(tmp_path / "picture.jpg", picture)
    for file in (io.BytesIO(encode(picture)), tmp_path / "picture.jpg"):
        opened = Image.open(file)
        assert np.abs(np.asarray(opened.convert("RGB")).astype(int) - picture).mean() <= 2.5
    assert Image.open(io.BytesIO(encode(picture))).format == kind


@pytest.mark.parametrize(("size", "shown"), [(32, 32), (256, 256), (512, 256)])
def test_to_picture(size, shown):
    """An image is shown in 8 bits with at most 256 pixels a side."""
    picture = to_picture(np.full((size, size, 1), 0.2))
    assert (picture.shape, picture.dtype) == ((shown, shown, 3), np.uint8)
    assert (picture == 153).all()


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize(("count", "order"), [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3, 2, 1])])
def test_animation(tmp_path, kind, count, order):
    """Frames are played there and back without end, none of the ends twice, and the same frames
    give the same bytes."""
    frames = [np.full((16, 16, 3), 60 * i, np.uint8) for i in range(count)]
    for name in ("a", "b"):
        save_animation(tmp_path / f"{name}.{kind}", frames)
    moving = Image.open(tmp_path / f"a.{kind}")
    assert getattr(moving, "n_frames", 1) == len(order)
    for place, frame in enumerate(order):
        moving.seek(place)
        assert np.abs(np.asarray(moving.convert("RGB")).astype(int) - frames[frame]).max() <= 3
    assert count == 1 or moving.info["loop"] == 0
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_gif_does_not_flicker(tmp_path):
    """What stays the same in a photograph has the same colours in every frame."""
    still = random_picture(32)
    frames = [still.copy() for _ in range(3)]
    for i, frame in enumerate(frames):
        frame[:8] = 80 * i
    save_animation(tmp_path / "a.gif", frames)
    moving = Image.open(tmp_path / "a.gif")
    shown = []
    for place in range(moving.n_frames):
        moving.seek(place)
        shown.append(np.asarray(moving.convert("RGB"))[8:])
    assert all((frame == shown[0]).all() for frame in shown)


@pytest.mark.parametrize(
    ("count", "shape"),
    [
        (1, (1, 1)),
        (2, (1, 2)),
        (3, (1, 3)),
        (4, (2, 2)),
        (7, (2, 4)),
        (10, (2, 5)),
        (100, (10, 10)),
    ],
)
def test_mosaic(count, shape):
    """Pictures fill rows one after the other, with few gaps, and shrink rather than make the whole
    too wide."""
    pictures = [random_picture(32, seed) for seed in range(count)]
    whole = mosaic(pictures, width=200)
    size = min(32, (200 - GAP) // shape[1] - GAP)
    assert whole.shape == (*(GAP + number * (size + GAP) for number in shape), 3)
    np.testing.assert_array_equal(
        whole[GAP : GAP + size, GAP : GAP + size], thumbnail(pictures[0], size)
    )


def test_contact_sheet():
    """Originals on top, centred over their pairs; words at the left; pairs in the order of the
    rows."""
    originals = np.stack([random_picture(70, seed) for seed in range(2)])
    rows = [
        np.stack([random_picture(70, 10 * row + i) for i in range(4)]).reshape(2, 2, 70, 70, 3)
        for row in (1, 2)
    ]
    sheet = contact_sheet(originals, rows, [["row 0", "ratio 2"], ["row 1", "ratio 3"]])
    gap, pair = 10, 2 * 70 + GAP + 10
    left = sheet.shape[1] - 2 * pair
    for row, column, step in np.ndindex(2, 2, 2):
        top, side = gap + (1 + row) * 80, left + column * pair + step * (70 + GAP)
        np.testing.assert_array_equal(
            sheet[top : top + 70, side : side + 70], rows[row][column, step]
        )
    np.testing.assert_array_equal(sheet[gap : gap + 70, left + 37 : left + 107], originals[0])
    assert (sheet[:, gap : left - gap] < 128).any()
    assert (sheet[:, left - 2 * gap : left] == PAPER).all()


@pytest.mark.parametrize("size", [16, 64, 256])
def test_thumbnail(size):
    """A larger picture is averaged down in blocks; one that is small enough is left alone."""
    picture = random_picture(128)
    result = thumbnail(picture, size)
    if size >= 128:
        assert result is picture
        return
    block = 128 // size
    mean = picture.reshape(size, block, size, block, 3).mean(axis=(1, 3))
    assert result.shape == (size, size, 3)
    assert np.abs(result - mean).max() <= 1


@pytest.mark.parametrize(("rows", "columns", "size"), [(1, 1, 8), (3, 5, 16), (2, 8, 64)])
def test_grid(rows, columns, size):
    """Every picture is at its place, with white between, below a line of heads."""
    pictures = [
        [random_picture(size, seed=10 * r + c) for c in range(columns)] for r in range(rows)
    ]
    canvas = grid(pictures, [f"{c:+d}" for c in range(columns)])
    assert canvas.shape == (HEAD + rows * (size + GAP), GAP + columns * (size + GAP), 3)
    covered = np.zeros(canvas.shape[:2], bool)
    for r in range(rows):
        for c in range(columns):
            top, left = HEAD + r * (size + GAP), GAP + c * (size + GAP)
            place = slice(top, top + size), slice(left, left + size)
            np.testing.assert_array_equal(canvas[place], pictures[r][c])
            covered[place] = True
    assert (canvas[HEAD:][~covered[HEAD:]] == PAPER).all()


def test_grid_heads():
    """Each column has ink above it, and columns of different heads look different."""
    canvas = grid([[random_picture(64)] * 3], ["-4", "original", "-4"])
    heads = [canvas[:HEAD, GAP + c * 68 : GAP + c * 68 + 64] for c in range(3)]
    assert all((head < 128).any() for head in heads)
    np.testing.assert_array_equal(heads[0], heads[2])
    assert (heads[0] != heads[1]).any()


@pytest.mark.parametrize("size", [1, 16, 128, 300, 600])
def test_region_picture(size):
    """The inside shows the picture as it is, the outside is darker, and between them runs a white
    line."""
    picture = np.full((size, size, 3), (200, 150, 100), np.uint8)
    mask = np.zeros((size, size), bool)
    mask[: size // 2 or 1, : size // 4 or 1] = True
    result = region_picture(picture, mask)
    scale = len(result) // size
    assert result.shape == (size * scale, size * scale, 3)
    assert len(result) >= 512
    inside = mask.repeat(scale, axis=0).repeat(scale, axis=1)
    assert (result[inside] == (200, 150, 100)).all()
    if size > 1:
        assert (result[-1, -1] < 110).all()
        assert (result[0, size // 4 * scale] == 255).all()
        np.testing.assert_array_equal((result == 255).all(axis=2).any(), True)
        assert not (result[inside] == 255).all(axis=1).any()
