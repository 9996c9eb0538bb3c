"""Walking latent codes along directions."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from dnnlib.errors import InputError
from utils.regions.region import RegionSource

FARTHEST = 64.0  # where `distance_of_change` gives up


class Edit(NamedTuple):
    """A direction to walk along: where it came from, how far, and the region to measure."""

    file: str  # stem of its file
    row: int  # in that file
    direction: np.ndarray  # [D], or [L, D] with a vector for each layer
    distances: np.ndarray  # [S]
    region: RegionSource | None

    @property
    def name(self) -> str:
        return f"{self.file}, direction {self.row}"


def even_distances(first: float, last: float, steps: int) -> np.ndarray:
    """Steps of equal length from the first distance to the last; 0 is 0 exactly, whatever rounding
    made of it."""
    distances = np.linspace(first, last, steps)
    distances[np.abs(distances) < 1e-9 * np.abs(distances).max()] = 0
    return distances


def walk(
    ws: np.ndarray, direction: np.ndarray, layers: list[int], distances: np.ndarray
) -> np.ndarray:
    """w + a direction on `layers`, other layers untouched, for each distance a (Zhu et al. 2021,
    eq. 7).

    ws [N, L, D], direction [D] or [L, D], distances [S] -> [N, S, L, D]. Raises InputError for a
    layer that is not there.
    """
    if layers[-1] >= ws.shape[1]:
        raise InputError(
            f"--mani_layers asks for layer {layers[-1]}; expected 0 to {ws.shape[1] - 1} for this "
            "network"
        )
    edited = np.repeat(ws[:, None], len(distances), axis=1)
    vectors = np.broadcast_to(direction, ws.shape[1:])[layers]  # one a layer: [len(layers), D]
    with np.errstate(over="ignore"):  # what is too far is an error of the synthesis
        edited[:, :, layers] += (distances[:, None, None] * vectors).astype(ws.dtype)
    return edited


def edited_codes(ws: np.ndarray, edits: Iterable[Edit], layers: list[int]) -> Iterator[np.ndarray]:
    """First the originals ws [N, L, D], then for each of the K edits the S steps of each sample: K
    x N x S codes.

    They are made as they are asked for. Raises InputError for a layer that is not there.
    """
    yield from ws
    for edit in edits:
        for w in ws:
            yield from walk(w[None], edit.direction, layers, edit.distances)[0]


def in_batches(codes: Iterable[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Codes [L, D] stacked to [batch_size, L, D]; the last batch may be smaller."""
    batch: list[np.ndarray] = []
    for code in codes:
        batch.append(code)
        if len(batch) == batch_size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def distance_of_change(change: Callable[[float], float], target: float) -> float | None:
    """The first distance at which change(distance), which grows from 0, reaches the target within 2
    percent, rounded to three digits. None if it does not below FARTHEST.
    """
    low, low_change = 0.0, 0.0
    high, high_change = None, 0.0
    distance = 0.25
    for _ in range(40):
        value = change(distance)
        if abs(value - target) <= 0.02 * target or (high and high - low < 1e-3 * high):
            return float(f"{distance:.3g}")
        if value < target:
            low, low_change = distance, value
        else:
            high, high_change = distance, value
        if (
            high is None
        ):  # farther: where a straight line would reach the target, but by a factor of 1.2 to 4
            if low >= FARTHEST:
                return None
            factor = target / low_change if low_change else 4
            distance = min(low * min(max(factor, 1.2), 4), FARTHEST)
        else:  # between: where a straight line would, but not too close to either end
            part = (target - low_change) / (high_change - low_change)
            distance = low + min(max(part, 0.05), 0.95) * (high - low)
    return float(f"{distance:.3g}")
