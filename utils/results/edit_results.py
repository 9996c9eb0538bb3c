"""What manipulate.py leaves behind: raw images, a grid for each direction, heat maps and numbers,
one page."""

import csv
import io
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from dnnlib.text import counted, one_line, stem, table_cell
from utils.cli.commands import command_of_step
from utils.cli.parser import say
from utils.editing.measure import (
    MeasuredChange,
    absolute_change,
    heat,
    heat_maps,
    measure,
    outline_path,
)
from utils.editing.walk import Edit, places
from utils.files.names import ResultNames, span, spans
from utils.files.output_folder import claim_folder, is_same_run
from utils.files.sidecar import EditFacts, ResultFacts, write_facts
from utils.files.writing import replacing
from utils.pictures.images import (
    GAP,
    PICTURE_SIZE,
    encode,
    grid,
    mosaic,
    on_paper,
    save_animation,
    save_jpeg,
    save_png,
    thumbnail,
    to_uint8,
)
from utils.regions.region import RegionSource
from utils.results.page import Outline, Row, write_page

HEAT_SIZE = 64  # pixels, at most, of the heat maps on the page, which are smooth
HEAT_GRID_SIZE = 128  # likewise, of those in the grids
GRID_WIDTH = 16_000  # pixels, at most: viewers and JPEG take little more
# Samples in a grid, so that any viewer opens it, and it is written while the next ones are made.
GRID_ROWS = 20

Result = TypeVar("Result")


def claim_results_folder(
    output_dir: str | None,
    matrix_paths: Sequence[str],
    record: str,
    facts: ResultFacts,
    names: Iterable[str] = (),
) -> AbstractContextManager[Path]:
    """The folder to write to, locked: `output_dir`, or outputs/manipulations/{stem of the first
    matrix_path}, or one with a number after it if that holds results of other options.

    `record` is the name of the JSON file that says what results are of, `names` are those of the
    other files that will be written. Raises InUseError if another run is writing to output_dir.
    """
    written = {record, str(Path(record).with_suffix(".html")), *names}

    def is_taken(folder: Path) -> bool:
        there = not written.isdisjoint(os.listdir(folder))
        return there and not is_same_run(folder / record, facts)

    more = f"_and_{len(matrix_paths) - 1}_more" if len(matrix_paths) > 1 else ""
    folder = Path(output_dir or Path("outputs/manipulations") / f"{stem(matrix_paths[0])}{more}")
    return claim_folder(folder, is_taken, elsewhere_if_in_use=output_dir is None)


def result_names(
    edits: Sequence[Edit], samples: int, name: str, raw: bool, animation: str | None
) -> Iterator[str]:
    """The names of all files and folders that EditResults puts into its folder, but the page's."""
    names = ResultNames(name)
    if raw:
        yield from map(names.original, range(samples))
    one_file = len({edit.file for edit in edits}) == 1
    for edit in edits:
        of_row = edit.file, edit.row
        yield names.facts_of_direction(*of_row)
        for part in ("", *spans(samples, GRID_ROWS)):
            yield from (names.grid(*of_row, part), names.heat_maps(*of_row, part))
        if animation:
            each = (None, *range(samples))
            yield from (names.animation(*of_row, animation, sample) for sample in each)
        if raw and one_file:
            yield from (names.edited(sample, edit.row, 0) for sample in range(samples))
        if raw and not one_file:
            yield edit.file


def results_of(jobs: Iterable[Future[Result]]) -> list[Result]:
    """What jobs have made, once they are done. Raises what one of them has raised."""
    return [job.result() for job in jobs]


def head_of(distance: float) -> str:
    """A distance as people read it: -4, 0, +1.25."""
    return f"{distance:+.3g}" if distance else "0"


@dataclass(frozen=True)
class Subject:
    """What the page says of an edit besides its pictures."""

    network: str  # its name
    codes: str  # where the latent codes come from
    edit: str  # what was done to them


class Original(NamedTuple):
    """A sample before any edit, as grids and page show it."""

    picture: np.ndarray  # uint8 [H, W, 3]
    encoded: bytes


class FinishedRow(NamedTuple):
    """One sample walked along one direction."""

    number: int  # of the direction
    page_row: Row
    change: MeasuredChange | None  # None without a region
    pictures: list[np.ndarray]  # for the grid: the original and the steps
    heat: list[np.ndarray]  # the same as heat maps; empty without a region


class EditResults:
    """Takes the images in the order of `edited_codes`. Raw images and grids are written as they
    fill, the page on exit, also when the run is interrupted: what was finished is kept.

    `facts` are recorded; their `names` are those of the samples, None if they have none. `raw`
    keeps each image at full size, `animation` (gif or webp) makes moving pictures.

    Pictures are measured and encoded by threads while the next batch is synthesized. Jobs are taken
    in order, so that one may wait for those before it. What is measured is what is shown: pictures
    of at most PICTURE_SIZE pixels a side, in 8 bits.
    """

    def __init__(
        self,
        folder: Path,
        edits: Sequence[Edit],
        samples: int,
        name: str,
        facts: ResultFacts,
        subject: Subject,
        raw: bool = False,
        animation: str | None = None,
    ) -> None:
        self.folder, self.edits, self.samples = folder, edits, samples
        self.names = ResultNames(name)
        self.facts, self.subject, self.raw, self.animation = facts, subject, raw, animation
        self.places = places(samples, edits)
        self.batch: list[Future[np.ndarray]] = []  # the last one
        self.originals: list[Future[Original]] = []
        self.steps: list[Future[np.ndarray]] = []  # of the present sample
        self.rows: list[Future[FinishedRow]] = []  # of the present grid
        self.grids: list[Future[list[FinishedRow]]] = []
        self.directions: deque[Future[str]] = deque()  # finished, their line not printed yet
        self.outlines: dict[bytes, Outline] = {}
        columns = 1 + max(len(edit.distances) for edit in edits)
        self.cell = min(PICTURE_SIZE, GRID_WIDTH // columns - GAP)  # pixels of a picture in a grid
        self.writes_folders = len({edit.file for edit in edits}) > 1
        # Written at once, so that the files of a run that is killed are known as its own. A record
        # that is there already is of the same options.
        record = folder / self.names.facts
        self.is_first = not record.exists()
        if self.is_first:
            write_facts(record, replace(facts, rows=0, complete=False))
        self.pool = ThreadPoolExecutor(os.cpu_count())

    def __enter__(self) -> "EditResults":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()
        try:
            self._print_finished()
            results_of(self.batch)
            results_of(self.grids)
            results_of(self.rows)
        finally:
            self._write_results()

    def add(self, images: np.ndarray) -> None:
        """The next images: [N, H, W, C] in about -1 to 1. Returns when those of the call before are
        pictures."""
        results_of(self.batch)
        self.batch = [self._add(image) for image in images]
        self._print_finished()

    def _add(self, image: np.ndarray) -> Future[np.ndarray]:
        number, sample, step = next(self.places)
        if number is None:
            picture = self.pool.submit(self._picture, image, self.names.original(sample))
            self.originals.append(
                self.pool.submit(lambda: Original(picture.result(), encode(picture.result())))
            )
            return picture
        edit = self.edits[number]
        folder = f"{edit.file}/" if self.writes_folders else ""
        raw = folder + self.names.edited(sample, edit.row, step)
        picture = self.pool.submit(self._picture, image, raw)
        self.steps.append(picture)
        if step == len(edit.distances) - 1:
            self._end_row(number, sample)
        return picture

    def _end_row(self, number: int, sample: int) -> None:
        """All steps of a sample are there; maybe those of a grid and of a direction, too."""
        is_last = sample == self.samples - 1
        self.rows.append(self.pool.submit(self._finish_row, number, sample, self.steps))
        self.steps = []
        if len(self.rows) == GRID_ROWS or is_last:
            self.grids.append(self.pool.submit(self._finish_grid, self.rows))
            self.rows = []
        if is_last:
            grids = self.grids[-math.ceil(self.samples / GRID_ROWS) :]
            self.directions.append(self.pool.submit(self._finish_direction, number, grids))

    def _print_finished(self) -> None:
        while self.directions and self.directions[0].done():
            say(self.directions.popleft().result())

    def _picture(self, image: np.ndarray, name: str) -> np.ndarray:
        pixels = to_uint8(image)
        if self.raw:
            save_png(self.folder / name, pixels)
        return thumbnail(on_paper(pixels), PICTURE_SIZE)

    def _finish_row(
        self, number: int, sample: int, pictures: list[Future[np.ndarray]]
    ) -> FinishedRow:
        edit, (original, encoded) = self.edits[number], self.originals[sample].result()
        shown = results_of(pictures)
        steps = np.stack(shown)
        names = self.facts.names
        row = Row(
            edit.name,
            sample,
            [head_of(distance) for distance in edit.distances],
            encoded,
            [
                encode(picture) if distance else encoded
                for picture, distance in zip(steps, edit.distances, strict=True)
            ],
            name=names[sample] if names else None,
            title=edit.title,
            commands=[
                command_of_step(self.facts.options, edit, sample, distance)
                for distance in edit.distances.tolist()
            ],
        )
        change: MeasuredChange | None = None
        maps: list[np.ndarray] = []
        if edit.region:
            row, change, maps = self._measured(row, edit.region, steps, original)
        if self.animation:
            name = self.names.animation(edit.file, edit.row, self.animation, sample)
            save_animation(self.folder / name, shown)
        cells = [thumbnail(picture, self.cell) for picture in (original, *steps)]
        return FinishedRow(number, row, change, cells, maps)

    def _measured(
        self, row: Row, region: RegionSource, steps: np.ndarray, original: np.ndarray
    ) -> tuple[Row, MeasuredChange, list[np.ndarray]]:
        """A row with its numbers and heat maps for the page, the numbers, and the heat maps for the
        grid: of the original, where nothing changes, and of the steps."""
        mask = region.mask(row.sample, *original.shape[:2])
        absolute = absolute_change(steps, original)
        change, warm = measure(absolute, mask), heat(absolute)
        row = row._replace(
            region=region.name,
            heat=[encode(thumbnail(level, HEAT_SIZE)) for level in warm],
            outline=self._outline(mask),
            measures=_plain(change),
        )
        size = min(HEAT_GRID_SIZE, self.cell)
        small = thumbnail(original, size)
        levels = np.stack([thumbnail(level, size) for level in (0 * warm[0], *warm)])
        return (
            row,
            change,
            list(heat_maps(levels, small, region.mask(row.sample, *small.shape[:2]))),
        )

    def _outline(self, mask: np.ndarray) -> Outline:
        """Most samples share one."""
        key = mask.tobytes()
        if key not in self.outlines:
            self.outlines[key] = Outline(mask.shape[1], mask.shape[0], outline_path(mask))
        return self.outlines[key]

    def _finish_grid(self, jobs: list[Future[FinishedRow]]) -> list[FinishedRow]:
        """The rows, without their pictures if nobody needs them any more."""
        rows = results_of(jobs)
        edit = self.edits[rows[0].number]
        heads = ["original", *map(head_of, edit.distances)]
        first, last = rows[0].page_row.sample, rows[-1].page_row.sample
        of_grid = edit.file, edit.row, "" if self.samples <= GRID_ROWS else span(first, last)
        path = self.folder / self.names.grid(*of_grid)
        save_png(path, grid([row.pictures for row in rows], heads))
        if edit.region:
            path = self.folder / self.names.heat_maps(*of_grid)
            save_jpeg(path, grid([row.heat for row in rows], heads))
        return rows if self.animation else [row._replace(pictures=[], heat=[]) for row in rows]

    def _finish_direction(self, number: int, grids: list[Future[list[FinishedRow]]]) -> str:
        """What to print of it."""
        edit, rows = self.edits[number], [row for rows in results_of(grids) for row in rows]
        facts = EditFacts(
            **asdict(self.facts), direction=edit.row, distances=edit.distances.tolist()
        )
        changes = [row.change for row in rows if row.change]
        if edit.region:
            facts = replace(
                facts,
                region=edit.region.name,
                region_options=edit.region.facts,
                mean_of_both_ends=summary(changes),
                steps_of_each_sample=[_plain(change) for change in changes],
            )
        moving = ""
        if self.animation:
            columns = zip(*(row.pictures[1:] for row in rows), strict=True)
            path = self.folder / self.names.animation(edit.file, edit.row, self.animation)
            save_animation(path, [mosaic(column) for column in columns])
            moving = f"\n{path}"
        write_facts(self.folder / self.names.facts_of_direction(edit.file, edit.row), facts)
        samples = "_samples_*" if len(grids) > 1 else ""
        path = self.folder / self.names.grid(edit.file, edit.row, samples)
        return f"{path}{_words_of(edit, summary(changes))}{moving}"

    def _write_results(self) -> None:
        """The page, and the numbers of all that is on it."""
        rows = [row for job in self.grids if not job.exception() for row in job.result()]
        rows += [job.result() for job in self.rows if not job.exception()]  # of an interrupted grid
        record = self.folder / self.names.facts
        if not rows:
            if self.is_first:
                record.unlink(missing_ok=True)
            return
        self._write_page(rows)
        changes = [
            [row.change for row in rows if row.number == number and row.change]
            for number in range(len(self.edits))
        ]
        directions = [
            {"file": edit.file, "row": edit.row, "distances": edit.distances.tolist()}
            | (
                {"region": edit.region.name, "mean_of_both_ends": summary(measured)}
                if edit.region
                else {}
            )
            for edit, measured in zip(self.edits, changes, strict=True)
        ]
        complete = len(rows) == self.samples * len(self.edits)
        counts = replace(self.facts, rows=len(rows), complete=complete, directions=directions)
        write_facts(record, counts)
        if any(changes):
            write_csv(self.folder / self.names.table, self.edits, changes)
        page = self.folder / self.names.page
        say(f"{page}: open {page.resolve().as_uri()}")

    def _write_page(self, rows: list[FinishedRow]) -> None:
        names = list(dict.fromkeys(edit.title or edit.file for edit in self.edits))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        title = f"{'; '.join(names[:3])}{more} on {self.subject.network}"
        number = len({row.number for row in rows})
        words = (
            f"{counted(self.samples, 'sample')}, each moved along "
            f"{counted(number, 'direction')} in {counted(len(self.edits[0].distances), 'step')}. "
            "Drag a slider, or focus it and press the arrow keys, to see what a direction changes; "
            "click a picture to see it large."
        )
        versions = self.facts.versions.items()
        footer = {
            "Command": " ".join(self.facts.command),
            "Edit": self.subject.edit,
            "Latent codes": self.subject.codes,
            "Versions": ", ".join(f"{name} {version}" for name, version in versions),
            "Network": f"SHA-256 {self.facts.network_sha256}",
        }
        path = self.folder / self.names.page
        write_page(path, title, words, [row.page_row for row in rows], footer)


def write_csv(
    path: Path, edits: Sequence[Edit], changes: Sequence[Sequence[MeasuredChange]]
) -> None:
    """A line for each step that was measured: `changes` of each sample, for each edit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = ["file", "direction", "region", "sample", "step", "distance"]
    writer.writerow([*heads, *MeasuredChange._fields])
    for edit, measured in zip(edits, changes, strict=True):
        for sample, change in enumerate(measured):
            names = [table_cell(edit.file), edit.row, table_cell(edit.measured_region.name), sample]
            for step, numbers in enumerate(zip(edit.distances, *change, strict=True)):
                writer.writerow([*names, step, *(f"{number:.6g}" for number in numbers)])
    with replacing(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8", errors="replace")


def _words_of(edit: Edit, means: Mapping[str, float | None]) -> str:
    """How much an edit changes, to be printed after its picture."""
    if not edit.region:
        return ""
    ratio = "" if means["ratio"] is None else f", ratio {means['ratio']:.3g}"
    ends = " and ".join(dict.fromkeys(map(head_of, edit.distances[[0, -1]])))
    return (
        f": {one_line(edit.region.name)} changed by {means['change_inside'] or 0:.3g} inside, "
        f"{means['change_outside'] or 0:.2g} outside{ratio} at {ends}"
    )


def _plain(change: MeasuredChange) -> dict[str, list[float | None]]:
    """Six digits, and None for NaN, which JSON does not know."""
    return {
        name: [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
        for name, values in change._asdict().items()
    }


def summary(changes: Sequence[MeasuredChange]) -> dict[str, float | None]:
    """Means over the first and the last step of some samples, and the ratio of the changes inside
    and outside."""
    means = dict.fromkeys(MeasuredChange._fields, np.nan)
    if changes:
        for name in means:
            ends = [np.asarray(getattr(change, name))[[0, -1]] for change in changes]
            means[name] = float(np.mean(ends))
    outside = means["change_outside"]
    means["ratio"] = means["change_inside"] / outside if outside else np.nan
    return {
        name: float(f"{value:.6g}") if np.isfinite(value) else None for name, value in means.items()
    }
