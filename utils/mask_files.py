"""Masks and label maps in files, PNG or .npy, one for all samples or a folder with one for each."""

import contextlib
import math
import re
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from dnnlib.errors import InputError

from .files import NpyFile

MOST_PIXELS = 1 << 24  # 4096 x 4096: a small file can have as many
BYTES_A_PIXEL = 20  # of memory that a map of one may take


def file_of_sample(path: str | Path, sample: int) -> Path:
    """`path` itself, or if it is a folder the file in it whose name ends in the sample's number.

    Raises InputError if the folder has no file for the sample, or two, or the path is that of a device or a pipe, for
    which a program may wait forever: it may come from the facts beside directions.
    """
    path = Path(path)
    if not path.is_dir():
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no regular file; expected a PNG or .npy file, or a folder of them")
        return path
    numbers = {file: re.search(r"number_(\d+)\.(png|npy)$", file.name, re.IGNORECASE) for file in path.iterdir()}
    matching = sorted(file for file, number in numbers.items() if number and int(number[1]) == sample)
    if len(matching) != 1:
        found = " and ".join(file.name for file in matching) or "no file"
        raise InputError(f"{path} has {found} for sample {sample}; expected one, named "
                         f"..._number_{sample:04d}.png or ..._number_{sample:04d}.npy: make it so")
    return matching[0]


def read_mask(path: Path) -> np.ndarray:
    """True where a mask is brighter than half of its brightest pixel, so that 0 and 1, 0 and 255, and paint of any
    colour on black or on nothing will do: bool [H, W]. Raises InputError."""
    what = "a mask [H, W], bright inside and dark outside"
    if path.suffix.lower() == ".npy":
        with np.errstate(all="ignore"):  # long doubles that are no doubles
            values = _read_map(path, what, kinds="fiub").astype(float)
        if not np.isfinite(values).all() or values.min() < 0:
            raise InputError(f"{path} holds negative numbers, NaN or infinity; expected {what}")
    else:
        picture = read_png(path, what)
        if picture.mode.startswith("I") or picture.mode == "1":  # 16 or 32 bits, or one
            values = np.asarray(picture)
        else:
            with _naming(path, what):
                rgba = np.asarray(picture.convert("RGBA"))
            values = rgba[..., :3].max(axis=-1).astype(np.uint16) * rgba[..., 3]  # what is transparent was not painted
    inside = values > values.max() / 2
    if inside.all() or not inside.any():
        raise InputError(f"{path} has no pixel {'outside' if inside.any() else 'inside'}: all are "
                         f"{'bright' if inside.any() else 'black'}; expected {what}")
    return inside


def read_labels(path: Path, labels: Collection[int]) -> np.ndarray:
    """True where a label map has one of the labels: bool [H, W]. Raises InputError."""
    what = "a label map [H, W], one whole number a pixel"
    if path.suffix.lower() == ".npy":
        values = _read_map(path, what, kinds="iu")
    else:
        picture = read_png(path, what)
        if picture.mode not in ("1", "L", "P") and not picture.mode.startswith("I"):
            raise InputError(f"{path} is a picture in {picture.mode}; expected {what}: save it as 8-bit grey or with a "
                             "palette, without anti-aliasing")
        values = np.asarray(picture)
    inside = np.isin(values, list(labels))
    if not inside.any():
        present = np.unique(values)
        more = ", ..." if len(present) > 30 else ""
        raise InputError(f"{path} has no pixel of label {' or '.join(map(str, labels))}; expected at least one: choose "
                         f"--labels among {', '.join(map(str, present[:30]))}{more}")
    return inside


def _read_map(path: Path, what: str, kinds: str) -> np.ndarray:
    """The values [H, W] in a .npy file."""
    with NpyFile(path, what, kinds) as file:
        size = math.prod(file.shape)
        if len(file.shape) != 2 or not 0 < size <= MOST_PIXELS:
            raise InputError(f"{path} has shape {list(file.shape)}; expected {what}{_limit(size)}")
        return file.read_all()


def _limit(pixels: int) -> str:
    return f", at most {MOST_PIXELS:,} pixels" if pixels > MOST_PIXELS else ""


def read_png(path: Path, what: str) -> Image.Image:
    """The picture in a PNG file. Raises InputError, speaking of `what` was expected, if it cannot be read."""
    with _naming(path, what), Image.open(path, formats=["PNG"]) as picture:
        pixels = picture.width * picture.height
        if pixels > MOST_PIXELS:
            raise InputError(f"{path} is a picture of {picture.width} x {picture.height}; expected "
                             f"{what}{_limit(pixels)}")
        picture.load()
        return picture


@contextlib.contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Turns whatever Pillow raises into an InputError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is wrong but can be read
            yield
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, InputError):
        raise
    except Exception as error:  # Pillow raises many kinds
        reason = " ".join(str(error).replace(str(path), "it").split())[:200]
        raise InputError(f"{path} is truncated, damaged or no PNG or .npy file ({reason}); expected {what}") from None


def resize(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """[H, W] -> [height, width] by nearest neighbour: pixel i is pixel floor(i * in / out), as in the Jacobian."""
    rows = np.arange(height) * mask.shape[0] // height
    columns = np.arange(width) * mask.shape[1] // width
    return mask[rows[:, None], columns]
