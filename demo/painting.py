"""What the demo's drawings are painted with: colours, and a canvas of many pictures at once.

Geometry is written in a 256 x 256 frame (x to the right, y down), whatever the resolution. Shapes
of arrays: N pictures, R x R pixels, h x w pixels of a window; one number per picture is [N, 1, 1],
a colour per picture is [3, N, 1, 1] in 0..1, a coverage is [N, h, w] in 0..1.
"""

import math
from typing import NamedTuple

import numpy as np

FRAME = 256
AXIS = 128  # the column in the middle, from which a window's x counts


def colours(stops: str) -> np.ndarray:
    """Colour stops from their hexadecimal names: [S, 3] in 0..1."""
    return np.array([list(bytes.fromhex(stop)) for stop in stops.split()], dtype=np.float32) / 255


def palette(t: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """The colour at t in 0..1 along evenly spaced stops: [N, 1, 1] -> [3, N, 1, 1]."""
    knots = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(t, knots, channel) for channel in stops.T]).astype(np.float32)


def mix(t: np.ndarray | float, start: np.ndarray | float, end: np.ndarray | float) -> np.ndarray:
    """From start at t = 0 to end at t = 1; numbers or colours, broadcast."""
    return np.asarray(start + (end - start) * t)


class Canvas(NamedTuple):
    """What is painted on."""

    colours: np.ndarray  # [3, N, R, R]
    labels: np.ndarray  # uint8 [N, R, R]


class Window:
    """The part of a canvas within the given rows and columns of the 256 frame, in which to
    paint."""

    def __init__(self, canvas: Canvas, top: float, bottom: float, left: float, right: float):
        resolution = canvas.labels.shape[-1]
        self.pixel = FRAME / resolution
        rows, columns = (
            slice(
                max(math.floor(start / self.pixel), 0), min(math.ceil(end / self.pixel), resolution)
            )
            for start, end in ((top, bottom), (left, right))
        )
        centres = ((np.arange(resolution) + 0.5) * self.pixel).astype(np.float32)
        self.colours = canvas.colours[:, :, rows, columns]  # [3, N, h, w]
        self.labels = canvas.labels[:, rows, columns]  # [N, h, w]
        self.y = centres[rows, None]  # [h, 1]
        self.x = centres[columns] - AXIS  # [w]

    def paint(self, coverage: np.ndarray, colour: np.ndarray, label: np.ndarray | int) -> None:
        """Blend a colour over the window with the coverage as opacity; what is mostly covered shows
        that part."""
        self.colours += coverage * (colour - self.colours)
        np.copyto(self.labels, label, where=coverage > 0.5, casting="unsafe")

    def fill(self, distance: np.ndarray) -> np.ndarray:
        """Coverage of a shape from its signed distance (negative inside), anti-aliased over one
        pixel."""
        return np.clip(0.5 - distance / self.pixel, 0, 1)

    def oval(
        self,
        x: np.ndarray,
        y: np.ndarray,
        half_width: np.ndarray | float,
        half_height: np.ndarray | float,
        power: float = 2.0,
    ) -> np.ndarray:
        """Coverage of the superellipse |x / half_width|^power + |y / half_height|^power < 1; x, y
        from its centre."""
        x_ratio, y_ratio = abs(x) / half_width, abs(y) / half_height
        x_slope, y_slope = x_ratio ** (power - 1), y_ratio ** (power - 1)
        level = x_slope * x_ratio + y_slope * y_ratio
        # To first order the distance from the outline is (level - 1) / |gradient of level|.
        gradient = (
            power * np.sqrt((x_slope / half_width) ** 2 + (y_slope / half_height) ** 2) + 1e-6
        )
        return self.fill((level - 1) / gradient)

    def glow(
        self,
        x: np.ndarray,
        y: np.ndarray,
        half_width: np.ndarray | float,
        half_height: np.ndarray | float,
    ) -> np.ndarray:
        """Coverage of a soft round spot without an edge."""
        return np.exp(-((x / half_width) ** 2)) * np.exp(-((y / half_height) ** 2))
