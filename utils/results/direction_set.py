"""What compute_directions.py leaves behind: directions with their numbers, pictures of spectra and
of the region."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.errors import InputError
from utils.cli.commands import shell_line
from utils.cli.options import DirectionsOptions, plain_options
from utils.files.arrays import write_npy
from utils.files.names import DirectionNames, JacobianNames
from utils.files.output_folder import is_same_run
from utils.files.sidecar import DirectionFacts, JacobianFacts, read_facts, write_facts
from utils.method.directions import NOISE, Directions, PredictedChange, spectrum
from utils.method.subspace import Subspace
from utils.pictures.images import on_paper, region_picture, save_png
from utils.pictures.plots import Spectrum, spectra_picture
from utils.regions import masks as mask_files
from utils.regions.region import RegionSource
from utils.results.jacobian_run import origin_of_jacobian

INSIDE_COLOUR, OUTSIDE_COLOUR = "#0b7a75", "#c8553d"
PLAIN = 160  # grey of the ground without a picture


@dataclass(frozen=True)
class DirectionSet:
    """The directions of one sample, or of a pool of samples: names of its files, and the facts that
    are known of it before it is computed."""

    options: DirectionsOptions
    samples: range
    region: RegionSource
    size: tuple[int, int]  # of the region's masks
    facts: DirectionFacts

    @property
    def title(self) -> str:
        """For people."""
        if self.options.pool:
            return f"pool of {len(self.samples)} samples"
        return f"sample {self.samples[0]}"

    @property
    def names(self) -> DirectionNames:
        """Of its files."""
        return direction_names(self.options, self.region)

    def is_taken(self, folder: Path) -> bool:
        """Whether the folder holds such files of a run with other options."""
        names, first = self.names, self.samples[0]
        written = [names.spectra(first), *map(names.region_picture, self.samples)]
        for projected in (False, True):
            written += [names.directions(first, projected), names.facts(first, projected)]
        there = any(os.path.lexists(folder / name) for name in written)
        return there and not is_same_run(folder / names.facts(first, False), self.facts)

    def save(self, folder: Path, directions: Directions, matrices: np.ndarray) -> list[str]:
        """Its files, and the pictures of its region; what is to be said about these.

        `matrices` are the Gram matrices inside and outside, [2, D, D].
        """
        options = plain_options(replace(self.options, output_dir=folder))
        facts = replace(self.facts, options=options)
        self._save_arrays(folder, directions, facts)
        spectra = spectra_of(directions, matrices)
        save_png(folder / self.names.spectra(self.samples[0]), spectra_picture(spectra))
        sources = JacobianNames.beside(self.options.jaco_path)
        notes = [
            save_region_picture(
                folder / self.names.region_picture(sample),
                sources.picture(sample),
                self.region.mask(sample, *self.size),
            )
            for sample in self.samples
        ]
        return [note for note in notes if note]

    def _save_arrays(self, folder: Path, directions: Directions, facts: DirectionFacts) -> None:
        sample, found = self.samples[0], numbers_of(directions)
        for projected, rows in ((False, directions.principal), (True, directions.projected)):
            # The facts first: whatever the moment at which a run is killed, its array is known as
            # its own.
            write_facts(
                folder / self.names.facts(sample, projected),
                replace(facts, **found, projected=projected),
            )
            write_npy(folder / self.names.directions(sample, projected), rows.astype("float32"))


def plan_sets(
    options: DirectionsOptions, region: RegionSource, samples: range, size: tuple[int, int]
) -> list[DirectionSet]:
    """A set for each sample of the Jacobian, or one for them all; `size` is that of its images."""
    origin = origin_of_jacobian(options.jaco_path)
    groups = [samples] if options.pool else [range(i, i + 1) for i in samples]
    return [
        DirectionSet(
            options,
            group,
            region,
            size,
            DirectionFacts.of_run(
                plain_options(options),
                **origin,
                region=region.name,
                region_options=region.facts,
                region_sha256=region.digest(group, *size),
                region_size=list(size),
                sample="pool" if options.pool else group[0],
                samples=len(group),
                method=options.method,
            ),
        )
        for group in groups
    ]


def direction_names(options: DirectionsOptions, region: RegionSource) -> DirectionNames:
    """Of the files of a run."""
    return DirectionNames(region.name, options.name, options.pool)


# Numbers ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BestRow:
    """A projected direction of a file, and by how much more it is predicted to change the region
    than the rest."""

    ratio: float
    path: Path
    row: int

    @classmethod
    def of(cls, path: Path, directions: Directions) -> "BestRow":
        """That of the largest ratio; rows that are noise come last."""
        ratios = np.where(directions.norm_kept < NOISE, 0, directions.projected_change.ratio)
        row = int(np.argmax(ratios))
        return cls(float(ratios[row]), path, row)

    def next_step(self, jaco_path: Path) -> str:
        """What a user may do now: the command that walks along it."""
        facts = read_facts(jaco_path.with_suffix(".json"), JacobianFacts, "its network is")
        network = str(facts.options.get("restore_path")) if facts else "NETWORK"
        line = shell_line("manipulate.py", [network, str(self.path)], {"start": self.row or None})
        best = f"best: row {self.row} of {self.path.name}, predicted ratio {self.ratio:.3g}"
        return f"{best}\nnext: {line}"


def report(directions: Directions) -> str:
    """The lines that a user reads: how the factorizations went, and the numbers of each vector, in
    the file's order."""
    foreground = directions.foreground
    lines = [
        f"  foreground: {_solver_line(foreground)}",
        f"  background: {_solver_line(directions.background)}",
    ]
    if not foreground.rank:
        return "\n".join(
            [*lines, "  WARNING: rank 0, no directions: skipped; lower --lamb to get some"]
        )
    change = ["inside", "outside", "ratio"]
    heads = ["--start", foreground.score_name, *change, "norm kept", *change]
    lines.append(f"{'principal'.center(25):>50}{'projected'.center(37):>37}".rstrip())
    lines.append(_table_line(heads))
    return "\n".join([*lines, *(_row_line(directions, row) for row in range(foreground.rank))])


def _row_line(directions: Directions, row: int) -> str:
    before, after = directions.principal_change, directions.projected_change
    kept = directions.norm_kept[row]
    cells = [
        str(row),
        f"{directions.foreground.scores[row]:.4g}",
        *_change_cells(before, row),
        f"{kept:.3f}",
        *_change_cells(after, row),
    ]
    return _table_line(cells) + (
        "  WARNING: noise, hardly anything is left of it" if kept < NOISE else ""
    )


def _change_cells(change: PredictedChange, row: int) -> list[str]:
    return [f"{change.inside[row]:.3g}", f"{change.outside[row]:.3g}", f"{change.ratio[row]:.1f}"]


def _table_line(cells: list[str]) -> str:
    widths = [9, 16, 9, 9, 7, 12, 9, 9, 7]
    return "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _solver_line(found: Subspace) -> str:
    of, stats = f"rank {found.rank} of {len(found.vectors)}", found.stats
    if "steps" not in stats:
        least = stats["least_eigenvalue"]
        return f"{of}, in closed form: {found.score_name}s of {least:g} or more"
    return (
        f"{of}, {stats['steps']} steps, residuals {stats['primal_residual']:.0e} primal, "
        f"{stats['dual_residual']:.0e} dual, error at most {stats['error_bound']:.0e}"
        + ("" if found.converged else "; WARNING: not converged, raise --max_iter")
    )


def numbers_of(directions: Directions) -> dict[str, Any]:
    """The numbers of the table, and more, by their names among the facts."""
    return {
        "foreground": _solver_facts(directions.foreground),
        "background": _solver_facts(directions.background),
        "null_space_dimension": directions.null_space_dimension,
        "norm_kept": directions.norm_kept.tolist(),
        "noise": (directions.norm_kept < NOISE).tolist(),
        "before_projection": _lists(directions.principal_change),
        "after_projection": _lists(directions.projected_change),
        "converged": directions.foreground.converged and directions.background.converged,
    }


def _solver_facts(found: Subspace) -> dict[str, Any]:
    return {
        "rank": found.rank,
        **found.stats,
        "converged": found.converged,
        f"{found.score_name.replace(' ', '_')}s": found.scores[: found.rank].tolist(),
    }


def _lists(change: PredictedChange) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in asdict(change).items()}


# Files --------------------------------------------------------------------------------------------


def spectra_of(directions: Directions, matrices: np.ndarray) -> list[Spectrum]:
    """Those inside and outside, of the Gram matrices [2, D, D]."""
    foreground, background = directions.foreground, directions.background
    left = (
        _quotients(foreground)
        if foreground.score_name == "eigenvalue"
        else _spectrum("Inside the region", matrices[0], foreground, "f", INSIDE_COLOUR)
    )
    return [left, _spectrum("Outside", matrices[1], background, "b", OUTSIDE_COLOUR)]


def _quotients(found: Subspace) -> Spectrum:
    legend = "eigenvalues of M_f against M_b", ""
    values = np.maximum(found.scores, 0)
    return Spectrum("Inside over outside", values, np.empty(0), found.rank, legend, INSIDE_COLOUR)


def _spectrum(title: str, matrix: np.ndarray, found: Subspace, index: str, colour: str) -> Spectrum:
    legend = f"singular values of M_{index}", f"of its low-rank part L_{index}"
    return Spectrum(title, spectrum(matrix), found.scores[: found.rank], found.rank, legend, colour)


def save_region_picture(path: Path, source: Path, mask: np.ndarray) -> str | None:
    """The region laid over the picture of a sample, `source`, which step 1 has written.

    Without that picture, over a plain ground, and the line that says so is returned.
    """
    note = None
    try:
        picture = on_paper(
            np.asarray(mask_files.read_png(source, "the picture of a sample").convert("RGBA"))
        )
    except (InputError, OSError) as error:
        is_there = not isinstance(error, FileNotFoundError)
        found = f"{source} cannot be read ({error})" if is_there else f"no picture {source}"
        picture = np.full((*mask.shape, 3), PLAIN, np.uint8)
        note = f"{found}: the region is drawn on a plain ground, in {path}"
    save_png(path, region_picture(picture, mask_files.resize(mask, *picture.shape[:2])))
    return note
