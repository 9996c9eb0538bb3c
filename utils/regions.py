"""Regions of an image: named boxes of an FFHQ-aligned face, and what the command line offers besides."""

import argparse
import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.errors import InputError

from . import mask_files

FRAME = 256
KEPT_MASKS = 64  # of those read from files
# [row centre, column centre, height, width] in a 256 x 256 frame. The first nine as published by Zhu et al. 2021.
BOXES: dict[str, tuple[int, int, int, int]] = {
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
}
# Of the usual 19-class face parser; a label is the index of its name.
LABELS = ("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth",
          "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth")


@dataclass(frozen=True)
class RegionSource:
    """A region that may differ from sample to sample: see `region_source`."""

    name: str  # short, a part of file names
    facts: dict[str, Any]  # for a JSON file: region_source(**facts) is this region again
    draw: Callable[[int, int, int], np.ndarray]  # (sample, height, width) -> bool [H, W], not yet inverted

    def mask(self, sample: int, height: int, width: int) -> np.ndarray:
        """True inside the region of a sample: bool [height, width].

        Raises InputError if its file cannot be used, or if the mask has no pixel inside or none outside.
        """
        inside = self.draw(sample, height, width) ^ self.facts.get("invert", False)
        if inside.all() or not inside.any():
            raise InputError(f"region {self.name} has no pixel {'outside' if inside.any() else 'inside'} at {height} x "
                             f"{width}, sample {sample}; expected some of both: choose another region")
        return inside

    def digest(self, samples: Iterable[int], height: int, width: int) -> str:
        """SHA-256 of what the region covers in some samples."""
        digest = hashlib.sha256()
        for sample in samples:
            digest.update(np.packbits(self.mask(sample, height, width)).tobytes())
        return digest.hexdigest()


def region_source(*, region: str | None = None, box: Sequence[int] | None = None, mask: str | None = None,
                  segmentation: str | None = None, labels: Sequence[int] = (), invert: bool = False) -> RegionSource:
    """The region that these options of the command line ask for; `invert` swaps inside and outside.

    One of: region, a name of BOXES; box, [row centre, column centre, height, width] in a 256 frame; mask, a PNG or .npy
    file that is bright inside; segmentation, a label map, with the labels that are inside. A folder in place of a file
    holds one file a sample. Raises InputError for what cannot be.
    """
    if sum(kind is not None for kind in (region, box, mask, segmentation)) != 1:
        raise InputError("expected one region: a name, a box, a mask or a segmentation")
    if segmentation is None and labels:
        raise InputError("--labels without --segmentation; expected both: name the label map, or leave out --labels")
    if region is not None:
        name, facts = region, {"region": region}
        named_box = _named_box(region)
        draw = _of_all_samples(lambda height, width: box_mask(named_box, height, width))
    elif box is not None:
        name, facts = "box_" + "_".join(map(str, box)), {"box": list(box)}
        draw = _of_all_samples(lambda height, width: box_mask(box, height, width))
    elif mask is not None:
        name, facts = Path(os.path.abspath(mask)).stem, {"mask": os.path.abspath(mask)}
        draw = _of_files(mask, mask_files.read_mask)
    else:
        if not labels:
            raise InputError("--segmentation without --labels; expected the labels that are inside, such as "
                             "--labels l_eye,r_eye")
        name = "labels_" + "_".join(map(str, labels))
        facts = {"segmentation": os.path.abspath(segmentation), "labels": list(labels)}
        draw = _of_files(segmentation, lambda path: mask_files.read_labels(path, labels))
    return RegionSource(f"not_{name}", facts | {"invert": True}, draw) if invert else RegionSource(name, facts, draw)


def _of_all_samples(draw: Callable[[int, int], np.ndarray]) -> Callable[[int, int, int], np.ndarray]:
    return lambda sample, height, width: draw(height, width)


def _of_files(path: str, read: Callable[[Path], np.ndarray]) -> Callable[[int, int, int], np.ndarray]:
    """The mask in a file, or in the file of the sample, at the size asked for. It is asked for more than once."""

    @functools.lru_cache(KEPT_MASKS)
    def read_resized(file: Path, height: int, width: int) -> np.ndarray:
        return mask_files.resize(read(file), height, width)

    return lambda sample, height, width: read_resized(mask_files.file_of_sample(path, sample), height, width)


def region_mask(region: str, height: int, width: int) -> np.ndarray:
    """True inside the named box, scaled to [height, width] and rounded outwards: bool [height, width].

    Raises InputError for an unknown name.
    """
    return box_mask(_named_box(region), height, width)


def _named_box(region: str) -> tuple[int, int, int, int]:
    if region not in BOXES:
        raise InputError(f"region {region!r} is not known; expected one of {', '.join(BOXES)}")
    return BOXES[region]


def box_mask(box: Sequence[int], height: int, width: int) -> np.ndarray:
    """The same for a box [row centre, column centre, height, width] in a 256 x 256 frame, cut off at its edges."""
    row, column, box_height, box_width = box
    mask = np.zeros((height, width), bool)
    mask[_span(row, box_height, height), _span(column, box_width, width)] = True
    return mask


def _span(centre: int, length: int, size: int) -> slice:
    """The pixels of an axis of `size` pixels that [centre - length // 2, + length) of the frame touches."""
    start = max(centre - length // 2, 0)
    stop = max(min(centre - length // 2 + length, FRAME), 0)
    return slice(start * size // FRAME, -(-stop * size // FRAME))


# The command line -----------------------------------------------------------------------------------------------------


def add_region_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    """--region, --box, --mask, --segmentation with --labels, and --invert; `default` is a name, or None for no region.

    Read them with `region_from_options`.
    """
    group = parser.add_argument_group("the region: one of these")
    add = group.add_mutually_exclusive_group().add_argument
    add("--region", default=default, help=f"a box by name: {', '.join(BOXES)}")
    add("--box", type=_box, metavar="ROW,COL,HEIGHT,WIDTH", help="a box: its centre and size in a 256 x 256 frame")
    add("--mask", metavar="FILE", help="a PNG or .npy file of any size, bright inside; or a folder with one a sample: "
                                       "..._number_0003.png belongs to sample 3")
    add("--segmentation", metavar="FILE", help="a label map, PNG or .npy, of any size; or a folder with one a sample")
    group.add_argument("--labels", type=_labels, metavar="L,L,...",
                       help=f"labels of --segmentation that are inside, numbers or names: {', '.join(LABELS)}")
    group.add_argument("--invert", action="store_true", help="swap inside and outside")


def region_from_options(options: argparse.Namespace) -> RegionSource | None:
    """The region of the options that `add_region_options` has added, or None if none was asked for.

    The default of --region is dropped from the options if another kind was given. Raises InputError.
    """
    if any(value is not None for value in (options.box, options.mask, options.segmentation)):
        options.region = None
    elif options.region is None:
        if options.labels or options.invert:
            raise InputError(f"{'--labels' if options.labels else '--invert'} without a region; expected --region, "
                             "--box, --mask or --segmentation with it")
        return None
    return region_source(region=options.region, box=options.box, mask=options.mask, segmentation=options.segmentation,
                         labels=options.labels or (), invert=options.invert)


def region_from_facts(facts: dict[str, Any]) -> RegionSource | None:
    """The region that the JSON file beside directions records, or None if it records none. Raises InputError."""
    recorded = facts.get("region_options") or ({"region": facts["region"]} if "region" in facts else None)
    if recorded is None:
        return None
    try:
        for name, is_kind in _RECORDED.items():
            if name in recorded and not is_kind(recorded[name]):
                raise ValueError(f"its {name} is {str(recorded[name])[:80]}")
        return region_source(**recorded)
    except (TypeError, ValueError) as error:
        raise InputError(f"the region recorded beside the directions cannot be used ({str(error)[:300]}); expected one "
                         "that compute_directions.py has written: name the region yourself") from None


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and abs(n) < 1 << 31 for n in value)


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < 4096


_RECORDED: dict[str, Callable[[Any], bool]] = {
    "region": _name, "box": lambda value: _whole_numbers(value) and len(value) == 4, "mask": _name,
    "segmentation": _name, "labels": _whole_numbers, "invert": lambda value: isinstance(value, bool),
}


def _box(text: str) -> list[int]:
    try:
        row, column, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} given; expected four whole numbers ROW,COL,HEIGHT,WIDTH in a "
                                         f"{FRAME} x {FRAME} frame, such as 120,128,20,115") from None
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} has no pixel inside; expected a height and a width of 1 or more")
    if not box_mask((row, column, height, width), FRAME, FRAME).any():
        raise argparse.ArgumentTypeError(f"{text!r} lies outside the image; expected a box that touches the {FRAME} x "
                                         f"{FRAME} frame")
    return [row, column, height, width]


def _labels(text: str) -> list[int]:
    """Labels from numbers and names. Numbers may be those of another parser."""
    labels = []
    for part in text.split(","):
        if part not in LABELS and not (part.isascii() and part.isdigit()):
            raise argparse.ArgumentTypeError(f"{part!r} is not a known label; expected numbers or names such as 4,5 or "
                                             f"l_eye,r_eye, of {', '.join(LABELS)}")
        labels.append(LABELS.index(part) if part in LABELS else int(part))
    return sorted(set(labels))
