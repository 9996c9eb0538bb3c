"""The web page of an edit: one self-contained HTML file, a row for each sample and direction."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .files import replacing

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 2400px; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; }
p { margin: 0 0 1rem; color: GrayText; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { position: sticky; top: 0; background: Canvas; font-weight: 600; padding: .4rem; }
td { padding: 3px; }
td:first-child { white-space: nowrap; padding-right: 1rem; width: 1%; }
tr.first td { border-top: 1px solid var(--line); padding-top: 8px; }
td:nth-child(2) { padding-right: 12px; }
img { display: block; width: 100%; min-width: 96px; max-width: 256px; margin: auto; border-radius: 4px; }
footer { margin-top: 1.5rem; font-size: .85rem; color: GrayText; overflow-wrap: anywhere; }
"""


class Row(NamedTuple):
    """One sample walked along one direction."""

    name: str
    pictures: Sequence[bytes]  # JPEG: the original, then each step
    starts_group: bool  # the first row of its direction


def write_page(path: str | Path, title: str, summary: str, heads: Sequence[str], rows: Sequence[Row],
               footer: str) -> None:
    """Write the page. `heads` names the pictures of a row: the original, then each step."""
    body = "\n".join(_row(row, heads) for row in rows)
    head_cells = "".join(f"<th>{html.escape(head)}</th>" for head in ("", *heads))
    with replacing(path) as partial:
        partial.write_text(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
<p>{html.escape(summary)}</p>
<div class="scroll">
<table>
<thead><tr>{head_cells}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
<footer>{html.escape(footer)}</footer>
</body>
</html>
""", encoding="utf-8")


def _row(row: Row, heads: Sequence[str]) -> str:
    cells = "".join(
        f'<td><img alt="{html.escape(row.name)}, {html.escape(head)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}"></td>'
        for picture, head in zip(row.pictures, heads, strict=True))
    group = ' class="first"' if row.starts_group else ""
    return f"<tr{group}><td>{html.escape(row.name)}</td>{cells}</tr>"
