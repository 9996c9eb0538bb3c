"""What compute_directions.py leaves behind: directions with their numbers, pictures of spectra and
of the region."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.errors import InputError
from utils.cli.options import DirectionsOptions, plain_options
from utils.files.arrays import write_npy
from utils.files.output_folder import is_same_run
from utils.files.sidecar import provenance, write_json
from utils.method.directions import NOISE, Directions, PredictedChange, spectrum
from utils.method.subspace import Subspace
from utils.pictures.images import on_paper, region_picture, save_png
from utils.pictures.plots import Spectrum, spectra_picture
from utils.regions import masks as mask_files
from utils.regions.region import RegionSource
from utils.results.jacobian_run import JacobianNames, origin_of_jacobian

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
    facts: dict[str, Any]

    @property
    def title(self) -> str:
        """For people."""
        if self.options.pool:
            return f"pool of {len(self.samples)} samples"
        return f"sample {self.samples[0]}"

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        number = "pool" if self.options.pool else f"{self.samples[0]:02d}"
        return f"directions_img_{number}_region_{self.region.name}_{self.options.name}"

    def region_picture(self, sample: int) -> str:
        """The name of a picture that it has for each of its samples."""
        return region_picture_name(self.options, self.region, f"{sample:02d}")

    def is_taken(self, folder: Path) -> bool:
        """Whether the folder holds such files of a run with other options."""
        ends = (".npy", ".json", "_projected.npy", "_projected.json", "_spectra.png")
        names = [f"{self.stem}{end}" for end in ends]
        names += [self.region_picture(sample) for sample in self.samples]
        there = any(os.path.lexists(folder / name) for name in names)
        return there and not is_same_run(folder / f"{self.stem}.json", self.facts)

    def save(self, folder: Path, directions: Directions, matrices: np.ndarray) -> list[str]:
        """Its files, and the pictures of its region; what is to be said about these.

        `matrices` are the Gram matrices inside and outside, [2, D, D].
        """
        options = plain_options(replace(self.options, output_dir=folder))
        save(folder / self.stem, directions, matrices, self.facts | {"options": options})
        names = JacobianNames.beside(self.options.jaco_path)
        notes = [
            save_region_picture(
                folder / self.region_picture(sample),
                names.picture(sample),
                self.region.mask(sample, *self.size),
            )
            for sample in self.samples
        ]
        return [note for note in notes if note]


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
            provenance(
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


def region_picture_name(options: DirectionsOptions, region: RegionSource, number: str) -> str:
    """The name of the picture of a region in the sample of this number, or the pattern of all."""
    pool = "pool_" if options.pool else ""
    return f"region_img_{pool}{number}_{region.name}_{options.name}.png"


# Numbers ------------------------------------------------------------------------------------------


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


def facts_of(directions: Directions) -> dict[str, Any]:
    """The numbers of the table, and more, for a JSON file: lists in the order of the rows."""
    return {
        "foreground": _solver_facts(directions.foreground),
        "background": _solver_facts(directions.background),
        "null_space_dimension": directions.null_space_dimension,
        "norm_kept": directions.norm_kept.tolist(),
        "noise": (directions.norm_kept < NOISE).tolist(),
        "before_projection": _change_facts(directions.principal_change),
        "after_projection": _change_facts(directions.projected_change),
        "converged": directions.foreground.converged and directions.background.converged,
    }


def _solver_facts(found: Subspace) -> dict[str, Any]:
    return {
        "rank": found.rank,
        **found.stats,
        "converged": found.converged,
        f"{found.score_name.replace(' ', '_')}s": found.scores[: found.rank].tolist(),
    }


def _change_facts(change: PredictedChange) -> dict[str, list[float]]:
    return {
        "inside": change.inside.tolist(),
        "outside": change.outside.tolist(),
        "ratio": change.ratio.tolist(),
    }


# Files --------------------------------------------------------------------------------------------


def save(stem: Path, directions: Directions, matrices: np.ndarray, facts: dict[str, Any]) -> None:
    """`stem`.npy and `stem`_projected.npy, a JSON file beside each, and `stem`_spectra.png.

    `matrices` are the Gram matrices inside and outside, [2, D, D].
    """
    for suffix, rows in (("", directions.principal), ("_projected", directions.projected)):
        path = stem.with_name(f"{stem.name}{suffix}.npy")
        # The facts first: whatever the moment at which a run is killed, its array is known as its
        # own.
        write_json(
            path.with_suffix(".json"), facts | facts_of(directions) | {"projected": bool(suffix)}
        )
        write_npy(path, rows.astype("float32"))
    foreground, background = directions.foreground, directions.background
    left = (
        _quotients(foreground)
        if foreground.score_name == "eigenvalue"
        else _spectrum("Inside the region", matrices[0], foreground, "f", INSIDE_COLOUR)
    )
    right = _spectrum("Outside", matrices[1], background, "b", OUTSIDE_COLOUR)
    save_png(stem.with_name(f"{stem.name}_spectra.png"), spectra_picture([left, right]))


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
