"""From direction files to edits: which rows, under which names, measured in which region."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnnlib.errors import InputError
from dnnlib.text import one_line, stem
from utils.cli.parser import MOST_LAYERS, warn
from utils.editing.walk import Edit
from utils.files.sidecar import DirectionFacts
from utils.regions.region import RegionSource, expect_unchanged, region_from_facts

MOST_DISTANCE = 1e6  # that is recorded


@dataclass(frozen=True)
class DirectionFile:
    """Directions of a file, and what the JSON file beside it says of them."""

    path: Path
    rows: np.ndarray  # [K, D], or [K, L, D] with a vector for each layer
    facts: DirectionFacts | None
    sha256: str
    space: str | None  # z or w, where the file itself says so

    @property
    def is_of_z(self) -> bool:
        """Whether they were found in z."""
        return "z" in (self.space, self._recorded_space)

    @property
    def is_of_w(self) -> bool:
        """Whether they are said to be found in w."""
        return "w" in (self.space, self._recorded_space)

    @property
    def says_space(self) -> bool:
        """Whether it is known whether they were found in z or in w."""
        return bool(self.space or self._recorded_space)

    @property
    def _recorded_space(self) -> str | None:
        return self.facts.latent_space if self.facts else None

    @property
    def title(self) -> str:
        """For people: the region that they were found for, or else the name of the file."""
        name = stem(self.path)
        if self.facts and self.facts.region and name.startswith("directions_img_"):
            name = one_line(self.facts.region, 60)
        return " ".join(name.replace("_", " ").split())

    def title_of(self, row: int, number: str = "") -> str:
        """For people: Eyes, row 0, projected; `number` tells files of one name apart."""
        is_projected = stem(self.path).endswith("_projected")
        words = f"{self.title}{number}, row {row}{', projected' * is_projected}"
        return words[:1].upper() + words[1:]

    @property
    def truncation(self) -> float | None:
        """That of the Jacobian they were found in, if it is known."""
        made = self.facts and self.facts.jacobian
        options = made.get("options") if isinstance(made, dict) else None
        psi = options.get("trunc_psi") if isinstance(options, dict) else None
        return psi if isinstance(psi, (int, float)) else None

    @property
    def layers(self) -> tuple[int, ...] | None:
        """Those to edit, if they are recorded. Raises InputError for what cannot be layers."""
        layers = self.facts.layers if self.facts else None
        if layers is None:
            return None
        if not (
            isinstance(layers, list)
            and 0 < len(layers) <= MOST_LAYERS
            and all(type(layer) is int and 0 <= layer < MOST_LAYERS for layer in layers)
        ):
            raise InputError(
                f"the layers recorded beside {self.path} are {one_line(layers, 80)}; expected "
                "whole numbers: name the layers yourself",
                option="mani_layers",
            )
        return tuple(sorted(set(layers)))

    @property
    def distance(self) -> float | None:
        """How far they are walked, if it is recorded."""
        distance = self.facts.distance if self.facts else None
        is_one = isinstance(distance, (int, float)) and 0 < distance < MOST_DISTANCE
        return float(distance) if distance is not None and is_one else None

    def doubt(self, network_sha256: str) -> str | None:
        """What is odd if they are used on the network of this checksum, the rest of a sentence
        about the file; None: nothing."""
        origin = self.facts and self.facts.network_sha256
        if origin in (None, network_sha256):
            return None
        return (
            f"was found on another network (SHA-256 {str(origin)[:12]}…, this one is "
            f"{network_sha256[:12]}…): its effect may be anything"
        )

    def expect_rows(self, start: int, end: int) -> None:
        """Raise InputError unless rows start to end, -1 for all, are there."""
        number = len(self.rows)
        if end == start + 1 > number:
            rows = (
                "one row: --start 0" if number == 1 else f"{number} rows: --start 0 to {number - 1}"
            )
            raise InputError(f"--start {start} of {self.path}, which has {rows}")
        if not start < (end if end > 0 else number) <= number:
            raise InputError(
                f"--start {start} --end {end} of {self.path}; expected 0 <= start < end <= "
                f"{number}, the number of its rows, or --end -1 for all"
            )

    def region(self, samples: int, frame: tuple[int, int]) -> RegionSource | None:
        """The recorded region, if there is one, it is still what it was, and it can be drawn for
        every sample in the frame of the images."""
        if self.facts is None:
            return None
        try:
            region = region_from_facts(self.facts.region, self.facts.region_options)
            if region:
                expect_unchanged(region, self.facts.to_json())
                for sample in range(samples):
                    region.mask(sample, *frame)
            return region
        except (InputError, OSError) as error:
            why = str(error)
            if isinstance(error, OSError):
                why = f"{error.filename} cannot be read ({error.strerror})"
            warn(f"the region recorded beside {self.path} is not measured: {why}")
            return None


class Plan(NamedTuple):
    """How the directions of a file are walked along."""

    layers: tuple[int, ...]
    distances: np.ndarray
    finds_distance: bool  # by the change of the region


def edits_of(
    directions: Sequence[DirectionFile],
    rows: slice,
    plan_of: Callable[[DirectionFile, bool], Plan],
    region: RegionSource | None,
    samples: int,
    frame: tuple[int, int],
    in_z: bool,
) -> Iterator[Edit]:
    """An edit for each of these rows of each file, measured in `region`, else in the recorded one.

    `plan_of(file, has_region)` says how; `in_z`: directions found in z are walked there.
    """
    names = unique_names([stem(file.path) for file in directions])
    for name, file in zip(names, directions, strict=True):
        measured = region or file.region(samples, frame)
        number = name.removeprefix(stem(file.path)).replace("_", " ")
        plan = plan_of(file, measured is not None)
        for row in range(len(file.rows))[rows]:
            of_z = in_z and file.is_of_z
            yield Edit(
                name,
                row,
                file.rows[row],
                plan.distances,
                measured,
                of_z,
                plan.layers,
                plan.finds_distance,
                title=file.title_of(row, number),
                path=str(file.path),
            )


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, with a number after one that is there already, also where a file system ignores
    case."""
    wanted = {name.casefold() for name in names}
    taken: dict[str, str] = {}
    for name in names:
        unique = name
        numbers = itertools.count(2)
        while unique.casefold() in taken or (unique != name and unique.casefold() in wanted):
            unique = f"{name}_{next(numbers)}"
        taken[unique.casefold()] = unique
    return list(taken.values())


def regions_of(edits: Sequence[Edit]) -> list[RegionSource]:
    """Each region once."""
    return list({id(edit.region): edit.region for edit in edits if edit.region}.values())


def walks_of(edits: Sequence[Edit]) -> dict[str, Any]:
    """The options of layers and distances as they are settled: one value where all edits agree,
    else one for each."""
    walks: dict[str, list[Any]] = {
        "mani_layers": [list(edit.layers or ()) for edit in edits],
        "distance": ["auto" if edit.finds_distance else None for edit in edits],
        "start_distance": [float(edit.distances[0]) for edit in edits],
        "end_distance": [float(edit.distances[-1]) for edit in edits],
    }
    return {
        name: values[0] if all(value == values[0] for value in values) else values
        for name, values in walks.items()
    }


def check_regions(edits: Sequence[Edit], samples: int, frame: tuple[int, int]) -> None:
    """Say what is odd about a region.

    Raises InputError if one lacks pixels, or an edit whose distance it decides lacks one.
    """
    for region in regions_of(edits):
        for doubt in region.describe(range(samples), *frame)[1]:
            warn(doubt)
    for edit in edits:
        if edit.finds_distance:
            _ = edit.measured_region
