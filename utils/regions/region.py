"""Regions of an image: named boxes of an FFHQ-aligned face, other boxes, masks, label maps."""

import difflib
import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.errors import InputError
from dnnlib.text import one_line, stem
from utils.regions.masks import MOST_PIXELS, Drawn, SampleFiles, read_mask
from utils.regions.segmentations import (
    MOST_LABELS,
    Label,
    is_colour,
    percent,
    read_labels,
    resolve,
)

FRAME = 256
MOST_BOX = 10_000  # of its numbers: whoever gives more means something else
KEPT_MASKS = 2048  # of those read from files, in bits
MOST_SAMPLES = 100_000  # of a recorded pool
LONGEST_NAME = 60  # characters, of a region that is named after its labels
SHOWN_DOUBTS = 4  # lines
# [row centre, column centre, height, width] in a 256 x 256 frame. The first nine, of faces, as
# published by Zhu et al. 2021; the last seven, of objects, by Zhu et al. 2022 (ReSeFa).
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
    "center0": (120, 120, 80, 80),
    "center1": (120, 120, 130, 130),
    "center2": (120, 120, 200, 200),
    "left_side": (128, 64, 256, 128),
    "top_side": (64, 128, 128, 256),
    "head0": (89, 115, 49, 70),
    "head1": (93, 110, 48, 70),
}


@dataclass(frozen=True)
class RegionSource:
    """A region that may differ from sample to sample: see `region_source`."""

    name: str  # short, a part of file names
    facts: dict[str, Any]  # for a JSON file: region_source(**facts) is this region again
    draw: Callable[[int, int, int], Drawn]  # (sample, height, width) -> not yet inverted
    files: SampleFiles | None = None  # None for a box

    def mask(self, sample: int, height: int, width: int) -> np.ndarray:
        """True inside the region of a sample: bool [height, width].

        Raises InputError if its file cannot be used, or if the mask has no pixel inside or none
        outside.
        """
        inside = self.draw(sample, height, width).inside ^ self.facts.get("invert", False)
        if inside.all() or not inside.any():
            raise InputError(
                f"region {self.name} has no pixel {'outside' if inside.any() else 'inside'} at "
                f"{height} x {width}, sample {sample}; expected some of both: choose another region"
            )
        return inside

    def digest(self, samples: Iterable[int], height: int, width: int) -> str:
        """The SHA-256 of what the region covers in some samples, at this size. Raises InputError as
        `mask` does."""
        digest = hashlib.sha256(f"{height} x {width}".encode())
        for sample in samples:
            digest.update(np.packbits(self.mask(sample, height, width)).tobytes())
        return digest.hexdigest()

    def describe(self, samples: Sequence[int], height: int, width: int) -> tuple[str, list[str]]:
        """A line that says how much of the picture the region covers, and a line for each thing
        that is odd about it.

        Raises InputError as `mask` does, so that what is wrong with any sample is known before any
        work.
        """
        shares: list[float] = []
        doubts: dict[str, set[Path]] = {}
        for sample in samples:
            shares.append(float(self.mask(sample, height, width).mean()))
            if self.files:  # a box leaves no doubt
                for doubt in self.draw(sample, height, width).doubts:
                    doubts.setdefault(doubt, set()).add(self.files.of(sample))
        low, high = percent(min(shares)), percent(max(shares))
        line = (
            f"region {self.name}: {low} of the picture"
            if low == high
            else (
                f"region {self.name}: {low} to {high} of the picture, "
                f"{percent(float(np.mean(shares)))} on average"
            )
        )
        if self.files and self.files.numbered is None and len(samples) > 1:
            kind = "mask" if "mask" in self.facts else "label map"
            line += f"; one {kind} for all {len(samples)} samples"
        lines = [
            f"{min(files)} {doubt}"
            + (f" (and {len(files) - 1} more such files)" if len(files) > 1 else "")
            for doubt, files in doubts.items()
        ]
        is_mask = "mask" in self.facts and not self.facts.get("invert")
        if self.files and is_mask and max(shares) > 0.5:
            largest = self.files.of(samples[int(np.argmax(shares))])
            lines.insert(
                0, f"{largest} covers {high} of the picture: if the rest was meant, add --invert"
            )
        return line, lines[:SHOWN_DOUBTS]


def region_source(
    *,
    region: str | None = None,
    box: Sequence[int] | None = None,
    mask: str | None = None,
    segmentation: str | None = None,
    labels: Sequence[Label] = (),
    parser: str | None = None,
    invert: bool = False,
) -> RegionSource:
    """The region that these options of the command line ask for; `invert` swaps inside and outside.

    One of: region, a name of BOXES; box, [row centre, column centre, height, width] in a 256 frame;
    mask, a PNG or .npy file that is bright inside; segmentation, a label map, with the labels that
    are inside: numbers, colours such as #ff0000, or names, whose meaning `parser` tells, one of
    PARSERS. A folder in place of a file holds one file a sample. Raises InputError for what cannot
    be.
    """
    one = InputError("expected one region: a name, a box, a mask or a segmentation")
    if sum(kind is not None for kind in (region, box, mask, segmentation)) > 1:
        raise one
    labels = [
        int(label) if isinstance(label, np.integer) else label for label in labels
    ]  # for JSON
    if segmentation is None and (labels or parser):
        option = "--labels" if labels else "--parser"
        raise InputError(
            f"{option} without --segmentation; expected both: name the label map, or leave out "
            f"{option}"
        )
    if region is not None:
        source = _of_names(region)
    elif box is not None:
        check_box(box)
        source = _of_boxes("box_" + "_".join(map(str, box)), {"box": list(box)}, [box])
    elif mask is not None:
        files = SampleFiles(mask)
        facts = {"mask": os.path.abspath(mask)}
        source = RegionSource(stem(mask), facts, _of_files(files, read_mask), files)
    elif segmentation is not None:
        source = _of_labels(segmentation, labels, parser)
    else:
        raise one
    if invert:
        return replace(source, name=f"not_{source.name}", facts=source.facts | {"invert": True})
    return source


def _of_boxes(name: str, facts: dict[str, Any], boxes: Sequence[Sequence[int]]) -> RegionSource:
    """The union of boxes, the same in all samples."""

    def draw(_: int, height: int, width: int) -> Drawn:
        return Drawn(np.any([box_mask(box, height, width) for box in boxes], axis=0))

    return RegionSource(name, facts, draw)


def _of_names(region: str) -> RegionSource:
    """The union of named boxes, such as eyes,mouth. Raises InputError for an unknown name."""
    names = list(dict.fromkeys(region.split(",")))
    boxes = [_named_box(name) for name in names]
    return _of_boxes("_".join(names), {"region": ",".join(names)}, boxes)


def _of_labels(segmentation: str, labels: list[Label], parser: str | None) -> RegionSource:
    """What has one of the labels. Raises InputError if none is given, or one means nothing."""
    if not labels:
        raise InputError(
            "--segmentation without --labels; expected the labels that are inside, such as "
            "--labels l_eye,r_eye"
        )
    resolved = resolve(labels, parser)
    facts: dict[str, Any] = {"segmentation": os.path.abspath(segmentation), "labels": labels}
    if parser:
        facts["parser"] = parser
    files = SampleFiles(segmentation)
    return RegionSource(
        _name_of_labels(resolved),
        facts,
        _of_files(files, lambda path, size: read_labels(path, resolved, size, parser)),
        files,
    )


def _name_of_labels(labels: Sequence[Label]) -> str:
    """A short one, and for other labels another."""
    kind = "colours" if is_colour(labels[0]) else "labels"
    names = [str(label).removeprefix("#") for label in labels]
    name = "_".join([kind, *names])
    if len(name) <= LONGEST_NAME:
        return name
    return "_".join(
        [
            kind,
            *names[:3],
            f"and_{len(names) - 3}_more",
            hashlib.sha256(name.encode()).hexdigest()[:8],
        ]
    )


def _of_files(
    files: SampleFiles, read: Callable[[Path, tuple[int, int]], Drawn]
) -> Callable[[int, int, int], Drawn]:
    """The region in a file, or in the file of the sample, at the size asked for. It is asked for
    more than once."""

    @functools.lru_cache(KEPT_MASKS)
    def read_bits(file: Path, height: int, width: int) -> Drawn:
        inside, doubts = read(file, (height, width))
        return Drawn(np.packbits(inside), doubts)

    def draw(sample: int, height: int, width: int) -> Drawn:
        bits, doubts = read_bits(files.of(sample), height, width)
        return Drawn(
            np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool), doubts
        )

    return draw


def region_mask(region: str, height: int, width: int) -> np.ndarray:
    """True inside the named box, scaled to an image of [height, width] and rounded outwards: bool
    [height, width].

    Raises InputError for an unknown name.
    """
    return box_mask(_named_box(region), height, width)


def _named_box(region: str) -> tuple[int, int, int, int]:
    if region not in BOXES:
        similar = difflib.get_close_matches(region.strip().lower(), BOXES, 1)
        hint = f"did you mean {similar[0]}? " if similar else ""
        raise InputError(
            f"region {one_line(region, 80)!r} is not known: {hint}expected one of "
            f"{', '.join(BOXES)}, or several after commas"
        )
    return BOXES[region]


def box_mask(box: Sequence[int], height: int, width: int) -> np.ndarray:
    """The same for a box [row centre, column centre, height, width] in a frame of the image's
    proportions, whose longer side is 256, cut off at its edges."""
    row, column, box_height, box_width = box
    mask, longer = np.zeros((height, width), bool), max(height, width)
    mask[_span(row, box_height, height, longer), _span(column, box_width, width, longer)] = True
    return mask


def frame_of(height: int, width: int) -> tuple[int, int]:
    """The frame of an image: its proportions, the longer side FRAME."""
    longer = max(height, width)
    rows, columns = (max(side * FRAME // longer, 1) for side in (height, width))
    return rows, columns


def check_box(box: Sequence[int]) -> None:
    """Raises InputError for a box that is no part of an image."""
    shown = ",".join(map(str, box))[:80]
    if max(map(abs, box)) > MOST_BOX:
        raise InputError(
            f"box {shown} has numbers beyond {MOST_BOX}; expected a box in a {FRAME} x {FRAME} "
            "frame"
        )
    if min(box[2:]) < 1:
        raise InputError(
            f"box {shown} has no pixel inside; expected a height and a width of 1 or more"
        )
    if not box_mask(box, FRAME, FRAME).any():
        raise InputError(
            f"box {shown} lies outside the image; expected one that touches the {FRAME} x {FRAME} "
            "frame"
        )


def _span(centre: int, length: int, size: int, longer: int) -> slice:
    """The pixels of an axis of `size` pixels that [centre - length // 2, + length) of the frame
    touches; the `longer` side of the image is that of the frame."""
    start = max(centre - length // 2, 0)
    stop = max(min(centre - length // 2 + length, FRAME), 0)
    return slice(min(start * longer // FRAME, size), min(-(-stop * longer // FRAME), size))


def region_from_facts(name: Any, options: Any) -> RegionSource | None:
    """The region of this name and these options, which the JSON file beside directions records, or
    None if it records none. Raises InputError."""
    if not options and name is None:
        return None
    recorded = options or {"region": name}
    try:
        for name, is_kind in _RECORDED.items():
            if name in recorded and not is_kind(recorded[name]):
                raise ValueError(f"its {name} is {one_line(recorded[name], 80)}")
        return region_source(**recorded)
    except (TypeError, ValueError) as error:
        raise _unusable(error) from None


def expect_unchanged(region: RegionSource, facts: Mapping[str, Any]) -> None:
    """Raises InputError if a region covers other pixels now than the JSON file beside directions
    records, whose earlier versions cannot tell."""
    if "region_size" not in facts:
        return
    for name in ("region_sha256", "region_size", "sample", "samples"):
        if not _RECORDED_OF_SIZE[name](facts.get(name)):
            raise _unusable(f"its {name} is {one_line(facts.get(name), 80)}")
    sample, (height, width) = facts["sample"], facts["region_size"]
    samples = range(facts["samples"]) if sample == "pool" else range(sample, sample + 1)
    if region.digest(samples, height, width) != facts["region_sha256"]:
        path = region.files.path if region.files else f"the region {region.name}"
        raise InputError(
            f"{path} has changed since the directions were found: it covers other pixels; expected "
            "it as it was: name the region yourself"
        )


def _unusable(reason: object) -> InputError:
    return InputError(
        f"the region recorded beside the directions cannot be used ({one_line(reason, 300)}); "
        "expected one that compute_directions.py has written: name the region yourself"
    )


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(type(n) is int for n in value)


def _is_labels(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_LABELS
        and all(type(n) in (int, str) for n in value)
    )


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(n) is int and n > 0 for n in value)
        and value[0] * value[1] <= MOST_PIXELS
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < 4096


def _is_path(value: Any) -> bool:
    try:
        return _is_name(value) and b"\0" not in os.fsencode(value)
    except UnicodeError:
        return False


_RECORDED: dict[str, Callable[[Any], bool]] = {
    "region": _is_name,
    "box": _is_box,
    "mask": _is_path,
    "segmentation": _is_path,
    "labels": _is_labels,
    "parser": _is_name,
    "invert": lambda value: isinstance(value, bool),
}
_RECORDED_OF_SIZE: dict[str, Callable[[Any], bool]] = {
    "region_sha256": _is_name,
    "region_size": _is_size,
    "sample": lambda value: value == "pool" or (type(value) is int and value >= 0),
    "samples": lambda value: type(value) is int and 0 < value <= MOST_SAMPLES,
}
