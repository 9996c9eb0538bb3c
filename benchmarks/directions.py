"""Which directions keep the rest alone on faces they have not seen: writes the tables of
docs/choosing.md.

python benchmarks/directions.py                  about fifteen minutes on two cores; first
python compute_jacobian.py demo/demo128.pkl --d_name demo
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from demo.find_directions import CHANGE
from demo.find_directions import FACES as DEMO
from dnnlib import load_generator
from utils.editing.codes import random_codes
from utils.editing.strength import Effect, Probe
from utils.editing.walk import Edit, Walker
from utils.files.arrays import read_npy
from utils.files.writing import replacing
from utils.method.directions import (
    gram_matrices,
    predicted_change,
    projected_directions,
)
from utils.method.low_rank import factorize
from utils.method.resefa import resefa
from utils.regions.region import RegionSource, region_source

if TYPE_CHECKING:
    from dnnlib.generator import Generator

JACOBIAN = ROOT / "outputs/jacobian_seed_4/w_dataset_demo.npy"
DOCS = ROOT / "docs/choosing.md"
REGIONS = ("eyes", "mouth", "nose", "hair")
SEED, FEW, FACES = 2000, 12, 100  # few, the first of them, to find the distance
HIGH_LAMB, LOW_LAMB = 21, 12  # about what fits 512 dimensions, by their square root; a default's


class Measured(NamedTuple):
    """What the row of a method with the best predicted ratio does to fresh faces, at equal
    strength."""

    predicted: float  # ratio
    inside: float
    outside: float

    @property
    def ratio(self) -> float:
        return self.inside / self.outside


def candidates(inside: np.ndarray, outside: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each method's vectors [K, D] for a pair of Gram matrices [D, D]."""
    for lamb in (HIGH_LAMB, LOW_LAMB):
        found = projected_directions(
            inside, outside, factorize(inside, lamb), factorize(outside, lamb)
        )
        if lamb == HIGH_LAMB:
            principal_axes = np.linalg.eigh(inside)[1].T[::-1]
            yield "plain PCA of M_f", principal_axes[: found.foreground.rank]
            yield f"`lowrank`, principal, `--lamb {lamb}`", found.principal
        yield f"`lowrank`, projected, `--lamb {lamb}`", found.projected
    closed = resefa(inside, outside)
    yield "`resefa`", closed.principal
    found = projected_directions(inside, outside, closed, factorize(outside, LOW_LAMB))
    yield f"`resefa`, projected, `--lamb {LOW_LAMB}`", found.projected


class Judge:
    """Measures directions on fresh faces, all layers edited."""

    def __init__(self, generator: "Generator") -> None:
        ws = generator.mapping(random_codes(SEED, FACES, generator.z_dim))
        self.few, self.all = (
            Probe(
                generator.synthesis,
                generator.batch_size,
                Walker(codes, list(range(generator.num_layers))),
            )
            for codes in (ws[:FEW], ws)
        )

    def effect(self, direction: np.ndarray, region: RegionSource) -> Effect:
        """On all faces, at the distance that changes the inside by CHANGE on a few."""
        edit = Edit("", 0, direction, np.zeros(1), region)
        return self.all.effect(edit, self.few.effect_of_change(edit, CHANGE).distance)


def measure_all(jacobians: np.ndarray, judge: Judge) -> dict[tuple[str, str], list[Measured]]:
    """For each region and method, the samples in order and then their pool."""
    results = defaultdict(list)
    for region in REGIONS:
        source = region_source(region=region)
        mask = source.mask(0, *jacobians.shape[1:3])
        pairs = [gram_matrices(jacobian, mask) for jacobian in jacobians]
        for pair in [*pairs, np.mean(pairs, axis=0)]:
            for method, vectors in candidates(*pair):
                predicted = predicted_change(vectors, *pair).ratio
                best = int(np.argmax(predicted))
                effect = judge.effect(vectors[best], source)
                measured = Measured(predicted[best], effect.change_inside, effect.change_outside)
                results[region, method].append(measured)
                print(
                    f"{region:6} {method:34} row {best:2}  predicted {measured.predicted:5.1f}  "
                    f"inside {measured.inside:.3f}  outside {measured.outside:.4f}  "
                    f"{measured.ratio:5.1f}",
                    flush=True,
                )
    return results


def pool_table(results: dict[tuple[str, str], list[Measured]]) -> str:
    """Ratios on fresh faces: the samples by themselves against their pool."""
    lines = [
        "| region | method | five faces, one by one: worst, mean, best | their pool |",
        "|---|---|---|---|",
    ]
    for (region, method), (*single, pool) in results.items():
        if method in (
            "`resefa`",
            "`lowrank`, projected",
            f"`lowrank`, projected, `--lamb {LOW_LAMB}`",
        ):
            ratios = [measured.ratio for measured in single]
            lines.append(
                f"| {region} | {method} | {min(ratios):.1f}, {np.mean(ratios):.1f}, "
                f"{max(ratios):.1f} | {pool.ratio:.1f} |"
            )
    return "\n".join(lines) + "\n"


def method_table(results: dict[tuple[str, str], list[Measured]]) -> str:
    """Change inside and outside, the mean over the five faces' directions."""
    lines = [f"| method | {' | '.join(REGIONS)} |", "|---|" + "---|" * len(REGIONS)]
    for method in dict.fromkeys(method for _, method in results):
        cells = []
        for region in REGIONS:
            inside, outside = (
                np.mean([getattr(measured, place) for measured in results[region, method][:-1]])
                for place in ("inside", "outside")
            )
            cells.append(f"{inside:.3f}, {outside:.4f}")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table(marker: str, table: str) -> None:
    """Put a table between the markers of the docs."""
    before, rest = DOCS.read_text(encoding="utf-8").split(f"<!-- {marker} -->\n")
    with replacing(DOCS) as partial:
        partial.write_text(
            f"{before}<!-- {marker} -->\n{table}<!-- end -->" + rest.split("<!-- end -->", 1)[1],
            encoding="utf-8",
        )


def main() -> None:
    jacobians = read_npy(JACOBIAN, "the Jacobian of the demo")
    results = measure_all(jacobians, Judge(load_generator(ROOT / DEMO.network)))
    for marker, table in (("pool", pool_table(results)), ("methods", method_table(results))):
        print(table)
        write_table(marker, table)


if __name__ == "__main__":
    main()
