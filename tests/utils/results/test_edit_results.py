"""What manipulate.py leaves behind."""

import csv
import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils.editing.measure import MeasuredChange
from utils.editing.walk import Edit
from utils.files.locks import InUseError
from utils.files.sidecar import ResultFacts
from utils.regions.region import region_source
from utils.results.edit_results import (
    EditResults,
    Subject,
    claim_results_folder,
    head_of,
    result_names,
    summary,
)

RECORD = "manipulate_results_lowrankgan.json"
FACTS = ResultFacts(
    command=["python", "x"],
    options={"start": 0, "end": 1},
    versions={"python": "3"},
    seed=4,
    network_sha256="n",
    directions_sha256="d",
    latents_sha256=None,
    regions_sha256=[],
    names=None,
)
JSON = FACTS.to_json()
OTHERS = {
    "network": {**JSON, "network_sha256": "m"},
    "directions": {**JSON, "directions_sha256": "e"},
    "region": {**JSON, "regions_sha256": ["r"]},
    "codes": {**JSON, "latents_sha256": "c"},
    "row": {**JSON, "options": {"start": 1, "end": 1}},
    "faces": {**JSON, "options": {"start": 0, "end": 1, "n": 3}},
    "unreadable": "{",
}


def leave_results(folder, facts, name="lowrankgan"):
    """The folder looks as if manipulate.py had written there."""
    folder.mkdir(parents=True)
    content = facts if isinstance(facts, str) else json.dumps(facts)
    (folder / f"manipulate_results_{name}.json").write_text(content)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("output_dir", [None, "mine"])
def test_other_results_are_kept(tmp_path, monkeypatch, capsys, output_dir, other):
    """A folder gets a number after its name as long as it holds results of something else, and that
    is said."""
    monkeypatch.chdir(tmp_path)
    places = [
        Path(f"{output_dir or 'outputs/manipulations/eyes'}{number}") for number in ("", "_2", "_3")
    ]

    def claim():
        with claim_results_folder(output_dir, ["some/where/eyes.npy"], RECORD, FACTS) as folder:
            return folder

    assert claim() == places[0]
    leave_results(places[0], other)
    assert claim() == places[1]
    leave_results(places[1], other)
    assert claim() == places[2]
    assert (
        f"{places[0]} holds results of other options: writing to {places[2]}"
        in capsys.readouterr().out
    )
    leave_results(
        places[2], JSON | {"options": {**FACTS.options, "output_dir": "elsewhere"}, "rows": 7}
    )
    assert claim() == places[2]


@pytest.mark.parametrize("name", ["ori_000000.png", "eyes_direction_04_sample_000000_n.webp"])
def test_files_without_a_record_of_their_own_are_kept(tmp_path, monkeypatch, name):
    """Files of a run under another --name, which this one would write too, are not overwritten."""
    monkeypatch.chdir(tmp_path)
    names = list(result_names(edits(), 2, "n", raw=True, animation="webp"))
    assert name in names
    Path("mine").mkdir()
    Path("mine", name).write_text("")
    with claim_results_folder("mine", ["eyes.npy"], RECORD, FACTS, names) as folder:
        assert folder == Path("mine_2")


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("animation", ["gif", None])
@pytest.mark.parametrize("files", [("eyes",), ("eyes", "mouth")])
def test_result_names(tmp_path, raw, animation, files):
    """What is written has the names that were announced, but for the page's and its numbers'."""
    walked = [edit for file in files for edit in edits(file=file, region="eyes")]
    with results_in(tmp_path, walked, raw=raw, animation=animation) as results:
        for value in range(2 + 2 * 3 * len(walked)):
            results.add(image(value))
    there = {path.name for path in tmp_path.iterdir()} - {
        f"manipulate_results_n.{kind}" for kind in ("html", "json", "csv")
    }
    announced = set(result_names(walked, 2, "n", raw, animation))
    assert {re.sub(r"_00000[12]\.png", "_000000.png", name) for name in there} <= announced


def test_two_runs_do_not_share_a_folder(tmp_path, monkeypatch):
    """While one run holds the default folder, the next takes another; a folder that the user names
    is refused."""
    monkeypatch.chdir(tmp_path)
    with claim_results_folder(None, ["eyes.npy"], RECORD, FACTS) as first:
        with claim_results_folder(None, ["eyes.npy"], RECORD, FACTS) as second:
            assert (first.name, second.name) == ("eyes", "eyes_2")
        with (
            pytest.raises(InUseError, match=f"process {os.getpid()} on "),
            claim_results_folder(str(first), ["eyes.npy"], RECORD, FACTS),
        ):
            pass
    assert not list(tmp_path.rglob("eyes*"))  # nothing was written


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["nose.npy", "a.npy", "b.npy"], "nose_and_2_more"),
        (["...npy"], "npy"),
        ([".npy"], "npy"),
        (["a\x1b[2Jb.npy"], "a_[2Jb"),
        (["x" * 300 + ".npy"], "x" * 91 + "~" + "x" * 8),
    ],
)
def test_name_of_the_folder(tmp_path, monkeypatch, paths, name):
    """The folder is named by the first file, and stays where it belongs, whatever that is
    called."""
    monkeypatch.chdir(tmp_path)
    with claim_results_folder(None, paths, RECORD, FACTS) as folder:
        assert folder == Path("outputs/manipulations") / name


def results_in(folder, edits, samples=2, raw=False, animation=None):
    """The results of some edits of the facts above."""
    subject = Subject("model", "random, seed 4", "w + distance × direction")
    return EditResults(folder, edits, samples, "n", FACTS, subject, raw, animation)


def edits(distances=(-4.0, 0.0, 4.0), rows=(4, 5), file="eyes", region=None):
    region = region and region_source(region=region)
    return [Edit(file, row, np.zeros(8), np.array(distances), region) for row in rows]


def picture(value, size=16):
    return np.full((size, size, 3), value, np.uint8)


def image(value, size=16):
    """A batch of one image that is saved as picture(value)."""
    return picture(value, size)[None] / np.float32(127.5) - 1


@pytest.mark.parametrize("save_raw", [True, False])
def test_files_and_order(tmp_path, save_raw):
    """Images in the order of edited_codes land in raw files, grids and rows under their sample,
    direction and step."""
    with results_in(tmp_path, edits(), raw=save_raw) as results:
        for value in range(2 + 2 * 2 * 3):
            results.add(image(value * 10))
    raw = {f"ori_{row:06d}.png": row * 10 for row in range(2)}
    raw |= {
        f"mani_{row:06d}_ind_{direction:06d}_{step:06d}.png": 10
        * (2 + 6 * (direction - 4) + 3 * row + step)
        for direction in (4, 5)
        for row in range(2)
        for step in range(3)
    }
    other = {
        "eyes_direction_04_n.png",
        "eyes_direction_05_n.png",
        "eyes_direction_04_n.json",
        "eyes_direction_05_n.json",
        "manipulate_results_n.html",
        "manipulate_results_n.json",
    }
    assert {path.name for path in tmp_path.iterdir()} == other | (set(raw) if save_raw else set())
    for name, value in raw.items() if save_raw else ():
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / name)), picture(value), err_msg=name
        )
    grid = np.asarray(Image.open(tmp_path / "eyes_direction_05_n.png"))
    assert [
        [grid[30 + 20 * row + 8, 4 + 20 * column + 8, 0] for column in range(4)] for row in range(2)
    ] == [[0, 80, 90, 100], [10, 110, 120, 130]]
    rows = [{"file": "eyes", "row": row, "distances": [-4.0, 0.0, 4.0]} for row in (4, 5)]
    assert json.loads((tmp_path / "manipulate_results_n.json").read_text()) == JSON | {
        "rows": 4,
        "complete": True,
        "directions": rows,
    }
    page = (tmp_path / "manipulate_results_n.html").read_text(encoding="utf-8")
    for words in (
        "eyes, direction 4",
        "eyes, direction 5",
        '"sample":1',
        "-4",
        "+4",
        "eyes on model",
        "2 samples",
        "random, seed 4",
    ):
        assert words in page


def test_interrupted_again(tmp_path):
    """A run that repeats a complete one and is interrupted before its first row leaves that one's
    record."""
    with results_in(tmp_path, edits(), raw=True) as results:
        for value in range(2 + 2 * 2 * 3):
            results.add(image(value))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt), results_in(tmp_path, edits()) as results:
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_interrupted(tmp_path):
    """An interruption keeps the finished rows on the page, and no half row."""
    with (
        pytest.raises(KeyboardInterrupt),
        results_in(tmp_path, edits()) as results,
    ):
        for value in range(2 + 3 + 2):
            results.add(image(value))
        raise KeyboardInterrupt
    page = (tmp_path / "manipulate_results_n.html").read_text(encoding="utf-8")
    assert '"direction":"eyes, direction 4","sample":0' in page
    assert '"sample":1' not in page
    assert not list(tmp_path.glob("*.png"))


def test_many_samples_fill_several_grids(tmp_path, capsys):
    """A grid has 20 samples at the most: no picture grows beyond what can be opened, and its name
    says whose it is."""
    with results_in(tmp_path, edits([1.0], [4]), 45) as results:
        for value in range(2 * 45):
            results.add(image(value))
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [
        f"eyes_direction_04_samples_{part}_n.png" for part in ("000-019", "020-039", "040-044")
    ]
    assert [Image.open(tmp_path / name).size[1] for name in names] == [
        30 + 20 * rows for rows in (20, 20, 5)
    ]
    last = np.asarray(Image.open(tmp_path / names[2]))
    assert [last[30 + 20 * row + 8, 4 + 20 + 8, 0] for row in range(5)] == list(
        range(45 + 40, 45 + 45)
    )
    assert "eyes_direction_04_samples_*_n.png" in capsys.readouterr().out


def test_large_images_are_averaged_down(tmp_path):
    """Pictures of the page and the grids have at most 256 pixels, raw files all of them."""
    with results_in(tmp_path, edits([1.0], [4]), 1, raw=True) as results:
        results.add(image(0, 512))
        results.add(image(255, 512))
    assert Image.open(tmp_path / "ori_000000.png").size == (512, 512)
    assert Image.open(tmp_path / "eyes_direction_04_n.png").size == (4 + 2 * 260, 30 + 260)


def test_errors_of_the_writer_surface(tmp_path, monkeypatch):
    """What goes wrong while pictures are written, in a thread of its own, ends the run with its
    error."""

    def full_disk(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("utils.results.edit_results.save_png", full_disk)
    with (
        pytest.raises(OSError, match="no space"),
        results_in(tmp_path, edits(), raw=True) as results,
    ):
        results.add(image(0))


@pytest.mark.parametrize(
    ("distance", "head"), [(-4.0, "-4"), (0.0, "0"), (1.25, "+1.25"), (1e-3, "+0.001")]
)
def test_heads(distance, head):
    """Columns are headed by the signed distance."""
    assert head_of(distance) == head


def test_measured(tmp_path):
    """With a region, CSV, JSON and page hold what was changed inside and outside, and the ratio at
    the ends."""
    with results_in(tmp_path, edits(rows=[0], region="eyes"), 1) as results:
        box = region_source(region="eyes").mask(0, 64, 64)
        for inside, outside in (
            (0, 0),
            (0.2, 0.01),
            (0, 0),
            (0.4, 0.02),
        ):  # the original and three steps
            results.add((np.where(box, inside, outside) - 0.5)[None, ..., None].repeat(3, axis=-1))
    with open(tmp_path / "manipulate_results_n.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [
        (
            line["file"],
            line["direction"],
            line["region"],
            line["sample"],
            line["step"],
            line["distance"],
        )
        for line in lines
    ] == [
        ("eyes", "0", "eyes", "0", str(step), distance)
        for step, distance in enumerate(("-4", "0", "4"))
    ]
    for line, inside, outside in zip(lines, (0.2, 0, 0.4), (0.01, 0, 0.02), strict=True):
        assert float(line["change_inside"]) == pytest.approx(inside, abs=1 / 127.5)
        assert float(line["change_outside"]) == pytest.approx(outside, abs=1 / 127.5)
        assert float(line["mse_inside"]) == pytest.approx(inside**2, abs=0.01)
    facts = json.loads((tmp_path / "eyes_direction_00_n.json").read_text())
    assert facts["region_options"] == {"region": "eyes"}
    assert facts["steps_of_each_sample"][0]["change_inside"] == [
        float(line["change_inside"]) for line in lines
    ]
    means = json.loads((tmp_path / "manipulate_results_n.json").read_text())["directions"][0][
        "mean_of_both_ends"
    ]
    assert means == facts["mean_of_both_ends"]
    assert means["change_inside"] == pytest.approx(0.3, abs=1 / 127.5)
    assert means["ratio"] == pytest.approx(
        means["change_inside"] / means["change_outside"], rel=1e-4
    )
    assert Image.open(tmp_path / "eyes_direction_00_change_n.jpg").size == (4 + 4 * 68, 30 + 68)
    assert "change_outside" in (tmp_path / "manipulate_results_n.html").read_text(encoding="utf-8")


def test_several_files(tmp_path):
    """Grids are named for their file, and raw images of several files lie in folders of their
    own."""
    both = edits([1.0], [0]) + edits([2.0], [0], file="nose")
    with results_in(tmp_path, both, 1, raw=True) as results:
        for value in range(3):
            results.add(image(value))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")} == {
        "ori_000000.png",
        "eyes/mani_000000_ind_000000_000000.png",
        "nose/mani_000000_ind_000000_000000.png",
        "eyes_direction_00_n.png",
        "nose_direction_00_n.png",
    }
    assert "eyes; nose on model" in (tmp_path / "manipulate_results_n.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations(tmp_path, kind):
    """--animate writes one moving picture of each sample and direction, and one of all samples."""
    with results_in(tmp_path, edits(rows=[3]), animation=kind) as results:
        for value in range(2 + 2 * 3):
            results.add(image(20 * value))
    for more in ("_sample_000000", "_sample_000001", ""):
        moving = Image.open(tmp_path / f"eyes_direction_03{more}_n.{kind}")
        assert moving.n_frames == 4
    assert moving.size == (4 + 2 * 20, 4 + 20)


def test_summary():
    """Means over both ends of all samples; no ratio, and none for NaN, where nothing has changed
    outside."""
    change = MeasuredChange(
        *(np.array(values) for values in ([1.0, 9, 3], [0.5, 9, 0.5], [1, 9, 1], [np.nan] * 3))
    )
    assert summary([change, change]) == {
        "change_inside": 2,
        "change_outside": 0.5,
        "mse_inside": 1,
        "mse_outside": None,
        "ratio": 4,
    }
    assert summary([change._replace(change_outside=np.zeros(3))])["ratio"] is None
