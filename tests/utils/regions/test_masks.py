"""Masks from files, and the files of samples."""

import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnnlib.errors import InputError
from utils.regions.masks import SampleFiles, read_mask, resize

INSIDE = np.zeros((6, 8), bool)
INSIDE[1:3, 2:7] = True


def picture(mode: str, inside: object, outside: object, palette: bool = False) -> Image.Image:
    """INSIDE painted in one colour on another."""
    image = Image.new(mode, (8, 6), outside)
    image.paste(inside, (2, 1, 7, 3))
    if palette:
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 0, 250, 250, 250])
    return image


@pytest.mark.parametrize(
    "image",
    [
        picture("L", 255, 0),
        picture("L", 1, 0),
        picture("L", 200, 90),
        picture("1", 1, 0),
        picture("I;16", 60000, 0),
        picture("RGB", (255, 255, 255), (0, 0, 0)),
        picture("RGB", (200, 0, 0), (0, 0, 0)),
        picture("RGBA", (0, 90, 0, 255), (0, 0, 0, 0)),
        picture("RGBA", (0, 0, 255, 255), (255, 255, 255, 0)),
        picture("LA", (255, 255), (0, 0)),
        picture("P", 1, 0, palette=True),
        picture("P", 3, 2, palette=True),
    ],
)
def test_mask_pictures(tmp_path, image):
    """Grey, colour, palette, 1 and 16 bits, paint on black and paint on nothing all give the same
    mask."""
    image.save(tmp_path / "mask.png")
    mask, doubts = read_mask(tmp_path / "mask.png")
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, INSIDE)
    assert not doubts


@pytest.mark.parametrize(
    "array",
    [
        INSIDE,
        INSIDE.astype(np.uint8),
        INSIDE * 255,
        INSIDE.astype(np.float32) * 0.3,
        INSIDE[None],
        INSIDE[..., None],
        INSIDE[..., None] * [1, 1, 1],
        INSIDE[..., None] * [0, 3, 1],
    ],
)
def test_mask_arrays(tmp_path, array):
    """Booleans, 0 and 1, 0 and 255, floats, one channel and three in a .npy file give the same
    mask."""
    np.save(tmp_path / "mask.npy", array)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.npy").inside, INSIDE)


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("mask_number_0003.png", 3),
        ("anything number_12.npy", 12),
        ("syn_dataset_demo_number_0000.PNG", 0),
        ("0.png", 0),
        ("0003.png", 3),
        ("12.npy", 12),
    ],
)
def test_file_of_sample(tmp_path, name, sample):
    """In a folder, a name that is or ends in the number tells the sample; a file is that of every
    sample."""
    for other in ("notes_number_3.txt", "mask_number_30.png", "x3.png", f"{sample}.jpg"):
        (tmp_path / other).touch()
    (tmp_path / name).touch()
    assert SampleFiles(tmp_path).of(sample) == tmp_path / name
    assert SampleFiles(tmp_path / name).of(77) == tmp_path / name


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            [],
            "has no file for sample 3; expected one, named 3.png, ..._number_0003.png or the same "
            "with .npy",
        ),
        (["mask_number_0030.png"], "has no file for sample 3"),
        (
            ["a_number_3.png", "b_number_0003.npy"],
            "a_number_3.png and b_number_0003.npy for sample 3",
        ),
        (["3.png", "0003.png"], "0003.png and 3.png for sample 3"),
    ],
)
def test_no_file_of_a_sample(tmp_path, names, words):
    """A folder without a file for a sample, or with two, is an error that says how to name it."""
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=words):
        SampleFiles(tmp_path).of(3)


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
    """However many samples there are."""
    for sample in range(20):
        (tmp_path / f"{sample}.png").touch()
    listed = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
    files = SampleFiles(tmp_path)
    assert [files.of(sample).name for sample in range(20)] == [
        f"{sample}.png" for sample in range(20)
    ]
    assert listed == [tmp_path]


@pytest.mark.parametrize(
    ("height", "width"), [(6, 8), (12, 16), (3, 4), (7, 5), (1, 1), (256, 256)]
)
def test_resize(height, width):
    """Pixel (i, j) comes from (floor(i H / height), floor(j W / width)), at any size."""
    expected = [
        [INSIDE[i * 6 // height, j * 8 // width] for j in range(width)] for i in range(height)
    ]
    np.testing.assert_array_equal(resize(INSIDE, height, width), expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((6, 8)), "no pixel inside: all are black"),
        (np.ones((6, 8)), "no pixel outside: all are bright"),
        (np.zeros((6, 8, 2)), r"shape \[6, 8, 2\]; expected a mask \[H, W\]"),
        (np.zeros((2, 6, 8)), r"shape \[2, 6, 8\]"),
        (np.zeros((0, 8)), r"shape \[0, 8\]"),
        (np.full((6, 8), np.nan), "NaN"),
        (np.full((6, 8), -1), "negative"),
        (np.full((6, 8), "a"), "type <U1"),
        (picture("L", 0, 0), "no pixel inside"),
        (picture("RGBA", (0, 0, 0, 0), (255, 255, 255, 0)), "no pixel inside"),
        (b"hello", "no PNG or .npy file; expected a mask"),
        (b"", "no PNG or .npy file"),
    ],
)
def test_unusable_masks(tmp_path, content, words):
    """A mask that is all one, of another shape, of no numbers, or no picture is an error of one
    line."""
    path = tmp_path / ("mask.npy" if isinstance(content, np.ndarray) else "mask.png")
    write(path, content)
    with pytest.raises(InputError, match=words) as caught:
        read_mask(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (64, 64), np.uint8)


@pytest.mark.parametrize(
    ("values", "size", "words"),
    [
        (NOISE, (64, 64), "has many shades"),
        (np.add.outer(np.arange(64), np.arange(64)), (32, 32), "has many shades"),
        (np.arange(64 * 64).reshape(64, 64) % 15, (64, 64), "has many shades"),  # as a label map
        (np.eye(64), (64, 96), "has 64 x 64 pixels, other proportions than 64 x 96"),
        (np.eye(100), (16, 16), None),
        (np.eye(64, 65), (256, 256), None),
        (255 * np.eye(64) + NOISE % 6, (64, 64), None),  # as of a JPEG
    ],
)
def test_doubts(tmp_path, values, size, words):
    """A mask that looks like a photograph, or is stretched, is one that may not be meant, and says
    so."""
    np.save(tmp_path / "mask.npy", values)
    doubts = read_mask(tmp_path / "mask.npy", size).doubts
    assert [words in doubt for doubt in doubts] == ([True] if words else [])


@pytest.mark.parametrize("size", [(4097, 4096), (60_000, 60_000), (1, 1 << 25)])
def test_too_large(tmp_path, size):
    """A map of more pixels than MOST_PIXELS is refused before memory is taken for it."""
    path = tmp_path / "map.png"
    pixels = zlib.compress(bytes(1000))
    header = struct.pack(">II", *size) + b"\x01\0\0\0\0"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
        )
    )
    arrays = tmp_path / "map.npy"
    with open(arrays, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": size[::-1]}
        )
        file.truncate(file.tell() + size[0] * size[1])
    tracemalloc.start()
    for file, words in (
        (path, "truncated|at most 16,777,216 pixels"),
        (arrays, "at most 16,777,216 pixels"),
    ):
        with pytest.raises(InputError, match=words):
            read_mask(file)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_large_mask(tmp_path):
    """The largest mask of the widest numbers takes little memory beside its own, and is read as a
    small one is."""
    path = tmp_path / "mask.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<i8", "fortran_order": False, "shape": (4096, 4096)}
        )
        file.truncate(file.tell() + 8 * 4096**2)
        file.seek(-8, os.SEEK_END)
        file.write(b"\x01")
    tracemalloc.start()
    inside = read_mask(path, (4096, 2)).inside
    assert tracemalloc.get_traced_memory()[1] < 8 * 4096**2 + (64 << 20)
    tracemalloc.stop()
    assert not inside.any()  # the bright pixel is none of those that are taken


def write(path, content) -> None:
    """Bytes, an array or a picture to a file."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        content.save(path)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("jpg", "is a JPEG picture, which smears edges and labels; expected a mask"),
        ("bmp", "is a BMP.*: save it as PNG"),
        ("tiff", "is a TIFF"),
        ("webp", "is a WebP"),
        ("gif", "is a GIF"),
    ],
)
def test_other_pictures(tmp_path, ending, words):
    """A picture of another kind is named, also under the name of a PNG, with what to do."""
    picture("L", 255, 0).save(tmp_path / f"mask.{ending}")
    (tmp_path / f"mask.{ending}").rename(tmp_path / "mask.png")
    with pytest.raises(InputError, match=words):
        read_mask(tmp_path / "mask.png")


def test_truncated_picture(tmp_path):
    """A picture that ends early is an error, not a mask that is black below."""
    Image.fromarray(np.random.RandomState(0).randint(0, 255, (64, 64), np.uint8)).save(
        tmp_path / "mask.png"
    )
    content = (tmp_path / "mask.png").read_bytes()
    (tmp_path / "mask.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_mask(tmp_path / "mask.png")


def test_missing_file(tmp_path):
    """A missing file stays an OSError, which the scripts explain."""
    for name in ("mask.png", "mask.npy"):
        with pytest.raises(FileNotFoundError):
            read_mask(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes in folders")
@pytest.mark.parametrize("name", ["mask.png", "mask.npy"])
def test_pipe(tmp_path, name):
    """A pipe, which nobody may ever write to, is refused unread."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is a pipe"):
        read_mask(tmp_path / name)
