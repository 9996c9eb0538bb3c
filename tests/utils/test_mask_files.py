"""Masks and label maps from files."""

import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from dnnlib.errors import InputError
from utils.mask_files import file_of_sample, read_labels, read_mask, resize

INSIDE = np.zeros((6, 8), bool)
INSIDE[1:3, 2:7] = True


def picture(mode: str, inside: object, outside: object, palette: bool = False) -> Image.Image:
    """INSIDE painted in one colour on another."""
    image = Image.new(mode, (8, 6), outside)
    image.paste(inside, (2, 1, 7, 3))
    if palette:
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 0, 250, 250, 250])
    return image


@pytest.mark.parametrize("image", [
    picture("L", 255, 0), picture("L", 1, 0), picture("L", 200, 90), picture("1", 1, 0), picture("I;16", 60000, 0),
    picture("RGB", (255, 255, 255), (0, 0, 0)), picture("RGB", (200, 0, 0), (0, 0, 0)),
    picture("RGBA", (0, 90, 0, 255), (0, 0, 0, 0)), picture("RGBA", (0, 0, 255, 255), (255, 255, 255, 0)),
    picture("LA", (255, 255), (0, 0)), picture("P", 1, 0, palette=True), picture("P", 3, 2, palette=True),
])
def test_mask_pictures(tmp_path, image):
    """Grey, colour, palette, 1 and 16 bits, paint on black and paint on nothing all give the same mask."""
    image.save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, INSIDE)


@pytest.mark.parametrize("array", [INSIDE, INSIDE.astype(np.uint8), INSIDE * 255, INSIDE.astype(np.float32) * 0.3])
def test_mask_arrays(tmp_path, array):
    """Booleans, 0 and 1, 0 and 255, and floats in a .npy file give the same mask."""
    np.save(tmp_path / "mask.npy", array)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.npy"), INSIDE)


LABEL_MAP = np.where(INSIDE, 4, 1) + 12 * (np.arange(8) == 4)


@pytest.mark.parametrize("labels", [[4], [4, 16], [1, 13], [13, 18]])
@pytest.mark.parametrize("kind", ["L", "P", "I;16", "npy"])
def test_labels(tmp_path, labels, kind):
    """A pixel is inside if its label is one of those asked for; of a palette the index counts, not the colour."""
    path = tmp_path / ("map.npy" if kind == "npy" else "map.png")
    if kind == "npy":
        np.save(path, LABEL_MAP)
    else:
        image = Image.fromarray(LABEL_MAP.astype(np.uint16 if kind == "I;16" else np.uint8))
        if kind == "P":
            image.putpalette(list(range(0, 256)) * 3)
        image.save(path)
    np.testing.assert_array_equal(read_labels(path, labels), np.isin(LABEL_MAP, labels))


@pytest.mark.parametrize(("name", "sample"), [
    ("mask_number_0003.png", 3), ("anything number_12.npy", 12), ("syn_dataset_demo_number_0000.PNG", 0),
])
def test_file_of_sample(tmp_path, name, sample):
    """In a folder, the number at the end of a name tells the sample; a file is that of every sample."""
    (tmp_path / "notes_number_3.txt").touch()
    (tmp_path / "mask_number_30.png").touch()
    (tmp_path / name).touch()
    assert file_of_sample(tmp_path, sample) == tmp_path / name
    assert file_of_sample(tmp_path / name, 77) == tmp_path / name


@pytest.mark.parametrize(("names", "words"), [
    ([], "has no file for sample 3; expected one, named ..._number_0003.png"),
    (["mask_number_0030.png"], "has no file for sample 3"),
    (["a_number_3.png", "b_number_0003.npy"], "a_number_3.png and b_number_0003.npy for sample 3"),
])
def test_no_file_of_a_sample(tmp_path, names, words):
    """A folder without a file for a sample, or with two, is an error that says how to name it."""
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=words):
        file_of_sample(tmp_path, 3)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (12, 16), (3, 4), (7, 5), (1, 1), (256, 256)])
def test_resize(height, width):
    """Pixel (i, j) comes from (floor(i H / height), floor(j W / width)), at any size."""
    expected = [[INSIDE[i * 6 // height, j * 8 // width] for j in range(width)] for i in range(height)]
    np.testing.assert_array_equal(resize(INSIDE, height, width), expected)


@pytest.mark.parametrize(("content", "words"), [
    (np.zeros((6, 8)), "no pixel inside: all are black"),
    (np.ones((6, 8)), "no pixel outside: all are bright"),
    (np.zeros((6, 8, 3)), r"shape \[6, 8, 3\]; expected a mask \[H, W\]"),
    (np.zeros((0, 8)), r"shape \[0, 8\]"),
    (np.full((6, 8), np.nan), "NaN"),
    (np.full((6, 8), -1), "negative"),
    (np.full((6, 8), "a"), "type <U1"),
    (picture("L", 0, 0), "no pixel inside"),
    (picture("RGBA", (0, 0, 0, 0), (255, 255, 255, 0)), "no pixel inside"),
    (b"hello", r"no PNG or .npy file .*expected a mask"),
    (b"", "no PNG or .npy file"),
])
def test_unusable_masks(tmp_path, content, words):
    """A mask that is all one, of another shape, of no numbers, or no picture is an error of one line."""
    path = tmp_path / ("mask.npy" if isinstance(content, np.ndarray) else "mask.png")
    write(path, content)
    with pytest.raises(InputError, match=words) as caught:
        read_mask(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [
    (LABEL_MAP, "no pixel of label 7 or 9; expected at least one: choose --labels among 1, 4, 13, 16"),
    (LABEL_MAP.astype(float), "type float64; expected a label map"),
    (LABEL_MAP[None], r"shape \[1, 6, 8\]"),
    (picture("RGB", (7, 7, 7), (0, 0, 0)), "a picture in RGB; expected a label map"),
    (picture("RGBA", (7, 7, 7, 255), (0, 0, 0, 0)), "a picture in RGBA"),
    (picture("L", 4, 1), "choose --labels among 1, 4"),
    (b"\x89PNG\r\n\x1a\n", "truncated, damaged or no PNG"),
])
def test_unusable_label_maps(tmp_path, content, words):
    """Colours, fractions and labels that do not occur are errors; the last say which do."""
    path = tmp_path / ("map.npy" if isinstance(content, np.ndarray) else "map.png")
    write(path, content)
    with pytest.raises(InputError, match=words):
        read_labels(path, [7, 9])


@pytest.mark.parametrize("size", [(4097, 4096), (60_000, 60_000), (1, 1 << 25)])
def test_too_large(tmp_path, size):
    """A map of more pixels than MOST_PIXELS is refused before memory is taken for it."""
    path = tmp_path / "map.png"
    pixels = zlib.compress(bytes(1000))
    header = struct.pack(">II", *size) + b"\x01\0\0\0\0"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))))
    arrays = tmp_path / "map.npy"
    with open(arrays, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": size[::-1]})
        file.truncate(file.tell() + size[0] * size[1])
    tracemalloc.start()
    for read in (lambda path: read_mask(path), lambda path: read_labels(path, [1])):
        for file, words in (path, "truncated|at most 16,777,216 pixels"), (arrays, "at most 16,777,216 pixels"):
            with pytest.raises(InputError, match=words):
                read(file)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_palette_without_colours(tmp_path):
    """A picture whose palette is too short is no mask; as a label map it can be read."""
    path = tmp_path / "map.png"
    picture("P", 3, 0, palette=True).save(path)
    content = path.read_bytes()
    place = content.index(b"PLTE")
    short = b"PLTE" + bytes(6)
    path.write_bytes(content[:place - 4] + struct.pack(">I", 6) + short + struct.pack(">I", zlib.crc32(short))
                     + content[place + 8 + struct.unpack(">I", content[place - 4:place])[0]:])
    with pytest.raises(InputError, match="palette"):
        read_mask(path)
    np.testing.assert_array_equal(read_labels(path, [3]), INSIDE)


def write(path, content) -> None:
    """Bytes, an array or a picture to a file."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        content.save(path)


def test_jpeg(tmp_path):
    """A JPEG is refused: its colours are not those that were painted."""
    picture("L", 255, 0).save(tmp_path / "mask.jpg")
    with pytest.raises(InputError, match="no PNG"):
        read_mask(tmp_path / "mask.jpg")


def test_truncated_picture(tmp_path):
    """A picture that ends early is an error, not a mask that is black below."""
    Image.fromarray(np.random.RandomState(0).randint(0, 255, (64, 64), np.uint8)).save(tmp_path / "mask.png")
    content = (tmp_path / "mask.png").read_bytes()
    (tmp_path / "mask.png").write_bytes(content[:len(content) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_mask(tmp_path / "mask.png")


def test_missing_file(tmp_path):
    """A missing file stays an OSError, which the scripts explain."""
    for read in (read_mask, lambda path: read_labels(path, [1])):
        for name in ("mask.png", "mask.npy"):
            with pytest.raises(FileNotFoundError):
                read(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes in folders")
def test_pipe(tmp_path):
    """A pipe, which nobody may ever write to, is refused before it is opened."""
    os.mkfifo(tmp_path / "mask.png")
    with pytest.raises(InputError, match="is no regular file"):
        file_of_sample(tmp_path / "mask.png", 0)
