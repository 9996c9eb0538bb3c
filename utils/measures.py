"""How much an edit changes a picture, inside a region and outside; the same as a heat map."""

import itertools
from typing import NamedTuple

import numpy as np

FULL_HEAT = 0.5  # a mean absolute change, of images in [-1, 1], that is drawn in the brightest colour
HEAT = np.array([(0, 0, 0), (58, 15, 110), (160, 40, 110), (232, 90, 50), (252, 185, 60), (255, 252, 205)])
OUTLINE = (90, 230, 255)
COLOURS = np.stack([np.interp(np.linspace(0, len(HEAT) - 1, 256), range(len(HEAT)), channel)
                    for channel in HEAT.T], axis=-1).astype(np.uint8)  # [256, 3]


class Change(NamedTuple):
    """What S steps change inside and outside the region, of images in [-1, 1]. Each [S]; NaN where no pixel is."""

    change_inside: np.ndarray   # mean absolute change
    change_outside: np.ndarray
    mse_inside: np.ndarray      # masked mean squared error
    mse_outside: np.ndarray


def change_maps(pictures: np.ndarray, original: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Absolute and squared change of each pixel, mean over RGB, of images in [-1, 1].

    uint8 pictures [S, H, W, 3], original [H, W, 3] -> float32 [S, H, W] each.
    """
    difference = np.abs(pictures.astype(np.int16) - original)
    r, g, b = (difference[..., channel].astype(np.float32) for channel in range(3))  # faster than a mean over axis -1
    return (r + g + b) / np.float32(3 * 127.5), (r * r + g * g + b * b) / np.float32(3 * 127.5**2)


def inside_outside(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of values [S, H, W] over the pixels inside the mask [H, W] and over those outside: [S] each."""
    flat = values.reshape(len(values), -1)
    return tuple(flat @ part.ravel().astype(np.float32) / (part.sum() or np.nan) for part in (mask, ~mask))


def measure(absolute: np.ndarray, squared: np.ndarray, mask: np.ndarray) -> Change:
    """The numbers of the two maps of `change_maps`."""
    return Change(*inside_outside(absolute, mask), *inside_outside(squared, mask))


def heat_colours(change: np.ndarray) -> np.ndarray:
    """Mean absolute change [..., H, W] as colours, black for none, by its square root: uint8 [..., H, W, 3]."""
    return COLOURS[(np.sqrt(np.minimum(change / np.float32(FULL_HEAT), 1)) * 255).astype(np.uint8)]


def heat_maps(change: np.ndarray, original: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Heat maps over the dimmed grey original, with the region's outline: [S, H, W] -> uint8 [S, H, W, 3]."""
    grey = (original.astype(np.uint16).sum(axis=-1, keepdims=True) * 2 // 15).astype(np.uint8)  # 0.4 of the mean
    pictures = np.maximum(heat_colours(change), grey)
    pictures[:, outline(mask)] = OUTLINE
    return pictures


def block_means(values: np.ndarray, most: int) -> np.ndarray:
    """[S, H, W] averaged in square blocks to at most `most` pixels a side; left alone if that does not divide them."""
    steps, height, width = values.shape
    block = -(-max(height, width) // most)
    if height % block or width % block:
        return values
    return values.reshape(steps, height // block, block, width // block, block).mean(axis=(2, 4))


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixels of the mask that touch its outside: bool [H, W]."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def outline_path(mask: np.ndarray) -> str:
    """The border of the mask [H, W] as an SVG path, one straight line for each run of pixel edges."""
    lines = []
    for edges, line in ((np.diff(mask.astype(np.int8), axis=0), "M{0} {1}h{2}"),
                        (np.diff(mask.astype(np.int8), axis=1).T, "M{1} {0}v{2}")):
        for position, row in enumerate(edges, start=1):
            ends = np.flatnonzero(np.diff(row, prepend=0, append=0))  # where runs of one sign start and stop
            for start, stop in itertools.pairwise(ends):
                if row[start]:
                    lines.append(line.format(start, position, stop - start))
    return "".join(lines)
