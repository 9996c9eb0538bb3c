"""Contact sheets of manipulate.py: every row of a file at equal strength, to choose from."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from utils.cli.parser import say
from utils.editing.measure import OUTLINE, outline
from utils.editing.strength import Effect
from utils.editing.walk import Edit
from utils.files.names import ResultNames
from utils.files.sidecar import ResultFacts, write_facts
from utils.pictures.images import contact_sheet, save_png


def write_contact_sheets(
    record: Path,
    name: str,
    originals: np.ndarray,
    effects: Iterable[tuple[Edit, Effect]],
    facts: ResultFacts,
) -> None:
    """A contact sheet for each file of directions, and a JSON file `record` of them all beside.

    `originals` are the pictures [N, H, W, 3] that the effects were measured on. The record is there
    from the beginning, so that the sheets of a run that is killed are known as its own.
    """
    write_facts(record, replace(facts, complete=False))
    rows: list[dict[str, Any]] = []
    for file, group in itertools.groupby(effects, lambda pair: pair[0].file):
        path = record.with_name(ResultNames(name).contact_sheet(file))
        pairs = list(group)
        save_png(path, draw_sheet(originals, pairs))
        rows += [facts_of(edit, effect) for edit, effect in pairs]
        say(f"{path}: open {path.resolve().as_uri()}")
    write_facts(record, replace(facts, directions=rows))


def sheet_names(edits: Sequence[Edit], name: str) -> list[str]:
    """The names of all of them."""
    return [ResultNames(name).contact_sheet(edit.file) for edit in edits]


def draw_sheet(originals: np.ndarray, effects: Sequence[tuple[Edit, Effect]]) -> np.ndarray:
    """The rows of a file on each original, with the region's outline on the originals: uint8
    [height, width, 3]."""
    region, outlined = effects[0][0].measured_region, originals.copy()
    for sample, original in enumerate(outlined):
        original[outline(region.mask(sample, *original.shape[:2]))] = OUTLINE
    words = [
        [
            f"row {edit.row}",
            f"ratio {effect.ratio:.3g}",
            f"inside {effect.change_inside:.3f}",
            f"outside {effect.change_outside:.4f}",
            f"at ±{effect.distance:g}",
        ]
        for edit, effect in effects
    ]
    return contact_sheet(outlined, [effect.pictures for _, effect in effects], words)


def facts_of(edit: Edit, effect: Effect) -> dict[str, Any]:
    """The numbers of a row."""
    return {
        "file": edit.file,
        "row": edit.row,
        "region": edit.measured_region.name,
        "distance": effect.distance,
        "reached": effect.reached,
        "change_inside": effect.change_inside,
        "change_outside": effect.change_outside,
        "ratio": effect.ratio if np.isfinite(effect.ratio) else None,
    }
