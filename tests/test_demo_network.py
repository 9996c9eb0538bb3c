"""The demo networks and their ready directions, against the drawings that are their ground
truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from demo import faces, objects
from demo.find_directions import DEMOS, FACES, OBJECTS, fresh_region
from demo.initial_biggan import initial_biggan
from demo.torch_checkpoint import write_state_dict
from demo.train_objects import state_dict
from dnnlib import load_generator, read_network
from utils.editing.walk import walk

ROOT = Path(__file__).resolve().parent.parent
CASES = [(demo, choice) for demo in DEMOS for choice in demo.choices]


@pytest.fixture(scope="module")
def generators():
    return {demo: load_generator(ROOT / demo.network) for demo in DEMOS}


def test_network_draws_the_face_of_each_z(generators):
    """Mean absolute error over fresh z is at most 0.035, images in [-1, 1]."""
    generator, z = generators[FACES], np.random.RandomState(2024).randn(48, faces.Z_DIM)
    images = np.clip(generator.synthesis(generator.mapping(z)), -1, 1)
    assert np.abs(images - faces.faces(z, 128)).mean() <= 0.035


def test_network_draws_the_object_of_each_z(generators):
    """The same of the objects, for each class."""
    generator, z = generators[OBJECTS], np.random.RandomState(2024).randn(48, objects.Z_DIM)
    classes = np.arange(48) % len(objects.CLASSES)
    images = generator.synthesis(generator.mapping(z, np.eye(len(objects.CLASSES))[classes]))
    error = np.abs(images - objects.objects(z, classes, 64)).mean(axis=(1, 2, 3))
    assert max(error[classes == index].mean() for index in np.unique(classes)) <= 0.035


def test_classes_are_named(generators):
    """The file beside the network names the classes that are drawn."""
    generator = generators[OBJECTS]
    assert [generator.find_class(name) for name in objects.CLASSES] == list(range(6))


def test_w_avg_is_the_mean_of_w(generators):
    """w_avg is the mean of the mapping over many z, within sampling error."""
    generator = generators[FACES]
    w = generator.mapping(np.random.RandomState(1).randn(4000, faces.Z_DIM))[:, 0]
    assert np.abs(w.mean(axis=0) - generator.w_avg).max() < 5 * w.std(axis=0).max() / np.sqrt(4000)


@pytest.mark.parametrize(("demo", "choice"), CASES, ids=[choice.name for _, choice in CASES])
def test_ready_direction_changes_its_region(generators, demo, choice):
    """At the distance of the table the region changes as much as it says there, the rest as
    little."""
    generator, folder = generators[demo], ROOT / "directions" / demo.name
    facts = json.loads((folder / f"{choice.name}.json").read_text(encoding="utf-8"))
    direction = np.load(folder / f"{choice.name}.npy")
    assert direction.shape == (1, generator.edit_dim)
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-5)
    z = np.random.RandomState(31).randn(18, generator.z_dim)
    classes = np.arange(18) % max(demo.classes, 1)
    codes = generator.mapping(z, np.eye(max(demo.classes, 1))[classes][:, : demo.classes])
    ends = walk(codes, direction[0], facts["layers"], facts["distance"] * np.array([-1, 1]))
    originals = generator.synthesis(codes).clip(-1, 1)
    change = np.mean(
        [abs(generator.synthesis(ends[:, k]).clip(-1, 1) - originals) for k in (0, 1)],
        axis=(0, 4),
    )
    with fresh_region(choice, z, classes) as region:
        masks = np.stack([region.mask(i, *change.shape[1:]) for i in range(len(change))])
    inside, outside = change[masks].mean(), change[~masks].mean()
    assert inside > 0.8 * demo.change
    assert inside / outside > 0.7 * facts["change_inside"] / facts["change_outside"]


@pytest.mark.parametrize("demo", DEMOS, ids=[demo.name for demo in DEMOS])
def test_table_lists_the_files(demo):
    """directions/README.md has a row for each direction of the folder."""
    table = (ROOT / "directions/README.md").read_text(encoding="utf-8")
    files = sorted(path.stem for path in (ROOT / "directions" / demo.name).glob("*.npy"))
    assert files == sorted(choice.name for choice in demo.choices)
    assert all(f"]({demo.name}/{name}.npy)" in table for name in files)


def test_no_path_of_a_machine():
    """Masks that are recorded beside a ready direction are there wherever the repository is."""
    for path in (ROOT / "directions").rglob("*.json"):
        region = json.loads(path.read_text(encoding="utf-8"))["region_options"]
        mask = Path(region.get("mask", "demo/object_masks"))
        assert not mask.is_absolute()
        assert (ROOT / mask).exists()


def test_objects_of_other_classes():
    """Two directions of objects or more have a ratio of 4 in four classes or more, by the table."""
    table = (ROOT / "directions/README.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in table.splitlines() if "](objects64/" in line]
    ratios = np.array([row[-1 - len(objects.CLASSES) : -1] for row in rows], float)
    assert ((ratios >= 4).sum(axis=1) >= 4).sum() >= 2


def test_state_dict(tmp_path):
    """What is written as a state dict is read as the same network."""
    record = initial_biggan((32, 32, 16, 16), 2, 3, 4, 2, seed=1)
    random = np.random.RandomState(0)
    for name, array in record.arrays.items():
        record.arrays[name] = random.uniform(0.5, 1, array.shape).astype(np.float32)
    write_state_dict(state_dict(record), tmp_path / "net.pth")
    again = read_network(tmp_path / "net.pth")
    assert (again.variant, again.slots, again.epsilon) == (record.variant, record.slots, 1e-4)
    assert set(again.arrays) == set(record.arrays)
    for name, array in record.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)
