"""The demo network and its ready directions, against the drawn faces that are their ground
truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from demo import faces
from demo.find_directions import CHOICES
from dnnlib import load_generator
from utils.editing.walk import walk
from utils.regions.region import region_mask

ROOT = Path(__file__).resolve().parent.parent
DIRECTIONS = ROOT / "directions/demo128"


@pytest.fixture(scope="module")
def generator():
    return load_generator(ROOT / "demo/demo128.pkl")


def test_network_draws_the_face_of_each_z(generator):
    """Mean absolute error over fresh z is at most 0.035, images in [-1, 1]."""
    z = np.random.RandomState(2024).randn(48, faces.Z_DIM)
    images = np.clip(generator.synthesis(generator.mapping(z)), -1, 1)
    assert np.abs(images - faces.faces(z, 128)).mean() <= 0.035


def test_w_avg_is_the_mean_of_w(generator):
    """w_avg is the mean of the mapping over many z, within sampling error."""
    w = generator.mapping(np.random.RandomState(1).randn(4000, faces.Z_DIM))[:, 0]
    assert np.abs(w.mean(axis=0) - generator.w_avg).max() < 5 * w.std(axis=0).max() / np.sqrt(4000)


@pytest.mark.parametrize("name", [choice.name for choice in CHOICES])
def test_ready_direction_changes_its_region(generator, name):
    """At the distance of the table the region changes as much as it says there, the rest as
    little."""
    facts = json.loads((DIRECTIONS / f"{name}.json").read_text(encoding="utf-8"))
    direction = np.load(DIRECTIONS / f"{name}.npy")
    assert direction.shape == (1, generator.w_dim)
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-5)
    mask = region_mask(facts["region"], generator.resolution, generator.resolution)
    ws = generator.mapping(np.random.RandomState(31).randn(16, generator.z_dim))
    ends = walk(ws, direction[0], facts["layers"], facts["distance"] * np.array([-1, 1]))
    originals = generator.synthesis(ws).clip(-1, 1)
    change = np.mean(
        [abs(generator.synthesis(ends[:, k]).clip(-1, 1) - originals) for k in (0, 1)],
        axis=(0, 1, 4),
    )
    inside, outside = change[mask].mean(), change[~mask].mean()
    assert inside > 0.08
    assert inside / outside > 0.75 * facts["change_inside"] / facts["change_outside"]


def test_table_lists_the_files():
    """directions/README.md has a row for each direction of the folder."""
    table = (ROOT / "directions/README.md").read_text(encoding="utf-8")
    files = sorted(path.stem for path in DIRECTIONS.glob("*.npy"))
    assert files == sorted(choice.name for choice in CHOICES)
    assert all(f"](demo128/{name}.npy)" in table for name in files)
