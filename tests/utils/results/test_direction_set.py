"""What compute_directions.py prints and saves, without the script."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from utils.cli.options import DirectionsOptions, add_directions_options
from utils.cli.parser import Parser
from utils.method.directions import Directions, projected_directions
from utils.method.low_rank import factorize
from utils.method.resefa import resefa
from utils.pictures.images import region_picture
from utils.regions.region import region_source
from utils.results.direction_set import numbers_of, plan_sets, report, save_region_picture


def random_gram(seed, n=12, rank=4):
    rows = np.random.Generator(np.random.PCG64(seed)).standard_normal((rank, n))
    return rows.T @ rows / rank


MATRICES = np.stack([random_gram(0), random_gram(1)])


def found(method: str) -> Directions:
    """Directions of the two matrices."""
    foreground = resefa(*MATRICES) if method == "resefa" else factorize(MATRICES[0], 4)
    return projected_directions(*MATRICES, foreground, factorize(MATRICES[1], 4))


@pytest.mark.parametrize("method", ["lowrank", "resefa"])
def test_report_has_a_line_a_row(method):
    """Rank and steps of both factorizations, heads, then one line a vector with the number that
    --start takes."""
    directions = found(method)
    lines = report(directions).splitlines()
    assert f"rank {directions.foreground.rank} of 12" in lines[0]
    assert (
        f"rank {directions.background.rank} of 12, {directions.background.stats['steps']} steps"
        in lines[1]
    )
    assert lines[3].split()[0] == "--start"
    assert [int(line.split()[0]) for line in lines[4:]] == list(range(directions.foreground.rank))
    assert len({len(line) for line in lines[3:]}) == 1


@pytest.mark.parametrize("method", ["lowrank", "resefa"])
def test_files(tmp_path, method):
    """Two arrays with a JSON each, whose lists have an entry a row, and the pictures of the spectra
    and of the region."""
    directions, jacobian = found(method), tmp_path / "w_dataset_x.npy"
    jacobian.write_bytes(b"")
    parser = Parser("", "")
    add_directions_options(parser)
    arguments = parser.parse_args([str(jacobian), "--name", "n_8", "--method", method])
    options = DirectionsOptions.from_arguments(arguments, 12)
    (planned,) = plan_sets(options, region_source(region="eyes"), range(3, 4), (8, 8))
    planned.save(tmp_path, directions, MATRICES)
    stem = "directions_img_03_region_eyes_n_8"
    assert {path.name for path in tmp_path.iterdir()} == {
        jacobian.name,
        "region_img_03_eyes_n_8.png",
        *(
            f"{stem}{suffix}"
            for suffix in (".json", ".npy", "_projected.json", "_projected.npy", "_spectra.png")
        ),
    }
    for suffix, rows in (("", directions.principal), ("_projected", directions.projected)):
        np.testing.assert_allclose(np.load(tmp_path / f"{stem}{suffix}.npy"), rows, atol=1e-7)
        facts = json.loads((tmp_path / f"{stem}{suffix}.json").read_text())
        assert facts["projected"] == bool(suffix)
        assert numbers_of(directions).items() <= facts.items()
        columns = [
            facts["norm_kept"],
            facts["noise"],
            *facts["before_projection"].values(),
            *facts["after_projection"].values(),
        ]
        assert {len(column) for column in columns} == {len(rows)}


def test_region_picture(tmp_path):
    """The region is drawn over the picture that step 1 has written; a damaged one, or a pipe, is no
    reason to stop."""
    picture = np.random.RandomState(0).randint(0, 256, (128, 128, 3), np.uint8)
    mask = np.eye(64, dtype=bool)
    path, source = tmp_path / "out.png", tmp_path / "syn_dataset_my_name_number_0012.png"
    Image.fromarray(picture).save(source)
    assert save_region_picture(path, source, mask) is None
    expected = region_picture(picture, mask.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    source.write_bytes(source.read_bytes()[:300])
    assert "plain ground" in save_region_picture(path, source, mask)
    assert len(np.unique(np.asarray(Image.open(path)).reshape(-1, 3), axis=0)) <= 5
    if hasattr(os, "mkfifo"):
        source.unlink()
        os.mkfifo(source)
        assert "plain ground" in save_region_picture(path, source, mask)
