"""A few faces to measure directions on: how strong an edit must be, and a contact sheet to choose
from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from utils.editing.measure import OUTLINE, Change, absolute_change, measure, outline
from utils.editing.walk import FARTHEST, Edit, distance_of_change, in_batches, walk
from utils.pictures.images import contact_sheet, save_png, to_picture
from utils.regions.region import RegionSource


class Effect(NamedTuple):
    """A direction at minus and plus a distance."""

    distance: float
    reached: bool  # whether the change inside is the one that was asked for
    change_inside: float
    change_outside: float
    pictures: np.ndarray  # uint8 [N, 2, H, W, 3]

    @property
    def ratio(self) -> float:
        return self.change_inside / self.change_outside if self.change_outside else float("inf")


class Probe:
    """Measures directions on the codes ws [N, L, D], as pictures of at most 256 pixels a side."""

    def __init__(
        self,
        synthesis: Callable[[np.ndarray], np.ndarray],
        batch_size: int,
        ws: np.ndarray,
        layers: list[int],
    ) -> None:
        self.synthesis, self.batch_size, self.ws, self.layers = synthesis, batch_size, ws, layers
        self.originals = self._pictures(ws)

    def _pictures(self, codes: np.ndarray) -> np.ndarray:
        """Codes [M, L, D] -> uint8 [M, H, W, 3]."""
        return np.stack(
            [
                to_picture(image)
                for batch in in_batches(codes, self.batch_size)
                for image in self.synthesis(batch)
            ]
        )

    def effect(
        self, direction: np.ndarray, distance: float, region: RegionSource, reached: bool = True
    ) -> Effect:
        """What the direction [D] changes at minus and plus the distance: means over the samples and
        both signs."""
        edited = walk(
            self.ws, direction, self.layers, np.array([-distance, distance])
        )  # [N, 2, L, D]
        pictures = self._pictures(edited.reshape(-1, *self.ws.shape[1:]))
        pictures = pictures.reshape(len(self.ws), 2, *pictures.shape[1:])
        changes = [
            measure(absolute_change(pair, original), region.mask(sample, *original.shape[:2]))
            for sample, (pair, original) in enumerate(zip(pictures, self.originals, strict=True))
        ]
        mean = Change(*(float(np.mean(values)) for values in zip(*changes, strict=True)))
        return Effect(distance, reached, mean.change_inside, mean.change_outside, pictures)

    def effect_of_change(
        self, direction: np.ndarray, change_inside: float, region: RegionSource
    ) -> Effect:
        """The same at the distance at which the mean absolute change inside is the one asked
        for."""
        distance = distance_of_change(
            lambda d: self.effect(direction, d, region).change_inside, change_inside
        )
        return self.effect(direction, distance or FARTHEST, region, reached=distance is not None)


def save_contact_sheet(
    path: Path, originals: np.ndarray, effects: Sequence[tuple[Edit, Effect]]
) -> list[dict[str, Any]]:
    """The sheet of a file: its rows on each original, with the region's outline on the originals.
    Returns numbers."""
    originals = originals.copy()
    for sample, original in enumerate(originals):
        original[outline(effects[0][0].region.mask(sample, *original.shape[:2]))] = OUTLINE
    words = [
        [
            f"row {edit.row}",
            f"ratio {effect.ratio:.3g}",
            f"inside {effect.change_inside:.3f}",
            f"outside {effect.change_outside:.4f}",
            f"at ±{effect.distance:g}",
        ]
        for edit, effect in effects
    ]
    save_png(path, contact_sheet(originals, [effect.pictures for _, effect in effects], words))
    return [
        {
            "file": edit.file,
            "row": edit.row,
            "region": edit.region.name,
            "distance": effect.distance,
            "reached": effect.reached,
            "change_inside": effect.change_inside,
            "change_outside": effect.change_outside,
            "ratio": effect.ratio if np.isfinite(effect.ratio) else None,
        }
        for edit, effect in effects
    ]
