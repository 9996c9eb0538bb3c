"""A few samples to measure edits on: how strong an edit must be for a change that can be seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dnnlib.progress import ProgressBar
from utils.cli.parser import warn
from utils.editing.measure import absolute_change, measure
from utils.editing.walk import (
    FARTHEST,
    Edit,
    Walker,
    distance_of_change,
    even_distances,
    images_in_batches,
)
from utils.pictures.images import to_picture

PROBES = 4  # samples that the strength of edits is measured on
IMAGES_TRIED = 12  # about as many for each of them and each edit


class Effect(NamedTuple):
    """What an edit changes at minus and plus a distance."""

    distance: float
    reached: bool  # whether the change inside is the one that was asked for
    change_inside: float
    change_outside: float
    pictures: np.ndarray  # uint8 [N, 2, H, W, 3]

    @property
    def ratio(self) -> float:
        return self.change_inside / self.change_outside if self.change_outside else float("inf")


class Probe:
    """Measures edits on a few samples, as pictures of at most 256 pixels a side."""

    def __init__(
        self, synthesis: Callable[[np.ndarray], np.ndarray], batch_size: int, walker: Walker
    ) -> None:
        self.synthesis, self.batch_size, self.walker = synthesis, batch_size, walker
        self.originals = self._pictures(walker.codes)

    def _pictures(self, codes: Iterable[np.ndarray]) -> np.ndarray:
        """Codes [L, D] -> uint8 [M, H, W, 3]."""
        return np.stack(
            [
                to_picture(image)
                for images in images_in_batches(self.synthesis, codes, self.batch_size)
                for image in images
            ]
        )

    def effect(self, edit: Edit, distance: float, reached: bool = True) -> Effect:
        """What the edit changes at minus and plus the distance: means over the samples and both
        signs.

        Raises InputError if it has no region.
        """
        region, samples = edit.measured_region, range(len(self.originals))
        both = np.array([-distance, distance])
        codes = (code for sample in samples for code in self.walker.steps(edit, sample, both))
        pictures = self._pictures(codes).reshape(len(samples), 2, *self.originals.shape[1:])
        changes = [
            measure(absolute_change(pair, original), region.mask(sample, *original.shape[:2]))
            for sample, (pair, original) in enumerate(zip(pictures, self.originals, strict=True))
        ]
        inside = float(np.mean([change.change_inside for change in changes]))
        outside = float(np.mean([change.change_outside for change in changes]))
        return Effect(distance, reached, inside, outside, pictures)

    def effect_of_change(self, edit: Edit, change_inside: float) -> Effect:
        """The same at the distance at which the mean absolute change inside is the one asked
        for."""
        distance = distance_of_change(lambda d: self.effect(edit, d).change_inside, change_inside)
        return self.effect(edit, distance or FARTHEST, reached=distance is not None)


def measure_strengths(
    probe: Probe, edits: Sequence[Edit], change: float
) -> Iterator[tuple[Edit, Effect]]:
    """Each edit with its effect at the distance at which it changes its region by `change`."""
    for edit in ProgressBar(list(edits), desc="finding distances", unit="direction", leave=False):
        effect = probe.effect_of_change(edit, change)
        if not effect.reached:
            warn(
                f"{edit.name} changes {edit.measured_region.name} by {effect.change_inside:.2g} at "
                f"a distance of {effect.distance:g}, not by {change:g}: lower --change, or edit "
                "other layers"
            )
        yield edit, effect


def with_strength(edit: Edit, effect: Effect) -> Edit:
    """The edit from minus to plus the distance of its effect, in as many steps."""
    far = effect.distance
    distances = even_distances(-far, far, len(edit.distances))
    return replace(edit, distances=distances, finds_distance=False)
