"""Regions of an FFHQ-aligned image, by name."""

import numpy as np

from .errors import InputError

FRAME = 256
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


def region_mask(region: str, height: int, width: int) -> np.ndarray:
    """True inside the named box, scaled to [height, width] and rounded outwards: bool [height, width].

    Raises InputError for an unknown name.
    """
    if region not in BOXES:
        raise InputError(f"region {region!r} is not known; expected one of {', '.join(BOXES)}")
    row, column, box_height, box_width = BOXES[region]
    mask = np.zeros((height, width), bool)
    mask[_span(row, box_height, height), _span(column, box_width, width)] = True
    return mask


def _span(centre: int, length: int, size: int) -> slice:
    """The pixels of an axis of `size` pixels that [centre - length // 2, + length) of the frame touches."""
    start = max(centre - length // 2, 0)
    stop = min(centre - length // 2 + length, FRAME)
    return slice(start * size // FRAME, -(-stop * size // FRAME))
