"""Walking latent codes along directions."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dnnlib.errors import InputError
from utils.regions.region import RegionSource

FAR = 2.0  # times as far as random codes lie from their mean, an edit is doubted
FARTHEST = 64.0  # where `distance_of_change` gives up


@dataclass(frozen=True)
class Edit:
    """A direction to walk along: where it came from, how far, and the region to measure."""

    file: str  # stem of its file
    row: int  # in that file
    direction: np.ndarray  # [D], or [L, D] with a vector for each layer; [z_dim] in z
    distances: np.ndarray  # [S]
    region: RegionSource | None
    in_z: bool = False  # found in z of a network whose codes are w
    layers: tuple[int, ...] | None = None  # None: those of the walker
    finds_distance: bool = False  # measured by the region's change; the distances are not yet
    title: str = ""  # for people
    path: str = ""  # of its file

    @property
    def name(self) -> str:
        return f"{self.file}, direction {self.row}"

    @property
    def measured_region(self) -> RegionSource:
        """Raises InputError if there is none."""
        if self.region is None:
            raise InputError(
                f"{self.file} has no region beside it that can be measured; expected one: name it, "
                "such as --region eyes"
            )
        return self.region


class Place(NamedTuple):
    """What one image of an edit shows: a step of a sample along an edit, or the sample itself."""

    edit: int | None  # index of the edit, None for the original
    sample: int
    step: int


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

    ws [N, L, D + E], direction [D] or [L, D], distances [S] -> [N, S, L, D + E], of which the last
    E numbers do not move. Raises InputError for a layer that is not there.
    """
    expect_layers(layers, ws.shape[1])
    edited = np.repeat(ws[:, None], len(distances), axis=1)
    dimensions = direction.shape[-1]
    vectors = np.broadcast_to(direction, (ws.shape[1], dimensions))[layers]  # one a layer
    with np.errstate(over="ignore"):  # what is too far is an error of the synthesis
        edited[:, :, layers, :dimensions] += (distances[:, None, None] * vectors).astype(ws.dtype)
    return edited


def expect_layers(layers: list[int], num_layers: int) -> None:
    """Raise InputError for a layer that is not there."""
    if layers[-1] >= num_layers:
        raise InputError(
            f"layer {layers[-1]}; expected 0 to {num_layers - 1} for this network",
            option="mani_layers",
        )


def doubt_of_distance(edit: Edit, radius: float) -> str | None:
    """A line where an edit goes farther than twice the `radius`, in which the network saw codes
    around their mean; None if it does not, or its distance is not known yet."""
    if edit.finds_distance:
        return None
    norm = np.linalg.norm(edit.direction, axis=-1).max()
    farthest = float(np.abs(edit.distances).max() * norm)
    if farthest <= FAR * radius:
        return None
    return (
        f"{edit.name} moves codes by {farthest:.3g}, where random ones lie {radius:.3g} from their "
        "mean: no network was trained so far off; a smaller `distance` shows what it knows"
    )


@dataclass(frozen=True)
class Walker:
    """The latent codes of N samples [N, L, D], and how they are moved along directions.

    A direction in z moves the sample's z [N, z_dim], whose code then replaces the sample's on the
    chosen layers: `map_z(z [M, z_dim], sample)` is the mapping with the sample's label.
    """

    codes: np.ndarray
    layers: list[int]
    z: np.ndarray | None = None  # None where the codes are not made from z
    map_z: Callable[[np.ndarray, int], np.ndarray] | None = None  # -> [M, L, D]

    def steps(self, edit: Edit, sample: int, distances: np.ndarray) -> np.ndarray:
        """A sample at each distance along an edit: [S, L, D].

        Raises InputError for a layer that is not there, or a direction in z of codes without z.
        """
        code, layers = self.codes[sample], list(edit.layers or self.layers)
        if not edit.in_z:
            return walk(code[None], edit.direction, layers, distances)[0]
        expect_layers(layers, len(code))
        if self.z is None or self.map_z is None:
            raise InputError(
                f"{edit.name} was found in z, and the latent codes are of w; expected codes of z "
                "with it, or directions found in w"
            )
        edited = np.repeat(code[None], len(distances), axis=0)
        moved = self.z[sample] + distances[:, None] * edit.direction
        edited[:, layers] = self.map_z(moved, sample)[:, layers]
        return edited

    def first(self, count: int) -> "Walker":
        """The same of the first samples only."""
        return replace(self, codes=self.codes[:count])


def places(samples: int, edits: Sequence[Edit]) -> Iterator[Place]:
    """The order of all images: the originals, then for each edit the steps of each sample."""
    for sample in range(samples):
        yield Place(None, sample, 0)
    for number, edit in enumerate(edits):
        for sample in range(samples):
            for step in range(len(edit.distances)):
                yield Place(number, sample, step)


def edited_codes(walker: Walker, edits: Sequence[Edit]) -> Iterator[np.ndarray]:
    """The codes [L, D] in the order of `places`, made as they are asked for. Raises InputError as
    `Walker.steps` does."""
    yield from walker.codes
    for edit in edits:
        for sample in range(len(walker.codes)):
            yield from walker.steps(edit, sample, edit.distances)


def images_in_batches(
    synthesis: Callable[[np.ndarray], np.ndarray], codes: Iterable[np.ndarray], batch_size: int
) -> Iterator[np.ndarray]:
    """Images [batch_size, H, W, C] of codes [L, D], made as they are asked for; the last batch may
    be smaller.

    It is filled up before the synthesis, which each size of a batch would compile anew.
    """
    remaining = iter(codes)
    while batch := list(itertools.islice(remaining, batch_size)):
        filled = np.stack(batch + batch[-1:] * (batch_size - len(batch)))
        yield synthesis(filled)[: len(batch)]


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
