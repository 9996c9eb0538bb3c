"""From direction files to edits: the region that the JSON file beside them records."""

from pathlib import Path

import numpy as np
import pytest

from utils.editing.edits import DirectionFile
from utils.files.sidecar import DirectionFacts
from utils.regions.region import region_source


def square(path, row):
    """A mask [16, 16] with one square."""
    mask = np.zeros((16, 16), np.uint8)
    mask[row : row + 4, 3:7] = 255
    np.save(path, mask)


def beside(facts):
    """Directions with these facts in the JSON file beside them."""
    known = DirectionFacts.from_json(facts)
    return DirectionFile(Path("d.npy"), np.ones((1, 4)), known, "", None)


def facts_of(mask, sample, samples):
    """What compute_directions.py records of a mask."""
    region = region_source(mask=str(mask))
    group = range(samples) if sample == "pool" else range(sample, sample + 1)
    return {
        "region_options": region.facts,
        "region_sha256": region.digest(group, 8, 8),
        "region_size": [8, 8],
        "sample": sample,
        "samples": samples,
    }


@pytest.mark.parametrize(("sample", "samples"), [("pool", 2), (1, 1)])
def test_region_that_has_changed(capsys, tmp_path, sample, samples):
    """A mask that was edited since the directions were found is not measured, and that is said;
    where it cannot be told, as beside those of earlier versions, it is."""
    for number in range(2):
        square(tmp_path / f"{number}.npy", 3)
    facts = facts_of(tmp_path, sample, samples)
    assert beside(facts).region(2, (256, 256))
    assert capsys.readouterr().err == ""
    square(tmp_path / "1.npy", 9)
    assert beside(facts).region(2, (256, 256)) is None
    assert capsys.readouterr().err == (
        f"WARNING: the region recorded beside d.npy is not measured: {tmp_path} has changed since "
        "the directions were found: it covers other pixels; expected it as it was: name the region "
        "yourself\n"
    )
    assert beside({k: v for k, v in facts.items() if k != "region_size"}).region(2, (256, 256))


@pytest.mark.parametrize(
    "wrong",
    [
        {"region_size": 8},
        {"region_size": [8, 1 << 40]},
        {"region_size": [8.0, 8]},
        {"sample": -1},
        {"sample": None},
        {"samples": 10**12},
        {"region_sha256": 5},
    ],
)
def test_damaged_record(capsys, tmp_path, wrong):
    """What no version of the toolkit records is no region, and neither takes time nor memory."""
    square(tmp_path / "mask.npy", 3)
    assert beside(facts_of(tmp_path / "mask.npy", "pool", 2) | wrong).region(2, (256, 256)) is None
    assert f"cannot be used (its {next(iter(wrong))} is " in capsys.readouterr().err
