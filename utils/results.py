"""What manipulate.py leaves behind: raw images, a grid for each direction, one page."""

import argparse
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from . import files
from .errors import InputError
from .page import Row, write_page
from .pictures import encode_jpeg, grid, save_png, thumbnail, to_uint8

PICTURE_SIZE = 256  # pixels, at most, on the page and in the grids


def choose_output_dir(output_dir: str | None, matrix_path: str, name: str, facts: dict[str, Any]) -> Path:
    """The folder to write to. Results of other directions, or of another network, are never overwritten.

    Without an output_dir it is outputs/manipulations/{stem of matrix_path}, with a number after it if that is taken.
    Raises InputError if output_dir is.
    """

    def is_taken(folder: Path) -> bool:
        previous = files.read_json(folder / f"manipulate_results_{name}.json")
        return previous is not None and _subject(previous) != _subject(facts)

    folder = Path(output_dir or Path("outputs/manipulations") / Path(matrix_path).stem)
    if output_dir and is_taken(folder):
        raise InputError(f"{folder} holds results of other directions under --name {name}; expected a folder of its "
                         "own: choose another --output_dir or --name")
    number, free = 1, folder
    while is_taken(free):
        number += 1
        free = folder.with_name(f"{folder.name}_{number}")
    return free


def _subject(facts: dict[str, Any]) -> tuple:
    """What was edited with: the network, the direction file and its rows."""
    options = facts.get("options", {})
    return facts.get("network_sha256"), facts.get("directions_sha256"), options.get("start"), options.get("end")


class EditResults:
    """Takes the images in the order of `edited_codes`. Raw images and grids are written as they fill, the page on exit,
    also when the run is interrupted: what was finished is kept.

    Pictures are encoded in a thread of their own, while the next batch is synthesized.
    """

    def __init__(self, options: argparse.Namespace, distances: np.ndarray, facts: dict[str, Any]) -> None:
        self.options, self.facts = options, facts
        self.heads = ["original", *(f"{distance:+.3g}" if distance else "0" for distance in distances)]
        self.originals: list[np.ndarray] = []
        self.pictures: list[list[np.ndarray]] = []  # of the present direction, a row for each sample
        self.page_rows: list[Row] = []
        self.count = 0  # edited images so far
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
            return
        row, step = divmod(self.count, self.options.step)
        direction, sample = divmod(row, self.options.total_num)
        direction += self.options.start
        self.count += 1
        self._save_raw(f"mani_{sample:06d}_ind_{direction:06d}_{step:06d}.png", image)
        if step == 0:
            self.pictures.append([self.originals[sample]])
        self.pictures[-1].append(picture)
        if step == self.options.step - 1:
            self._finish_row(direction, sample)

    def _save_raw(self, name: str, image: np.ndarray) -> None:
        if self.options.save_raw:
            save_png(self.options.output_dir / name, image)

    def _finish_row(self, direction: int, sample: int) -> None:
        encoded = [encode_jpeg(picture) for picture in self.pictures[-1]]
        self.page_rows.append(Row(f"sample {sample}, direction {direction}", encoded, starts_group=sample == 0))
        if sample == self.options.total_num - 1:
            stem = f"{Path(self.options.matrix_path).stem}_direction_{direction:02d}_{self.options.name}"
            path = self.options.output_dir / f"{stem}.png"
            save_png(path, grid(self.pictures, self.heads))
            files.write_json(path.with_suffix(".json"), self.facts | {"direction": direction})
            tqdm.write(str(path))
            self.pictures = []

    def _write_page(self) -> None:
        options = self.options
        path = options.output_dir / f"manipulate_results_{options.name}.html"
        title = f"{Path(options.matrix_path).stem} on {Path(options.restore_path).stem}"
        summary = (f"w + distance × direction on layers {', '.join(map(str, options.mani_layers))}; "
                   f"{len(self.page_rows)} rows of {options.step} steps")
        versions = ", ".join(f"{name} {version}" for name, version in self.facts["versions"].items())
        footer = f"{' '.join(self.facts['command'])} · seed {options.seed} · {versions}"
        write_page(path, title, summary, self.heads, self.page_rows, footer)
        complete = len(self.page_rows) == options.total_num * (options.end - options.start)
        files.write_json(path.with_suffix(".json"), self.facts | {"rows": len(self.page_rows), "complete": complete})
        tqdm.write(str(path))
