"""A picture of spectra with the cut between what is kept of them and the rest."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from utils.pictures.images import font

FINE = 3  # drawn that many times larger, then averaged: smooth lines
WIDTH, HEIGHT = 520, 380  # of a panel, in pixels of the result
LEFT, RIGHT, TOP, BOTTOM = 64, 18, 66, 44  # margins of its plot
SHOWN = 32  # values, or four times the rank if that is more
DECADES = 6  # shown below the largest value, at the most
PAPER, INK, SOFT, GRID = "#ffffff", "#26323c", "#77838c", "#e6eaed"


class Spectrum(NamedTuple):
    """One panel."""

    title: str
    values: np.ndarray  # [n], largest first
    shrunk: np.ndarray  # [rank]: what the factorization made of the first of them; may be empty
    rank: int
    legend: tuple[str, str]  # of values and shrunk
    colour: str


def spectra_picture(spectra: Sequence[Spectrum]) -> np.ndarray:
    """Panels side by side, values on a logarithmic scale, what is kept on a tinted ground: uint8
    [H, W, 3]."""
    canvas = Image.new("RGB", (len(spectra) * WIDTH * FINE, HEIGHT * FINE), PAPER)
    for column, spectrum in enumerate(spectra):
        _Panel(canvas, column * WIDTH, spectrum).draw_all()
    return np.asarray(canvas.resize((len(spectra) * WIDTH, HEIGHT), Image.Resampling.BOX))


class _Panel:
    """Draws one spectrum; coordinates are pixels of the result."""

    def __init__(self, canvas: Image.Image, left: int, spectrum: Spectrum) -> None:
        self.draw = ImageDraw.Draw(canvas)
        self.spectrum = spectrum
        self.left, self.right = left + LEFT, left + WIDTH - RIGHT
        self.shown = min(len(spectrum.values), max(SHOWN, 4 * spectrum.rank))
        values = np.concatenate([spectrum.values[: self.shown], spectrum.shrunk])
        values = values[values > 0]
        self.high = math.ceil(math.log10(values.max())) if len(values) else 0
        lowest = math.floor(math.log10(values.min())) if len(values) else 0
        self.low = min(max(lowest, self.high - DECADES), self.high - 1)

    def x(self, index: float) -> float:
        """Where value number `index`, from 1, stands."""
        return self.left + (self.right - self.left) * (index - 0.5) / self.shown

    def y(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low) if value > 0 else 0.0
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * min(max(share, 0.0), 1.0)

    def draw_all(self) -> None:
        spectrum = self.spectrum
        cut = self.x(spectrum.rank + 0.5)
        tint = Image.blend(
            Image.new("RGB", (1, 1), PAPER), Image.new("RGB", (1, 1), spectrum.colour), 0.1
        )
        self.box(self.left, TOP, cut, HEIGHT - BOTTOM, tuple(tint.tobytes()))
        self.draw_axes()
        self.line([(cut, TOP), (cut, HEIGHT - BOTTOM)], spectrum.colour, 1.4, dashed=True)
        near_right = cut > (self.left + 2 * self.right) / 3
        self.text(
            cut - 6 if near_right else cut + 6,
            TOP + 10,
            f"rank {spectrum.rank}",
            13,
            spectrum.colour,
            "rm" if near_right else "lm",
        )
        for values, colour, radius in (
            (spectrum.values[: self.shown], SOFT, 2.4),
            (spectrum.shrunk, spectrum.colour, 3.6),
        ):
            points = [
                (self.x(i), self.y(value))
                for i, value in enumerate(values, 1)
                if value > 10.0**self.low
            ]
            self.line(points, colour, 1.2)
            for x, y in points:
                self.disc(x, y, radius, colour)
        self.text(self.left, 20, spectrum.title, 16, INK, "lm")
        self.draw_legend()

    def draw_axes(self) -> None:
        for decade in range(self.low, self.high + 1):
            y = self.y(10.0**decade)
            self.line([(self.left, y), (self.right, y)], GRID, 1)
            if (self.high - decade) % max((self.high - self.low) // 6, 1) == 0:
                self.text(self.left - 8, y, f"1e{decade:d}", 12, SOFT, "rm")
        steps = (step for step in (5, 10, 20, 50, 100, 200, 500, 1000) if self.shown / step <= 8)
        step = next(steps, self.shown + 1)  # that: no mark but the first
        for index in [1, *range(step, self.shown + 1, step)]:
            self.text(self.x(index), HEIGHT - BOTTOM + 12, str(index), 12, SOFT, "mm")
        self.line([(self.left, HEIGHT - BOTTOM), (self.right, HEIGHT - BOTTOM)], SOFT, 1)
        number = len(self.spectrum.values)
        shown = f"the first {self.shown} of {number}" if self.shown < number else f"all {number}"
        self.text((self.left + self.right) / 2, HEIGHT - 13, shown, 12, SOFT, "mm")

    def draw_legend(self) -> None:
        x: float = self.left + 4
        for name, colour in zip(self.spectrum.legend, (SOFT, self.spectrum.colour), strict=True):
            if name:
                self.disc(x, 45, 3.6, colour)
                self.text(x + 9, 45, name, 13, INK, "lm")
                x += 9 + font(13 * FINE).getlength(name) / FINE + 20

    def text(self, x: float, y: float, text: str, size: int, colour: str, anchor: str) -> None:
        self.draw.text((x * FINE, y * FINE), text, colour, font(size * FINE), anchor)

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: str | tuple[int, ...]
    ) -> None:
        if right > left:
            self.draw.rectangle((left * FINE, top * FINE, right * FINE, bottom * FINE), colour)

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        self.draw.ellipse(
            tuple(FINE * value for value in (x - radius, y - radius, x + radius, y + radius)),
            colour,
        )

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, width: float, dashed: bool = False
    ) -> None:
        """Through the points; dashed only from the first to the second, straight down."""
        if dashed:
            (x, top), (_, bottom) = points
            for start in np.arange(top, bottom, 7):
                self.line([(x, start), (x, min(start + 4, bottom))], colour, width)
        elif len(points) > 1:
            self.draw.line(
                [(x * FINE, y * FINE) for x, y in points],
                colour,
                round(width * FINE),
                joint="curve",
            )
