"""A log-log plot of what something costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("agg")  # no window
from matplotlib import pyplot


class Line(NamedTuple):
    """One line of a panel."""

    name: str
    points: Mapping[int, float]
    colour: str


def save_log_log(path: Path, title: str, panels: list[tuple[str, list[Line]]]) -> None:
    """Panels side by side, each with the name of its x axis and its lines, on one y axis in
    seconds."""
    figure, axes = pyplot.subplots(
        1, len(panels), sharey=True, figsize=(11.2, 4.4), layout="constrained", squeeze=False
    )
    for axis, (name, lines) in zip(axes[0], panels, strict=True):
        for line in lines:
            x, y = zip(*line.points.items(), strict=True)
            axis.loglog(x, y, color=line.colour, marker="o", linewidth=2, label=line.name)
        ticks = list(lines[0].points)
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.grid(axis="y", color="#dddddd")
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlabel(name)
    axes[0, 0].yaxis.set_major_formatter("{x:g} s")
    axes[0, 0].legend(frameon=False)
    figure.suptitle(title, x=0.01, ha="left")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
