"""Masks and label maps in files, PNG or .npy, one for all samples or a folder with one for each."""

import contextlib
import functools
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from dnnlib.containers.npy import NpyFile
from dnnlib.errors import InputError
from dnnlib.foreign import START_SIZE, name_of_foreign
from dnnlib.reading import open_file
from dnnlib.text import one_line

MOST_PIXELS = 1 << 24  # 4096 x 4096: a small file can have as many
BYTES_A_PIXEL = 20  # of memory that a map of one may take
BITS = "bits of a number"  # in the `info` of a picture
DARK = 16  # of 255: what is no brighter has too few shades left if its lower bits are dropped
BAND = 1 << 20  # pixels of a large map that are looked at together
SHADES, CLEAR_SHARE = 64, 0.85  # of a painted mask, two of so many shades cover at least this share
TOLERATED_STRETCH = 1.02  # of one axis against the other: sizes are rounded
NUMBERED = re.compile(
    r"(?:^|number_)([0-9]+)\.(?:(png|npy)|jpe?g|bmp|gif|tiff?|webp)$", re.IGNORECASE
)
LOSSY = {  # pictures of these kinds are not what was drawn
    "a JPEG picture": ", which smears edges and labels",
    "a WebP picture": ", which may smear edges and labels",
}


class Drawn(NamedTuple):
    """A region as a file has it."""

    inside: np.ndarray  # bool [H, W]
    doubts: tuple[str, ...] = ()  # what is odd about the file, each the rest of a sentence about it


class SampleFiles:
    """The file of each sample: `path` itself for all, or, in a folder, the one whose name is or
    ends in the number of the sample: 3.png, 0003.npy, anything_number_0003.png. A folder is listed
    once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @functools.cached_property
    def numbered(self) -> dict[int, list[Path]] | None:
        """The files in the folder by their numbers, or None if it is no folder. What is neither PNG
        nor .npy counts only if there is nothing else for a sample: it is then named for what it
        is."""
        if not self.path.is_dir():
            return None
        files: dict[int, list[Path]] = {}
        others: dict[int, list[Path]] = {}
        for file in sorted(self.path.iterdir()):
            if match := NUMBERED.search(file.name):
                (files if match[2] else others).setdefault(int(match[1]), []).append(file)
        return others | files

    def of(self, sample: int) -> Path:
        """Raises InputError if the folder has no file for the sample, or two."""
        if self.numbered is None:
            return self.path
        matching = self.numbered.get(sample, [])
        if len(matching) != 1:
            found = " and ".join(file.name for file in matching[:3]) or "no file"
            raise InputError(
                f"{self.path} has {found} for sample {sample}; expected one, named {sample}.png, "
                f"..._number_{sample:04d}.png or the same with .npy: make it so"
            )
        return matching[0]


# Masks --------------------------------------------------------------------------------------------


def read_mask(path: Path, size: tuple[int, int] | None = None) -> Drawn:
    """True where a mask is brighter than half of its brightest pixel, so that 0 and 1, 0 and 255,
    and paint of any colour on black or on nothing will do.

    `size` is [height, width] of the result, by nearest neighbour; its own without. Raises
    InputError.
    """
    what = "a mask [H, W], bright inside and dark outside"
    values = read_npy_map(path, what, kinds="fiub") if is_npy(path) else _painted(path, what)
    low, high = np.inf, 0.0
    for band in bands(values):
        brightness = _brightness(band)
        if not (brightness.min() >= 0 and brightness.max() < np.inf):
            raise InputError(f"{path} holds negative numbers, NaN or infinity; expected {what}")
        low, high = min(low, brightness.min()), max(high, brightness.max())
    if low > high / 2 or not high:
        raise InputError(
            f"{path} has no pixel {'outside' if high else 'inside'}: all are "
            f"{'bright' if high else 'black'}; expected {what}"
        )
    size = size or values.shape[:2]
    brightness = _brightness(resize(values, *size))
    shades = np.bincount(
        (brightness * ((SHADES - 0.001) / high)).astype(np.uint8).ravel(), minlength=2
    )
    doubts = stretch_doubt(values.shape, size)
    if np.sort(shades)[-2:].sum() < CLEAR_SHARE * brightness.size:
        doubts += (
            "has many shades, as a photograph or a label map has: what is brighter than half of "
            "its brightest pixel counts as inside; if that is not meant, paint the region in one "
            "colour on black",
        )
    return Drawn(brightness > high / 2, doubts)


def _painted(path: Path, what: str) -> np.ndarray:
    """A picture [H, W] of 1, 16 or 32 bits as it is, others as RGBA [H, W, 4]: what is transparent
    was not painted."""
    picture = read_png(path, what)
    if picture.mode.startswith("I") or picture.mode == "1":
        return np.asarray(picture)
    with naming(path, what):  # a palette may be too short
        pixels = np.asarray(picture.convert("RGBA"))
    if picture.info[BITS] == 16 and all(band[..., :3].max() < DARK for band in bands(pixels)):
        raise too_deep(path, "is dark, and ", what)
    return pixels


def too_deep(path: Path, more: str, what: str) -> InputError:
    """The error for a picture of which Pillow drops what counts."""
    return InputError(
        f"{path} {more}has 16 bits for each colour, of which only the upper 8 can be read; "
        f"expected {what}: save it with 8 bits, or as grey of 16"
    )


def _brightness(pixels: np.ndarray) -> np.ndarray:
    """[..., H, W], or colours [..., H, W, 3 or 4], of which the last is opacity -> float64 [..., H,
    W]."""
    with np.errstate(all="ignore"):  # long doubles that are no doubles
        if pixels.ndim == 2:
            return pixels.astype(float)
        return pixels[..., :3].max(axis=-1).astype(float) * (
            pixels[..., 3] if pixels.shape[-1] == 4 else 1
        )


def stretch_doubt(shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[str, ...]:
    """A line if a map of other proportions than the images is laid over them, or none."""
    stretch = shape[0] * size[1] / (shape[1] * size[0])
    rounded = (
        abs(shape[0] - shape[1] * size[0] / size[1]) <= 1
        or abs(shape[1] - shape[0] * size[1] / size[0]) <= 1
    )
    if rounded or 1 / TOLERATED_STRETCH < stretch < TOLERATED_STRETCH:
        return ()
    return (
        f"has {shape[0]} x {shape[1]} pixels, other proportions than {size[0]} x {size[1]}: it is "
        "stretched over the picture; make it of the whole picture",
    )


# Files --------------------------------------------------------------------------------------------


def is_npy(path: Path) -> bool:
    return path.suffix.lower() == ".npy"


def read_npy_map(path: Path, what: str, kinds: str) -> np.ndarray:
    """The values [H, W], or [H, W, 3] where these three differ, in a .npy file.

    [1, H, W] and [H, W, 1] will do too. `kinds` are NumPy's letters for the types allowed. Raises
    InputError, speaking of `what` was expected.
    """
    with NpyFile(path, what, kinds) as file:
        if file.spare:
            raise InputError(
                f"{path} has {file.spare} bytes behind its array, as a file of several arrays has; "
                f"expected {what}: save it by itself"
            )
        shape = file.shape
        if len(shape) == 3 and 1 in (shape[0], shape[2]):
            shape = shape[1:] if shape[0] == 1 else shape[:2]
        pixels = math.prod(shape[:2])
        if (
            not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3))
            or not 0 < pixels <= MOST_PIXELS
        ):
            raise InputError(
                f"{path} has shape {list(file.shape)}; expected {what}{_limit(pixels)}"
            )
        return one_of_equal_channels(file.read_all().reshape(shape))


def one_of_equal_channels(values: np.ndarray) -> np.ndarray:
    """Grey that was saved in three channels is grey: [H, W, 3] -> [H, W] if all are the same."""
    if values.ndim == 3 and all((band == band[..., :1]).all() for band in bands(values)):
        return values[..., 0]
    return values


def bands(values: np.ndarray) -> Iterator[np.ndarray]:
    """The array [H, ...] in slices of rows, so that what is computed of them takes little
    memory."""
    rows = max(BAND // values.shape[1], 1)
    return (values[row : row + rows] for row in range(0, len(values), rows))


def _limit(pixels: int) -> str:
    return f", at most {MOST_PIXELS:,} pixels" if pixels > MOST_PIXELS else ""


def read_png(path: Path, what: str) -> Image.Image:
    """The picture in a PNG file; its `info[BITS]` says of how many bits its numbers are there.

    Pillow scales grey of 2 and 4 bits to 8, and of colours, and grey with opacity, of 16 bits it
    drops the lower 8. Raises InputError, speaking of `what` was expected, if it cannot be read.
    """
    with naming(path, what), open_file(path) as file:
        start = file.read(START_SIZE)
        found = name_of_foreign(start)
        if found and found.endswith(" picture") and found != "a PNG picture":
            raise InputError(
                f"{path} is {found}{LOSSY.get(found, '')}; expected {what}, as PNG or .npy: "
                f"{'make it again' if found in LOSSY else 'save it'} as PNG"
            )
        file.seek(0)
        with Image.open(file, formats=["PNG"]) as picture:
            pixels = picture.width * picture.height
            if pixels > MOST_PIXELS:
                raise InputError(
                    f"{path} is a picture of {picture.width} x {picture.height}; expected "
                    f"{what}{_limit(pixels)}"
                )
            picture.load()
            if start[12:16] != b"IHDR":
                raise ValueError("its header is not at its beginning")
            picture.info[BITS] = start[24]
            return picture


@contextlib.contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Turns whatever Pillow raises into an InputError; an OSError of the system stays."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is wrong but can be read
            yield
    except InputError:
        raise
    except Exception as error:  # Pillow raises many kinds
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = f" ({one_line(error, 200)})"
        if isinstance(error, UnidentifiedImageError):  # whose words are about a Python object
            reason = ""
        raise InputError(
            f"{path} is truncated, damaged or no PNG or .npy file{reason}; expected {what}"
        ) from None


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """[H, W, ...] -> [height, width, ...] by nearest neighbour: pixel i is pixel floor(i * in /
    out), as in the Jacobian."""
    rows = np.arange(height) * values.shape[0] // height
    columns = np.arange(width) * values.shape[1] // width
    return values[rows[:, None], columns]
