"""Images to bytes, thumbnails and grids."""

import io

import numpy as np
import pytest
from PIL import Image

from utils.pictures import GAP, HEAD, PAPER, encode_jpeg, grid, region_picture, save_png, thumbnail, to_uint8


def random_picture(size, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (size, size, 3), np.uint8)


@pytest.mark.parametrize(("value", "expected"), [
    (-1, 0), (1, 255), (-7, 0), (7, 255), (0.0, 128), (1 / 127.5 - 1, 1), (1.4 / 127.5 - 1, 1), (1.6 / 127.5 - 1, 2),
])
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


def test_png_is_lossless(tmp_path):
    """A PNG file holds the picture, byte for byte."""
    save_png(tmp_path / "a" / "picture.png", random_picture(20))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a" / "picture.png")), random_picture(20))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["picture.png"]


def test_jpeg_is_close():
    """A JPEG of a smooth picture is within a few grey levels of it."""
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    picture = np.stack([ramp, ramp[::-1], ramp], axis=-1)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(picture)))).astype(int)
    assert np.abs(decoded - picture).max() <= 6


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
    pictures = [[random_picture(size, seed=10 * r + c) for c in range(columns)] for r in range(rows)]
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
    heads = [canvas[:HEAD, GAP + c * 68:GAP + c * 68 + 64] for c in range(3)]
    assert all((head < 128).any() for head in heads)
    np.testing.assert_array_equal(heads[0], heads[2])
    assert (heads[0] != heads[1]).any()


@pytest.mark.parametrize("size", [1, 16, 128, 300, 600])
def test_region_picture(size):
    """The inside shows the picture as it is, the outside is darker, and between them runs a white line."""
    picture = np.full((size, size, 3), (200, 150, 100), np.uint8)
    mask = np.zeros((size, size), bool)
    mask[:size // 2 or 1, :size // 4 or 1] = True
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
