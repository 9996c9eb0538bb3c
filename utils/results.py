"""What manipulate.py leaves behind: raw images, a grid for each direction, heat maps and numbers, one page."""

import argparse
import csv
import io
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from . import files
from .editing import Edit
from .errors import InputError
from .measures import Change, absolute_change, heat, heat_maps, measure, outline_path
from .page import Outline, Row, write_page
from .pictures import PICTURE_SIZE, encode, grid, mosaic, save_animation, save_jpeg, save_png, thumbnail, to_uint8

HEAT_SIZE, HEAT_GRID_SIZE = 64, 128  # pixels, at most, of the heat maps on the page, which are smooth, and in the grids


def choose_output_dir(output_dir: str | None, matrix_paths: Sequence[str], record: str, facts: dict[str, Any]) -> Path:
    """The folder to write to. Results of other directions, or of another network, are never overwritten.

    `record` is the name of the JSON file that says what results are of. Without an output_dir the folder is
    outputs/manipulations/{stem of the first matrix_path}, with a number after it if that is taken. Raises InputError if
    output_dir is.
    """

    def is_taken(folder: Path) -> bool:
        previous = files.read_json(folder / record)
        return previous is not None and _subject(previous) != _subject(facts)

    more = f"_and_{len(matrix_paths) - 1}_more" if len(matrix_paths) > 1 else ""
    folder = Path(output_dir or Path("outputs/manipulations") / f"{Path(matrix_paths[0]).stem}{more}")
    if output_dir and is_taken(folder):
        raise InputError(f"{folder} holds results of other directions under the same --name; expected a folder of its "
                         "own: choose another --output_dir or --name")
    number, free = 1, folder
    while is_taken(free):
        number += 1
        free = folder.with_name(f"{folder.name}_{number}")
    return free


def _subject(facts: dict[str, Any]) -> tuple:
    """What was edited with: the network, the direction files and their rows."""
    options = facts.get("options", {})
    return facts.get("network_sha256"), facts.get("directions_sha256"), options.get("start"), options.get("end")


def head_of(distance: float) -> str:
    """A distance as people read it: -4, 0, +1.25."""
    return f"{distance:+.3g}" if distance else "0"


class EditResults:
    """Takes the images in the order of `edited_codes`. Raw images and grids are written as they fill, the page on exit,
    also when the run is interrupted: what was finished is kept.

    Pictures are measured and encoded in a thread of their own, while the next batch is synthesized. What is measured is
    what is shown: pictures of at most PICTURE_SIZE pixels a side, in 8 bits.
    """

    def __init__(self, options: argparse.Namespace, edits: Sequence[Edit], facts: dict[str, Any]) -> None:
        self.options, self.edits, self.facts = options, edits, facts
        self.originals: list[np.ndarray] = []
        self.encoded_originals: list[bytes] = []
        self.pictures: list[np.ndarray] = []  # the steps of the present sample
        self.rows: list[list[np.ndarray]] = []  # of the present direction: the original and the steps of each sample
        self.heat_rows: list[list[np.ndarray]] = []
        self.changes: list[list[Change]] = [[] for _ in edits]  # of each direction and sample
        self.outlines: dict[bytes, Outline] = {}
        self.page_rows: list[Row] = []
        self.count = 0  # edited images so far
        self.writes_folders = len({edit.file for edit in edits}) > 1
        options.output_dir.mkdir(parents=True, exist_ok=True)
        self.writer = ThreadPoolExecutor(1)
        self.unwritten: Future[None] | None = None  # the batch that the writer has

    def __enter__(self) -> "EditResults":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.unwritten:
                self.unwritten.result()
        finally:
            self.writer.shutdown()
            if self.page_rows:
                self._write_page()

    def add(self, images: np.ndarray) -> None:
        """The next images: [N, H, W, C] in about -1 to 1. Returns when the images of the call before are written."""
        if self.unwritten:
            self.unwritten.result()
        self.unwritten = self.writer.submit(self._add_all, images)

    def _add_all(self, images: np.ndarray) -> None:
        for image in images:
            self._add(to_uint8(image))

    def _add(self, image: np.ndarray) -> None:
        picture = thumbnail(image, PICTURE_SIZE)
        if len(self.originals) < self.options.total_num:
            self._save_raw(f"ori_{len(self.originals):06d}.png", image)
            self.originals.append(picture)
            self.encoded_originals.append(encode(picture))
            return
        row, step = divmod(self.count, self.options.step)
        number, sample = divmod(row, self.options.total_num)
        edit = self.edits[number]
        self.count += 1
        folder = f"{edit.file}/" if self.writes_folders else ""
        self._save_raw(f"{folder}mani_{sample:06d}_ind_{edit.row:06d}_{step:06d}.png", image)
        self.pictures.append(picture)
        if step == self.options.step - 1:
            self._finish_row(number, sample)
            self.pictures = []
            if sample == self.options.total_num - 1:
                self._finish_direction(number)
                self.rows, self.heat_rows = [], []

    def _save_raw(self, name: str, image: np.ndarray) -> None:
        if self.options.save_raw:
            save_png(self.options.output_dir / name, image)

    def _finish_row(self, number: int, sample: int) -> None:
        edit, original, steps = self.edits[number], self.originals[sample], np.stack(self.pictures)
        self.rows.append([original, *steps])
        row = Row(edit.name, sample, [head_of(distance) for distance in edit.distances], self.encoded_originals[sample],
                  [encode(picture) if distance else self.encoded_originals[sample]
                   for picture, distance in zip(steps, edit.distances, strict=True)])
        if edit.region:
            mask = edit.region.mask(sample, *original.shape[:2])
            absolute = absolute_change(steps, original)
            change = measure(absolute, mask)
            self.changes[number].append(change)
            warm = heat(absolute)
            row = row._replace(
                region=edit.region.name, heat=[encode(thumbnail(level, HEAT_SIZE)) for level in warm],
                outline=self._outline(mask), measures=_plain(change), summary=summary([change]))
            warm = np.stack([0 * warm[0], *warm])
            if len(original) > HEAT_GRID_SIZE:
                warm, original = (np.stack([thumbnail(level, HEAT_GRID_SIZE) for level in warm]),
                                  thumbnail(original, HEAT_GRID_SIZE))
                mask = edit.region.mask(sample, *original.shape[:2])
            self.heat_rows.append(list(heat_maps(warm, original, mask)))
        self.page_rows.append(row)
        if self.options.animate:
            save_animation(self._path(edit, f"_sample_{sample:06d}", self.options.animate), steps)

    def _outline(self, mask: np.ndarray) -> Outline:
        """Most samples share one."""
        key = mask.tobytes()
        if key not in self.outlines:
            self.outlines[key] = Outline(mask.shape[1], mask.shape[0], outline_path(mask))
        return self.outlines[key]

    def _finish_direction(self, number: int) -> None:
        edit, changes = self.edits[number], self.changes[number]
        heads = ["original", *map(head_of, edit.distances)]
        path = self._path(edit, "", "png")
        save_png(path, grid(self.rows, heads))
        facts = self.facts | {"direction": edit.row, "distances": edit.distances.tolist()}
        if edit.region:
            save_jpeg(self._path(edit, "_change", "jpg"), grid(self.heat_rows, heads))
            facts |= {"region": edit.region.name, "region_options": edit.region.facts,
                      "mean_of_both_ends": summary(changes),
                      "steps_of_each_sample": [_plain(change) for change in changes]}
        if self.options.animate:
            save_animation(self._path(edit, "", self.options.animate),
                           [mosaic(step) for step in list(zip(*self.rows, strict=True))[1:]])
        files.write_json(path.with_suffix(".json"), facts)
        tqdm.write(self._summary_line(number, str(path)))

    def _path(self, edit: Edit, more: str, kind: str) -> Path:
        return self.options.output_dir / f"{edit.file}_direction_{edit.row:02d}{more}_{self.options.name}.{kind}"

    def _summary_line(self, number: int, path: str) -> str:
        edit, means = self.edits[number], summary(self.changes[number])
        if not edit.region:
            return path
        ratio = "" if means["ratio"] is None else f", ratio {means['ratio']:.3g}"
        return (f"{path}: {edit.region.name} changed by {means['change_inside'] or 0:.3g} inside, "
                f"{means['change_outside'] or 0:.2g} outside{ratio} at {' and '.join(_ends(edit))}")

    def _write_page(self) -> None:
        options = self.options
        path = options.output_dir / f"manipulate_results_{options.name}.html"
        subjects = list(dict.fromkeys(edit.file for edit in self.edits))
        named = ", ".join(subjects[:3]) + (f" and {len(subjects) - 3} more" if len(subjects) > 3 else "")
        title = f"{named} on {Path(options.restore_path).stem}"
        directions = len({row.direction for row in self.page_rows})
        words = (f"{_count(options.total_num, 'sample')}, each moved along {_count(directions, 'direction')} in "
                 f"{_count(options.step, 'step')}. Drag a slider, or focus it and press the arrow keys, to see what a "
                 "direction changes.")
        write_page(path, title, words, self.page_rows, {
            "Command": " ".join(self.facts["command"]), "Edit": "w + distance × direction on layers "
            + ", ".join(map(str, options.mani_layers)), "Seed": str(options.seed),
            "Versions": ", ".join(f"{name} {version}" for name, version in self.facts["versions"].items()),
            "Network": f"SHA-256 {self.facts['network_sha256']}"})
        complete = len(self.page_rows) == options.total_num * len(self.edits)
        directions = [{"file": edit.file, "row": edit.row, "distances": edit.distances.tolist()}
                      | ({"region": edit.region.name, "mean_of_both_ends": summary(changes)} if edit.region else {})
                      for edit, changes in zip(self.edits, self.changes, strict=True)]
        files.write_json(path.with_suffix(".json"), self.facts | {
            "rows": len(self.page_rows), "complete": complete, "directions": directions})
        if any(self.changes):
            self._write_csv(path.with_suffix(".csv"))
        tqdm.write(str(path))

    def _write_csv(self, path: Path) -> None:
        """A line for each step that was measured."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "direction", "region", "sample", "step", "distance", *Change._fields])
        for edit, changes in zip(self.edits, self.changes, strict=True):
            for sample, change in enumerate(changes):
                for step, numbers in enumerate(zip(edit.distances, *change, strict=True)):
                    writer.writerow([edit.file, edit.row, edit.region.name, sample, step,
                                     *(f"{number:.6g}" for number in numbers)])
        with files.replacing(path) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _ends(edit: Edit) -> list[str]:
    return list(dict.fromkeys(map(head_of, edit.distances[[0, -1]])))


def _plain(change: Change) -> dict[str, list[float | None]]:
    """Six digits, and None for NaN, which JSON does not know."""
    return {name: [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
            for name, values in change._asdict().items()}


def summary(changes: Sequence[Change]) -> dict[str, float | None]:
    """Means over the first and the last step of some samples, and the ratio of the changes inside and outside."""
    means = {name: float(np.mean([np.asarray(getattr(change, name))[[0, -1]] for change in changes])) if changes
             else np.nan for name in Change._fields}
    means["ratio"] = means["change_inside"] / means["change_outside"] if means["change_outside"] else np.nan
    return {name: float(f"{value:.6g}") if np.isfinite(value) else None for name, value in means.items()}
