"""How much an edit changes a picture, inside a region and outside; the same as a heat map."""

import itertools
from typing import NamedTuple

import numpy as np

FULL_HEAT = (
    0.5  # a mean absolute change, of images in [-1, 1], that is drawn in the brightest colour
)
HEAT = np.array(
    [(0, 0, 0), (58, 15, 110), (160, 40, 110), (232, 90, 50), (252, 185, 60), (255, 252, 205)]
)
OUTLINE = (90, 230, 255)
LONGEST_PATH = 20_000  # characters of an outline: a thousand pixel edges or two
COLOURS = np.stack(
    [
        np.interp(np.linspace(0, len(HEAT) - 1, 256), range(len(HEAT)), channel)
        for channel in HEAT.T
    ],
    axis=-1,
).astype(np.uint8)  # [256, 3]


class MeasuredChange(NamedTuple):
    """What S steps change inside and outside the region, of images in [-1, 1]. Each [S]; NaN where
    no pixel is."""

    change_inside: np.ndarray  # mean absolute change
    change_outside: np.ndarray
    mse_inside: np.ndarray  # masked mean squared error
    mse_outside: np.ndarray


def absolute_change(pictures: np.ndarray, original: np.ndarray) -> np.ndarray:
    """|change| of images in [-1, 1]: uint8 pictures [S, H, W, 3], original [H, W, 3] -> float32 [S,
    H, W, 3]."""
    return np.abs(np.subtract(pictures, original, dtype=np.float32)) / np.float32(127.5)


def measure(change: np.ndarray, mask: np.ndarray) -> MeasuredChange:
    """The numbers of an absolute change [S, H, W, 3], inside and outside the mask [H, W]."""
    weights = np.stack([mask.ravel(), ~mask.ravel()], axis=-1).astype(np.float32)  # [H W, 2]
    counts = weights.sum(axis=0)
    counts[counts == 0] = np.nan
    means = [
        values.reshape(len(values), -1) @ weights / counts
        for values in (_of_rgb(change), _of_rgb(change**2))
    ]
    return MeasuredChange(*means[0].T, *means[1].T)


def _of_rgb(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis, as a matrix product: many times faster."""
    return values @ np.full(3, 1 / 3, np.float32)


def heat(change: np.ndarray) -> np.ndarray:
    """Absolute change [S, H, W, 3] -> uint8 [S, H, W], 255 from FULL_HEAT on; by its root, so that
    traces show."""
    return (np.sqrt(np.minimum(_of_rgb(change) / FULL_HEAT, 1)) * 255).astype(np.uint8)


def heat_maps(heat: np.ndarray, original: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours over the dimmed grey original [H, W, 3], with the region's outline: [S, H, W] ->
    uint8 [S, H, W, 3]."""
    grey = (original.astype(np.uint16).sum(axis=-1, keepdims=True) * 2 // 15).astype(
        np.uint8
    )  # 0.4 of the mean
    pictures = np.take(COLOURS, heat, axis=0)
    np.maximum(
        pictures, np.repeat(grey, 3, axis=-1), out=pictures
    )  # repeated: broadcasting over RGB is slow
    rows, columns = np.nonzero(outline(mask))
    pictures[:, rows, columns] = OUTLINE
    return pictures


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixels of the mask that touch its outside: bool [H, W]."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def outline_path(mask: np.ndarray) -> str:
    """The border of the mask [H, W] as an SVG path, one straight line for each run of pixel edges.

    Of a mask so ragged that the path is longer than LONGEST_PATH, a coarser border, of every second
    pixel, or fourth...
    """
    step = 1
    while len(path := _border(mask[step // 2 :: step, step // 2 :: step], step)) > LONGEST_PATH:
        step *= 2
    return path


def _border(mask: np.ndarray, step: int) -> str:
    """The path around pixels of `step` x `step`."""
    lines = []
    for edges, line in (
        (np.diff(mask.astype(np.int8), axis=0), "M{0} {1}h{2}"),
        (np.diff(mask.astype(np.int8), axis=1).T, "M{1} {0}v{2}"),
    ):
        for position, row in enumerate(edges, start=1):
            ends = np.flatnonzero(
                np.diff(row, prepend=0, append=0)
            )  # where runs of one sign start and stop
            for start, stop in itertools.pairwise(ends):
                if row[start]:
                    lines.append(
                        line.format(*(step * number for number in (start, position, stop - start)))
                    )
    return "".join(lines)
