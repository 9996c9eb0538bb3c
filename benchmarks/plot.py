"""A log-log plot with Pillow."""

import math
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 560, 420, 76, 78, 56  # of a panel, and its margins, in pixels
COLOURS = ("#b5532a", "#8a8f98", "#1f6fb2")
INK, PALE = "#333333", "#dddddd"


class Line(NamedTuple):
    """One line of a panel."""

    name: str
    points: dict[float, float]


def save_log_log(path: Path, title: str, panels: list[tuple[str, list[Line]]]) -> None:
    """Panels side by side, each with the name of its x axis and its lines, on one y axis."""
    ys = [y for _, lines in panels for line in lines for y in line.points.values()]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    image = Image.new("RGB", (WIDTH * len(panels), HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    draw.text((LEFT, 14), title, INK, ImageFont.load_default(17))
    for k, (name, lines) in enumerate(panels):
        xs = list(lines[0].points)
        left, right = k * WIDTH + LEFT, (k + 1) * WIDTH - 30
        top, bottom = TOP, HEIGHT - BOTTOM

        def at(
            x: float, y: float, xs=xs, left=left, right=right, top=top, bottom=bottom
        ) -> tuple[float, float]:
            along, up = (
                math.log(x / xs[0]) / math.log(xs[-1] / xs[0]),
                (math.log10(y) - low) / (high - low),
            )
            return left + 12 + along * (right - left - 24), bottom - up * (bottom - top)

        for power in range(low, high + 1):
            y = at(xs[0], 10**power)[1]
            draw.line((left, y, right, y), PALE)
            draw.text((left - 8, y), f"{10**power:g} s", INK, font, anchor="rm")
        for x in xs:
            draw.text((at(x, 1)[0], bottom + 8), f"{x:g}", INK, font, anchor="ma")
        draw.text(((left + right) / 2, bottom + 30), name, INK, font, anchor="ma")
        for i, (line, colour) in enumerate(zip(lines, COLOURS, strict=True)):
            points = [at(x, y) for x, y in line.points.items()]
            draw.line(points, colour, 3)
            for x, y in points:
                draw.ellipse((x - 4, y - 4, x + 4, y + 4), colour)
            if k == 0:
                draw.line((left + i * 260, 55, left + i * 260 + 24, 55), colour, 3)
                draw.text((left + i * 260 + 32, 55), line.name, INK, font, anchor="lm")
    image.save(path, optimize=True)
