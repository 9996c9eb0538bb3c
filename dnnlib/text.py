"""Names and other texts from files and users, made safe for a terminal, a file name or a table.

A name of a file may be anything but "/" and NUL, and a hostile file says what it likes: escape
sequences that steer a terminal, dots that climb out of a folder, a formula for a spreadsheet, a
megabyte.
"""

import os
from collections.abc import Sequence
from pathlib import Path

LONGEST_LINE = 1000  # characters
LONGEST_PART = 100  # bytes: file systems take 255, of which the rest of the name needs some
SHORTEST_TAIL = 8  # characters of the end that a shortened text keeps


def one_line(text: object, length: int = LONGEST_LINE) -> str:
    """One line of at most `length` characters that cannot steer a terminal."""
    words = " ".join(str(text)[: length + 1].split())
    line = "".join(character if character.isprintable() else "?" for character in words)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def file_name_part(name: str) -> str:
    """The name as a part of a file name: it cannot lead out of the folder or hide the file, and has
    LONGEST_PART bytes at most.

    Characters that no file name should have become "_"; of a long name, the beginning and the end
    stay.
    """
    part = "".join(
        c if (c.isprintable() and c not in "/\\") or _is_undecoded(c) else "_" for c in name
    ).strip(". ")
    if len(os.fsencode(part)) > LONGEST_PART:
        start, end = part[:-SHORTEST_TAIL], part[-SHORTEST_TAIL:]
        while len(os.fsencode(start + end)) > LONGEST_PART - 1:
            start = start[:-1]
        part = f"{start}~{end}"
    return part or "_"


def _is_undecoded(character: str) -> bool:
    """Whether this is Python's stand-in for a byte of a file name that is no valid UTF-8."""
    return "\udc80" <= character <= "\udcff"


def stem(path: str | Path) -> str:
    """The name of a file without its ending, as a part of other file names."""
    name = Path(os.path.abspath(path)).name
    root, dot, _ = name.rpartition(".")
    return file_name_part(root if dot and root.strip(".") else name)


def counted(number: int, noun: str) -> str:
    """1 sample, 2 samples."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def spans_text(numbers: Sequence[int]) -> str:
    """Ascending whole numbers as people write them, and options take them: 0-3,8."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else f"{low}" for low, high in parts)


def table_cell(text: str) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
