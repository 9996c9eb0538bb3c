"""What compute_directions.py leaves behind: directions with their numbers, pictures of spectra and
of the region."""

from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.errors import InputError
from utils.files import arrays as files
from utils.method.directions import NOISE, Change, Directions, spectrum
from utils.method.low_rank import LowRank
from utils.method.resefa import LEAST_EIGENVALUE, TAU, Resefa
from utils.pictures.images import on_paper, region_picture, save_png
from utils.pictures.plots import Spectrum, spectra_picture
from utils.regions import masks as mask_files

INSIDE_COLOUR, OUTSIDE_COLOUR = "#0b7a75", "#c8553d"
PLAIN = 160  # grey of the ground without a picture


def report(directions: Directions) -> str:
    """The lines that a user reads: how the factorizations went, and the numbers of each vector, in
    the file's order."""
    foreground, background = directions.foreground, directions.background
    lines = [
        f"  foreground: {_solver_line(foreground)}",
        f"  background: {_solver_line(background)}",
    ]
    if not foreground.rank:
        return "\n".join(
            [*lines, "  WARNING: rank 0, no directions: skipped; lower --lamb to get some"]
        )
    value = "eigenvalue" if isinstance(foreground, Resefa) else "singular value"
    heads = [
        "--start",
        value,
        "inside",
        "outside",
        "ratio",
        "norm kept",
        "inside",
        "outside",
        "ratio",
    ]
    widths = [9, 16, 9, 9, 7, 12, 9, 9, 7]
    lines.append(f"{'principal'.center(25):>50}{'projected'.center(37):>37}".rstrip())
    lines.append(_table_line(heads, widths))
    before, after = directions.principal_change, directions.projected_change
    for row, kept in enumerate(directions.norm_kept):
        numbers = [
            _values(foreground)[row],
            before.inside[row],
            before.outside[row],
            before.ratio[row],
            kept,
            after.inside[row],
            after.outside[row],
            after.ratio[row],
        ]
        formats = (".4g", ".3g", ".3g", ".1f", ".3f", ".3g", ".3g", ".1f")
        cells = [
            str(row),
            *(format(number, form) for number, form in zip(numbers, formats, strict=True)),
        ]
        noise = "  WARNING: noise, hardly anything is left of it" if kept < NOISE else ""
        lines.append(_table_line(cells, widths) + noise)
    return "\n".join(lines)


def _table_line(cells: list[str], widths: list[int]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _values(foreground: LowRank | Resefa) -> np.ndarray:
    """The numbers that rank the vectors, largest first."""
    return foreground.eigenvalues if isinstance(foreground, Resefa) else foreground.singular_values


def _solver_line(result: LowRank | Resefa) -> str:
    of = f"rank {result.rank} of {len(result.vectors)}"
    if isinstance(result, Resefa):
        return f"{of}, in closed form: eigenvalues of {LEAST_EIGENVALUE:g} or more"
    return (
        f"{of}, {result.steps} steps, residuals {result.primal_residual:.0e} primal, "
        f"{result.dual_residual:.0e} dual, error at most {result.error_bound:.0e}"
        + ("" if result.converged else "; WARNING: not converged, raise --max_iter")
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


def _solver_facts(result: LowRank | Resefa) -> dict[str, Any]:
    if isinstance(result, Resefa):
        return {
            "rank": result.rank,
            "tau": TAU,
            "least_eigenvalue": LEAST_EIGENVALUE,
            "converged": result.converged,
            "eigenvalues": result.eigenvalues[: result.rank].tolist(),
        }
    return {
        "rank": result.rank,
        "steps": result.steps,
        "primal_residual": result.primal_residual,
        "dual_residual": result.dual_residual,
        "error_bound": result.error_bound,
        "rotation_bound": result.rotation_bound,
        "converged": result.converged,
        "singular_values": result.singular_values[: result.rank].tolist(),
    }


def _change_facts(change: Change) -> dict[str, list[float]]:
    return {
        "inside": change.inside.tolist(),
        "outside": change.outside.tolist(),
        "ratio": change.ratio.tolist(),
    }


def save(stem: Path, directions: Directions, matrices: np.ndarray, facts: dict[str, Any]) -> None:
    """`stem`.npy and `stem`_projected.npy, a JSON file beside each, and `stem`_spectra.png.

    `matrices` are the Gram matrices inside and outside, [2, D, D].
    """
    for suffix, rows in (("", directions.principal), ("_projected", directions.projected)):
        path = stem.with_name(f"{stem.name}{suffix}.npy")
        # The facts first: whatever the moment at which a run is killed, its array is known as its
        # own.
        files.write_json(
            path.with_suffix(".json"), facts | facts_of(directions) | {"projected": bool(suffix)}
        )
        files.write_npy(path, rows.astype("float32"))
    foreground, background = directions.foreground, directions.background
    if isinstance(foreground, Resefa):
        left = Spectrum(
            "Inside over outside",
            np.maximum(foreground.eigenvalues, 0),
            np.empty(0),
            foreground.rank,
            ("eigenvalues of M_f against M_b", ""),
            INSIDE_COLOUR,
        )
    else:
        left = _spectrum("Inside the region", matrices[0], foreground, "f", INSIDE_COLOUR)
    right = _spectrum("Outside", matrices[1], background, "b", OUTSIDE_COLOUR)
    save_png(stem.with_name(f"{stem.name}_spectra.png"), spectra_picture([left, right]))


def _spectrum(title: str, matrix: np.ndarray, result: LowRank, index: str, colour: str) -> Spectrum:
    legend = f"singular values of M_{index}", f"of its low-rank part L_{index}"
    return Spectrum(
        title, spectrum(matrix), result.singular_values[: result.rank], result.rank, legend, colour
    )


def save_region_picture(path: Path, jaco_path: Path, sample: int, mask: np.ndarray) -> str | None:
    """The region laid over the picture of a sample, which step 1 has written beside the Jacobian.

    Without that picture, over a plain ground, and the line that says so is returned.
    """
    data_name = jaco_path.stem.partition("_dataset_")[2]
    source = jaco_path.with_name(f"syn_dataset_{data_name}_number_{sample:04d}.png")
    note = None
    try:
        picture = on_paper(
            np.asarray(mask_files.read_png(source, "the picture of a sample").convert("RGBA"))
        )
    except (InputError, OSError):
        picture = np.full((*mask.shape, 3), PLAIN, np.uint8)
        note = f"no picture {source}: the region is drawn on a plain ground, in {path}"
    save_png(path, region_picture(picture, mask_files.resize(mask, *picture.shape[:2])))
    return note
