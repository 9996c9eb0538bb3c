"""From a Jacobian to directions: principal space of a region, projected onto the null space of the
rest."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dnnlib.errors import InputError
from utils.method.low_rank import factorize
from utils.method.subspace import Subspace

NOISE = 1e-3  # a direction that keeps less of its norm in the projection is noise
ROUNDING = 1e-8  # a change outside that is smaller, relative to all of it, cannot be told from zero
LARGEST = 1e100  # of the sums of squares of what float32 holds
BLOCK_MEMORY = 1 << 26  # bytes of a Jacobian in float64 that are held at once


@dataclass(frozen=True)
class PredictedChange:
    """What a step of length 1 along each row is predicted to change: the root mean square over the
    pixels."""

    inside: np.ndarray  # [rank]: sqrt(v^T M_f v)
    outside: np.ndarray  # [rank]: sqrt(v^T M_b v)
    ratio: np.ndarray  # [rank]: inside over outside


@dataclass(frozen=True)
class Directions:
    """What a region's Jacobian gives. Rows of both arrays have length 1 and belong together."""

    principal: np.ndarray  # [rank, D]: the principal space of the foreground, best first
    projected: np.ndarray  # [rank, D]: their projections onto the null space of L_b, normalized
    norm_kept: np.ndarray  # [rank]: length of each projection before it was normalized
    principal_change: PredictedChange
    projected_change: PredictedChange
    foreground: Subspace
    background: Subspace
    null_space_dimension: int


def default_lamb(w_dim: int) -> float:
    """The published 60 for 512 dimensions, 12.6 for 64.

    The effect of lamb goes with sqrt(w_dim) / lamb, but networks of a narrow w are small ones, for
    which a stricter null space was better: docs/choosing.md has what was measured at 64.
    """
    return 60 * (w_dim / 512) ** 0.75


def rows_at_once(width: int, dimensions: int) -> int:
    """How many rows of pixels of a Jacobian fit into BLOCK_MEMORY, at least one."""
    return max(BLOCK_MEMORY // (8 * width * dimensions), 1)


def gram_matrices(jacobian: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """M_f and M_b: M = J^T J / n over the n rows of a Jacobian [H, W, 1, D] or [C, H, W, 1, D]
    inside a mask [H, W], and over those outside: float64 [2, D, D].

    Raises InputError if the mask is of another size, or empty, or covers all, or the rows hold NaN
    or infinity.
    """
    if jacobian.shape[-4:-2] != mask.shape:
        raise InputError(
            f"a mask of {mask.shape[0]} x {mask.shape[1]} pixels; expected {jacobian.shape[-4]} x "
            f"{jacobian.shape[-3]}, the size of the Jacobian"
        )
    at_once = rows_at_once(*jacobian.shape[-3::2])
    tops = range(0, len(mask), at_once)
    return gram_matrices_of_blocks(
        (
            (slice(top, top + at_once), channel[top : top + at_once, :, 0])
            for channel in jacobian.reshape(-1, *jacobian.shape[-4:])
            for top in tops
        ),
        mask,
    )


def gram_matrices_of_blocks(
    blocks: Iterable[tuple[slice, np.ndarray]], mask: np.ndarray
) -> np.ndarray:
    """The same of a Jacobian that comes in rows of pixels: which they are, and their part of it [h,
    W, D]."""
    if mask.all() or not mask.any():
        raise InputError(
            f"the mask has no pixel {'outside' if mask.any() else 'inside'}; expected some of "
            "both: choose another region"
        )
    totals: list[np.ndarray | float] = [0.0, 0.0]
    counts = [0, 0]
    for part, block in blocks:
        for side, inside in enumerate((mask[part], ~mask[part])):
            rows = block[inside].astype(np.float64)
            with np.errstate(
                all="ignore"
            ):  # what is not finite is an error below, not a warning before it
                totals[side] = totals[side] + rows.T @ rows
            counts[side] += len(rows)
    if not all(np.abs(total).max() < LARGEST for total in totals):  # NaN is not, either
        raise InputError(
            "the Jacobian holds NaN or infinity, or numbers beyond float32; expected finite "
            "numbers: compute it again"
        )
    return np.stack([total / count for total, count in zip(totals, counts, strict=True)])


def spectrum(matrix: np.ndarray) -> np.ndarray:
    """Singular values of a symmetric matrix [n, n], largest first."""
    return np.sort(abs(np.linalg.eigvalsh(matrix)))[::-1]


def region_directions(
    jacobian: np.ndarray, mask: np.ndarray, lamb: float, max_iter: int = 10000, num_relax: int = 0
) -> Directions:
    """Directions that change the image inside a mask [H, W] and not outside it (Zhu et al. 2021,
    sections 3.2 and 3.3).

    `jacobian` is that of one sample, [H, W, 1, D] or [C, H, W, 1, D]. A lower lamb gives higher
    ranks, hence a stricter null space; num_relax gives the null space that many dimensions back.
    With a foreground of rank 0 the arrays are empty. Raises InputError if the mask does not fit or
    the Jacobian is not finite.
    """
    matrices = gram_matrices(jacobian, mask)
    foreground, background = (factorize(matrix, lamb, max_iter) for matrix in matrices)
    return projected_directions(matrices[0], matrices[1], foreground, background, num_relax)


def projected_directions(
    inside: np.ndarray,
    outside: np.ndarray,
    foreground: Subspace,
    background: Subspace,
    num_relax: int = 0,
) -> Directions:
    """The principal space of the foreground, projected onto the null space of the background.

    `inside` and `outside` are the Gram matrices [D, D] that were factorized.
    """
    principal = foreground.principal
    first = min(max(1, background.rank - num_relax), len(background.vectors) - 1)
    null_space = background.vectors[first:]  # [., D]
    projected = principal @ null_space.T @ null_space
    norm_kept = np.linalg.norm(projected, axis=1)
    projected /= np.maximum(norm_kept, np.finfo(float).tiny)[:, None]
    return Directions(
        principal=principal,
        projected=projected,
        norm_kept=norm_kept,
        principal_change=predicted_change(principal, inside, outside),
        projected_change=predicted_change(projected, inside, outside),
        foreground=foreground,
        background=background,
        null_space_dimension=len(null_space),
    )


def predicted_change(
    directions: np.ndarray, inside: np.ndarray, outside: np.ndarray
) -> PredictedChange:
    """To first order, the change inside and outside of a step of 1 along each of K directions [K,
    D].

    `inside` and `outside` are the Gram matrices M_f and M_b [D, D].
    """
    inner, outer = (
        np.sqrt(np.maximum(np.einsum("kd,de,ke->k", directions, matrix, directions), 0))
        for matrix in (inside, outside)
    )
    rounding = max(ROUNDING * np.trace(outside) ** 0.5, np.finfo(np.float32).tiny)
    return PredictedChange(inner, outer, inner / np.maximum(outer, rounding))
