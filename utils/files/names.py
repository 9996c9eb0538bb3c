"""The names of all files that the three scripts write."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JacobianNames:
    """Of the files of compute_jacobian.py."""

    folder: Path
    d_name: str  # of the data set

    @classmethod
    def beside(cls, jaco_path: str | Path) -> "JacobianNames":
        """Those of the run that has written the Jacobian at `jaco_path`."""
        return cls(Path(jaco_path).parent, Path(jaco_path).stem.partition("_dataset_")[2])

    def jacobian(self, space: str) -> Path:
        return self.folder / f"{space}_dataset_{self.d_name}.npy"

    def facts(self, space: str) -> Path:
        return self.jacobian(space).with_suffix(".json")

    @property
    def unfinished_facts(self) -> Path:
        """What the remaining samples need, while a run lasts."""
        return self.jacobian("w").with_suffix(".npy.partial.json")

    def picture(self, sample: int) -> Path:
        return self.folder / f"syn_dataset_{self.d_name}_number_{sample:04d}.png"


@dataclass(frozen=True)
class DirectionNames:
    """Of the files of compute_directions.py, for one sample or a pool of them."""

    region: str
    name: str  # of the run
    pool: bool

    def stem(self, sample: int) -> str:
        """What the names of arrays, facts and spectra begin with."""
        number = "pool" if self.pool else f"{sample:02d}"
        return f"directions_img_{number}_region_{self.region}_{self.name}"

    def directions(self, sample: int, projected: bool) -> str:
        return f"{self.stem(sample)}{'_projected' if projected else ''}.npy"

    def facts(self, sample: int, projected: bool) -> str:
        return f"{self.stem(sample)}{'_projected' if projected else ''}.json"

    def spectra(self, sample: int) -> str:
        return f"{self.stem(sample)}_spectra.png"

    def region_picture(self, sample: int | None) -> str:
        """The region over the picture of a sample; None: a pattern for all of them."""
        number = "*" if sample is None else f"{sample:02d}"
        return f"region_img_{'pool_' if self.pool else ''}{number}_{self.region}_{self.name}.png"


@dataclass(frozen=True)
class ResultNames:
    """Of the files of manipulate.py; `file` is the name of a file of directions, `row` its row."""

    name: str  # of the run

    @property
    def page(self) -> str:
        return f"manipulate_results_{self.name}.html"

    @property
    def facts(self) -> str:
        return f"manipulate_results_{self.name}.json"

    @property
    def table(self) -> str:
        return f"manipulate_results_{self.name}.csv"

    def grid(self, file: str, row: int, samples: str = "") -> str:
        return self._of_direction(file, row, samples, "png")

    def heat_maps(self, file: str, row: int, samples: str = "") -> str:
        return self._of_direction(file, row, f"{samples}_change", "jpg")

    def facts_of_direction(self, file: str, row: int) -> str:
        return self._of_direction(file, row, "", "json")

    def animation(self, file: str, row: int, kind: str, sample: int | None = None) -> str:
        """Of one sample, or of all of them at once."""
        samples = "" if sample is None else f"_sample_{sample:06d}"
        return self._of_direction(file, row, samples, kind)

    def _of_direction(self, file: str, row: int, more: str, kind: str) -> str:
        return f"{file}_direction_{row:02d}{more}_{self.name}.{kind}"

    def contact_sheet(self, file: str) -> str:
        return f"{file}_contact_sheet_{self.name}.png"

    @property
    def contact_sheet_facts(self) -> str:
        return f"contact_sheet_{self.name}.json"

    @staticmethod
    def original(sample: int) -> str:
        return f"ori_{sample:06d}.png"

    @staticmethod
    def edited(sample: int, row: int, step: int) -> str:
        return f"mani_{sample:06d}_ind_{row:06d}_{step:06d}.png"


def spans(samples: int, length: int) -> Iterator[str]:
    """What tells the grids of many samples, so many in each, from one another."""
    for first in range(0, samples, length):
        yield span(first, min(first + length, samples) - 1)


def span(first: int, last: int) -> str:
    return f"_samples_{first:03d}-{last:03d}"
