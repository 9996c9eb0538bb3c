"""Label maps of face parsers: what their names, numbers and colours mean.

A label map is grey, one whole number a pixel; or has a palette, whose index is the number; or is
coded in colours. Names mean other numbers in other parsers, and colours other labels, so whose map
it is must be said or seen.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnnlib.errors import InputError
from utils.regions.masks import (
    BITS,
    Drawn,
    bands,
    is_npy,
    one_of_equal_channels,
    read_npy_map,
    read_png,
    resize,
    stretch_doubt,
    too_deep,
)

# A label is the index of its name.
PARSERS = {
    "celebamask": (
        "background",
        "skin",
        "nose",
        "eye_g",
        "l_eye",
        "r_eye",
        "l_brow",
        "r_brow",
        "l_ear",
        "r_ear",
        "mouth",
        "u_lip",
        "l_lip",
        "hair",
        "hat",
        "ear_r",
        "neck_l",
        "neck",
        "cloth",
    ),
    "bisenet": (
        "background",
        "skin",
        "l_brow",
        "r_brow",
        "l_eye",
        "r_eye",
        "eye_g",
        "l_ear",
        "r_ear",
        "ear_r",
        "nose",
        "mouth",
        "u_lip",
        "l_lip",
        "neck",
        "neck_l",
        "cloth",
        "hair",
        "hat",
    ),
}
PROGRAMS = {"celebamask": "CelebAMask-HQ and MaskGAN", "bisenet": "face-parsing.PyTorch"}
NAMES = PARSERS["celebamask"]  # those of the others, in another order
# In the order of the labels, as those programs draw them; of CelebAMask-HQ's two tables one has
# another right brow.
COLOURS = {
    "celebamask": "000000 cc0000 4c9900 cccc00 3333ff cc00cc 00ffff ffcccc 663300 ff0000 66cc00 "
    "ffff00 000099 0000cc "
    "ff3399 00cccc 003300 ff9933 00cc00",
    "bisenet": "ffffff ff5500 ffaa00 ff0055 ff00aa 00ff00 55ff00 aaff00 00ff55 00ffaa 0000ff "
    "5500ff aa00ff 0055ff "
    "00aaff ffff00 ffff55 ffffaa ff00ff",
}
OTHER_COLOURS = {"celebamask": {0x33FFFF: 7}, "bisenet": {}}
COLOUR = re.compile("#[0-9a-f]{6}")
MOST_LABELS = 1000  # in a list of them
MOST_COLOURS = 256  # of a map; what is blended has more
MOST_NUMBERS = 128  # that are not odd
SMEARED_SHARE, FEWEST_SMEARED = 0.1, 16  # of the pixels at borders; pixels
SHOWN = 30  # in an error
SMEARED = (
    "looks smeared: many pixels at the borders of its labels have numbers between the two, as "
    "smooth scaling leaves them, and these are labels of other parts; scale label maps by nearest "
    "neighbour"
)

Label = int | str
"""A number, a name of NAMES, or a colour such as #ff0000."""


class Code(NamedTuple):
    """What the colours of a map mean."""

    name: str
    parser: str
    labels: dict[int, int]  # by colour, 0xrrggbb


def _swapped(colour: int) -> int:
    return colour >> 16 | colour & 0xFF00 | (colour & 0xFF) << 16


def _codes() -> list[Code]:
    codes = []
    for parser, colours in COLOURS.items():
        labels = {
            int(colour, 16): label for label, colour in enumerate(colours.split())
        } | OTHER_COLOURS[parser]
        codes.append(Code(f"the colours of {parser}", parser, labels))
        codes.append(
            Code(
                f"the colours of {parser} with red and blue swapped, as OpenCV saves them",
                parser,
                {_swapped(colour): label for colour, label in labels.items()},
            )
        )
    return codes


CODES = _codes()


def resolve(labels: Sequence[Label], parser: str | None) -> list[Label]:
    """Numbers for names, each label once and in order. All are numbers then, or all colours.

    Raises InputError for a name that means two numbers, if no parser says which, and for a parser
    without a name.
    """
    if parser is not None and parser not in PARSERS:
        raise InputError(
            f"parser {str(parser)[:80]!r} is not known; expected one of {', '.join(PARSERS)}",
            option="parser",
        )
    _expect_known(labels)
    names = [label for label in labels if isinstance(label, str) and label in NAMES]
    if parser and not names:
        raise InputError(
            "given without a name among the labels; expected names such as hair with it, or no "
            "parser: numbers and colours need none",
            option="parser",
        )
    if parser is None:
        _expect_same_meaning(names)
    known = PARSERS[parser or "celebamask"]
    colours = {label for label in labels if is_colour(label)}
    numbers = {
        label if isinstance(label, int) else known.index(label)
        for label in labels
        if label not in colours
    }
    if colours and numbers:
        raise InputError(
            f"colours and numbers in one list of labels ({', '.join(map(str, labels[:SHOWN]))}); "
            "expected one kind: a map is coded in colours or in numbers",
            option="labels",
        )
    return [*sorted(colours), *sorted(numbers)]


def _expect_known(labels: Sequence[Label]) -> None:
    if len(labels) > MOST_LABELS:
        raise InputError(
            f"{len(labels)} labels given; expected at most {MOST_LABELS}", option="labels"
        )
    for label in labels:
        is_number = type(label) is int and abs(label) < 1 << 31
        if not (label in NAMES or is_number or is_colour(label)):
            raise InputError(
                f"{str(label)[:80]!r} is not a known label; expected numbers or names such as 4,5 "
                f"or l_eye,r_eye, of {', '.join(NAMES)}, or colours such as '#ff0000'",
                option="labels",
            )


def _expect_same_meaning(names: Sequence[str]) -> None:
    """Raises InputError for names that mean other numbers to other parsers."""
    unclear = [name for name in names if len({known.index(name) for known in PARSERS.values()}) > 1]
    if unclear:
        meanings = " and ".join(
            f"{', '.join(str(known.index(name)) for name in unclear)} in those of {parser}"
            for parser, known in PARSERS.items()
        )
        choice = " or ".join(f"{parser} ({programs})" for parser, programs in PROGRAMS.items())
        raise InputError(
            f"{', '.join(unclear)} in label maps: {meanings}; expected the parser {choice}: say "
            "whose maps they are, or give numbers",
            option="parser",
        )


def is_colour(label: object) -> bool:
    return isinstance(label, str) and COLOUR.fullmatch(label) is not None


def read_labels(
    path: Path,
    labels: Collection[Label],
    size: tuple[int, int] | None = None,
    parser: str | None = None,
) -> Drawn:
    """True where a label map has one of the labels, which `resolve` has made.

    `size` is [height, width] of the result, by nearest neighbour; its own without. A colour in a
    map means what it means to `parser`, or, without one, to a parser whose colours are all that the
    map has. Raises InputError if the map cannot be read, could mean two things, or has none of the
    labels.
    """
    values, palette = _read(path)
    is_of_numbers = values.ndim == 2 and palette is None
    if not is_of_numbers:
        values, wanted = _wanted_values(path, values, palette, labels, parser)
    elif any(map(is_colour, labels)):
        raise InputError(
            f"{path} has no colours; expected numbers or names: {_choice(_counts(values))}",
            option="labels",
        )
    else:
        wanted = {label for label in labels if isinstance(label, int)}
    small = resize(values, *(size or values.shape))
    inside = np.isin(small, np.array(list(wanted), np.int64))
    if not inside.any():
        raise _nothing_inside(path, labels, _counts(values), wanted, small.shape)
    doubts = stretch_doubt(values.shape, small.shape)
    if len(np.unique(small)) > MOST_NUMBERS:
        doubts += (
            f"has {len(np.unique(small))} different labels, as a photograph in grey would have; if "
            "it is one, name the label map itself",
        )
    elif is_of_numbers and _is_smeared(values):
        doubts += (SMEARED,)
    return Drawn(inside, doubts)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers [H, W], the indices [H, W] and colours [P] of a palette, or colours: uint8 [H, W,
    3]."""
    what = "a label map [H, W], one whole number a pixel"
    if is_npy(path):
        values = read_npy_map(path, what, kinds="iu")
        if values.ndim == 3 and not all(
            band.min() >= 0 and band.max() <= 255 for band in bands(values)
        ):
            raise InputError(
                f"{path} has shape {list(values.shape)}; expected {what}, or colours of 0 to 255"
            )
        return values, None
    picture = read_png(path, what)
    values = np.asarray(picture)
    if picture.mode == "P":
        return values, _packed(np.array(picture.getpalette(), np.uint8).reshape(-1, 3))
    depth = picture.info[BITS]
    if depth == 16 and picture.mode in ("LA", "RGB", "RGBA"):
        raise too_deep(path, "", what)
    if picture.mode == "L" and depth < 8:
        values = values // (255 // ((1 << depth) - 1))
    if picture.mode in ("LA", "RGBA"):
        if not all((band[..., -1] == 255).all() for band in bands(values)):
            raise InputError(
                f"{path} is transparent in places; expected {what}: save it without transparency"
            )
        values = values[..., :-1]
    values = values[..., 0] if values.shape[2:] == (1,) else one_of_equal_channels(values)
    return values.astype(np.uint8) if values.dtype == bool else values, None


def _is_smeared(values: np.ndarray) -> bool:
    """Whether numbers [H, W] change gradually where one label meets another.

    Of pixels whose two neighbours, left and right or above and below, differ, those that lie
    between the two are up to 5 % in sharp maps of faces, even of 16 x 16 pixels, where lips are
    thin; 10 % and more in a map that was scaled smoothly, 25 % if bilinearly.
    """
    borders = between = 0
    for band in bands(values):
        for lines in (band, band.T):
            first, middle, last = lines[:-2], lines[1:-1], lines[2:]
            rises, falls = (first < middle) & (middle < last), (first > middle) & (middle > last)
            between += int(np.count_nonzero(rises | falls))
            borders += int(np.count_nonzero(first != last))
    return between >= FEWEST_SMEARED and between > SMEARED_SHARE * borders


def _packed(colours: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] -> 0xrrggbb, int32 [...]."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


def _counts(values: np.ndarray, most: int = 4096) -> dict[int, int] | None:
    """How many pixels have each value, or None if there are more than `most` values."""
    counts: Counter[int] = Counter()
    for band in bands(values):
        unique, numbers = np.unique(band, return_counts=True)
        counts.update(dict(zip(unique.tolist(), numbers.tolist(), strict=True)))
        if len(counts) > most:
            return None
    return dict(sorted(counts.items()))


# Colours ------------------------------------------------------------------------------------------


def _wanted_values(
    path: Path,
    values: np.ndarray,
    palette: np.ndarray | None,
    labels: Collection[Label],
    parser: str | None,
) -> tuple[np.ndarray, set[int]]:
    """The map as values [H, W], indices of the palette or colours, and those values that have the
    labels."""
    if palette is None:
        packed = np.empty(values.shape[:2], np.int32)
        for target, band in zip(bands(packed), bands(values), strict=True):
            target[:] = _packed(band)
        values = packed
    counts = _counts(values, MOST_COLOURS)
    if counts is None:
        raise InputError(
            f"{path} has more than {MOST_COLOURS} colours, as a photograph has, a map laid over "
            "one, or a map smeared by JPEG or smooth scaling: no label can be read from it; "
            "expected a label map: name the file of numbers that a parser writes beside such a "
            "picture"
        )
    colours = {
        value: value if palette is None else int(palette[value])
        for value in counts
        if palette is None or value < len(palette)
    }
    if not any(map(is_colour, labels)):
        readings = _readings(path, counts, colours, palette is not None, parser)
        return values, _values_of(labels, path, counts, colours, readings, parser)
    wanted = {value for value, colour in colours.items() if f"#{colour:06x}" in labels}
    if not wanted:
        raise InputError(
            f"{path} has no pixel of {_asked(labels)}; expected at least one: choose among "
            f"{_colours_with_shares(counts, colours)}",
            option="labels",
        )
    return values, wanted


def _values_of(
    labels: Collection[Label],
    path: Path,
    counts: dict[int, int],
    colours: dict[int, int],
    readings: dict[str, dict[int, int]],
    parser: str | None,
) -> set[int]:
    """The values of a map in colours that have the labels, by all readings of it alike."""
    if not readings:
        raise InputError(
            f"{path} is coded in colours that are not those of {parser or ' or '.join(PARSERS)}; "
            f"expected the colours of the region: choose among "
            f"{_colours_with_shares(counts, colours)}",
            option="labels",
        )
    found = {
        how: wanted
        for how, meanings in readings.items()
        if (wanted := {value for value, label in meanings.items() if label in labels})
    }
    if not found:
        how, meanings = next(iter(readings.items()))
        by_label: Counter[int] = Counter()
        for value, label in meanings.items():
            by_label[label] += counts[value]
        raise InputError(
            f"{path} has no pixel of {_asked(labels)}, by {how}; expected at least one: "
            f"{_choice(dict(sorted(by_label.items())))}",
            option="labels",
        )
    first, *others = found.values()
    if any(wanted != first for wanted in others):
        pixels = sum(counts.values())
        parts = " and ".join(
            f"{_colours_with_shares({value: counts[value] for value in wanted}, colours, pixels)} "
            f"by {how}"
            for how, wanted in found.items()
        )
        raise InputError(
            f"{path}: {_asked(labels)} is {parts}; expected colours, which say what is meant: "
            "choose some of these",
            option="labels",
        )
    return first


def _readings(
    path: Path,
    counts: dict[int, int],
    colours: dict[int, int],
    has_palette: bool,
    parser: str | None,
) -> dict[str, dict[int, int]]:
    """The labels that the values may have, by what says so. A code must know every colour of the
    map.

    Colours that do not tell the indices of a palette apart are no code: a program may have left
    them out.
    """
    readings = (
        {"the indices of its palette": {value: value for value in counts}} if has_palette else {}
    )
    if has_palette and len(set(colours.values())) < len(counts):
        return readings
    codes = [code for code in CODES if code.labels.keys() >= set(colours.values())]
    parsers = {code.parser for code in codes}
    if parser and parsers and parser not in parsers:
        raise InputError(
            f"{path} has the colours of {parsers.pop()}; expected those of {parser}: choose "
            "another parser, or a map of this one",
            option="parser",
        )
    for code in codes:
        if parser in (None, code.parser):
            readings[code.name] = {value: code.labels[colour] for value, colour in colours.items()}
    if all(
        colour == _swapped(colour) and colour >> 8 & 0xFF == colour & 0xFF
        for colour in colours.values()
    ):
        readings["its shades of grey"] = {value: colour & 0xFF for value, colour in colours.items()}
    return readings


# Errors -------------------------------------------------------------------------------------------


def _asked(labels: Collection[Label]) -> str:
    more = len(labels) - SHOWN
    shown = " or ".join(map(str, list(labels)[:SHOWN]))
    return f"label {shown}{f' and {more} more' if more > 0 else ''}"


def _nothing_inside(
    path: Path,
    labels: Collection[Label],
    counts: dict[int, int] | None,
    wanted: Collection[int],
    size: tuple[int, ...],
) -> InputError:
    """None of the labels is in the map, or too little of it is to be seen at this size."""
    found = sum(counts.get(value, 0) for value in wanted) if counts else 0
    if counts and found:
        return InputError(
            f"{path} has {found} of {sum(counts.values())} pixels of {_asked(labels)}, too few to "
            f"leave one at {size[0]} x {size[1]}; expected a larger region: choose more labels",
            option="labels",
        )
    return InputError(
        f"{path} has no pixel of {_asked(labels)}; expected at least one: {_choice(counts)}",
        option="labels",
    )


def _choice(counts: dict[int, int] | None) -> str:
    """What can be chosen instead, and how much of the picture it is."""
    if counts is None:
        return "it has thousands of different numbers, as no label map has: name another file"
    return f"choose among {_with_shares(counts)}"


def _colours_with_shares(
    counts: dict[int, int], colours: dict[int, int], pixels: int | None = None
) -> str:
    named = Counter(
        {f"'#{colours[value]:06x}'": number for value, number in counts.items() if value in colours}
    )
    return _with_shares(dict(named.most_common()), pixels)


def _with_shares(counts: dict, pixels: int | None = None) -> str:
    """The keys, each with its share of the pixels; without their number, of all that are
    counted."""
    pixels = pixels or sum(counts.values())
    shown = [
        f"{name} ({percent(number / pixels)})" for name, number in list(counts.items())[:SHOWN]
    ]
    return ", ".join(shown) + (", ..." if len(counts) > SHOWN else "")


def percent(share: float) -> str:
    """A share for people: 12 %, 0.42 %."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
