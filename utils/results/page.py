"""The web page of an edit: one self-contained HTML file, a card with a slider for each sample and
direction."""

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from utils.editing.measure import FULL_HEAT, HEAT
from utils.files.writing import replacing

PARTS = Path(__file__).parent  # page.html, page.css and page.js lie beside this file


class Outline(NamedTuple):
    """The border of a region, as an SVG path in a frame of this size."""

    width: int
    height: int
    path: str


class Row(NamedTuple):
    """One sample walked along one direction. Pictures are JPEG or WebP files."""

    direction: str
    sample: int
    heads: Sequence[str]  # of each step
    original: bytes
    steps: Sequence[bytes]
    region: str | None = None
    heat: Sequence[
        bytes
    ] = ()  # of each step, in grey, black where nothing has changed; the page colours it
    outline: Outline | None = None
    name: str | None = None  # of the sample, where it has one
    measures: Mapping[str, Sequence[float | None]] | None = None  # of each step
    title: str = ""  # of the direction, for people
    commands: Sequence[str] = ()  # of each step: a line for a shell that makes it again


def write_page(
    path: str | Path, title: str, summary: str, rows: Sequence[Row], facts: Mapping[str, str]
) -> None:
    """Write the page: the rows below the title, the facts at its foot."""
    width, height = Image.open(io.BytesIO(rows[0].original)).size if rows else (1, 1)
    aspect = f"{width} / {height}"  # all pictures are of one size
    footer = "".join(
        f"<dt>{html.escape(name)}</dt><dd><code>{html.escape(value)}</code></dd>"
        for name, value in facts.items()
    )
    values = {
        "title": html.escape(title),
        "heading": html.escape(title).replace("_", "_<wbr>"),  # file names may break there
        "summary": html.escape(summary),
        "full_heat": str(FULL_HEAT),
        "colours": heat_filter(),
        "style": shared_style() + _part("page.css").replace("{{aspect}}", aspect),
        "script": _part("page.js"),
        "footer": f"<dl>{footer}</dl>",
        "data": _script_json(_data(rows)),
    }
    page = re.sub(
        r"\{\{(\w+)\}\}", lambda place: values[place[1]], _part("page.html")
    )  # names may hold braces too
    with replacing(path) as partial:
        partial.write_text(
            page, encoding="utf-8", errors="replace"
        )  # names of files need not be text


def shared_style() -> str:
    """The CSS that all pages have in common: colours, light and dark, and controls."""
    gradient = ", ".join(
        f"rgb({r} {g} {b}) {100 * (i / (len(HEAT) - 1)) ** 2:.0f}%"
        for i, (r, g, b) in enumerate(HEAT)
    )
    return _part("shared.css").replace("{{gradient}}", gradient)


def heat_filter() -> str:
    """The SVG that colours a grey heat map, as the content of a filter."""
    tables = [" ".join(f"{value / 255:.3f}" for value in values) for values in HEAT.T]
    return "\n".join(
        f'<feFunc{channel} type="table" tableValues="{table}"/>'
        for channel, table in zip("RGB", tables, strict=True)
    )


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _data(rows: Sequence[Row]) -> dict[str, Any]:
    """What page.js reads. A picture or an outline that occurs several times, as that of an
    original, is there once."""
    places: dict[bytes, int] = {}
    outlines: dict[Outline, int] = {}

    def place(picture: bytes) -> int:
        return places.setdefault(picture, len(places))

    plain = []
    for row in rows:
        if not len(row.steps) == len(row.heads) or len(row.heat) not in (0, len(row.heads)):
            raise ValueError(
                f"{len(row.steps)} steps and {len(row.heat)} heat maps under {len(row.heads)} heads"
            )
        plain.append(
            row._asdict()
            | {
                "title": _title(row, rows),
                "original": place(row.original),
                "steps": [place(picture) for picture in row.steps],
                "heat": [place(picture) for picture in row.heat] or None,
                "outline": row.outline and outlines.setdefault(row.outline, len(outlines)),
            }
        )
    return {
        "rows": plain,
        "pictures": [data_url(picture) for picture in places],
        "outlines": [outline._asdict() for outline in outlines],
    }


def _title(row: Row, rows: Sequence[Row]) -> str:
    """That of a row's direction; with its name, if others have the same title."""
    title = row.title or row.direction
    others = {each.direction for each in rows if each.title == row.title}
    return title if len(others) == 1 else f"{title} ({row.direction})"


def data_url(picture: bytes) -> str:
    """An encoded picture, WebP or JPEG, as an address that holds it."""
    kind = "webp" if picture[8:12] == b"WEBP" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _script_json(content: Any) -> str:
    """JSON that may stand in a script element: no name or path can end it."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
