"""The three scripts, end to end, on a golden network."""

import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from script_process import run_process

from dnnlib import catalogue
from dnnlib.catalogue import Entry
from dnnlib.describe import describe
from dnnlib.generator import Generator
from utils.editing.edits import unique_names
from utils.files.samples import partial_files
from utils.method.directions import gram_matrices
from utils.method.low_rank import factorize
from utils.method.resefa import resefa
from utils.pictures.plots import HEIGHT, WIDTH
from utils.regions.region import region_from_facts, region_mask

JACOBIAN = Path("outputs/jacobian_seed_4/w_dataset_tf_skip_64.npy")
EYES = Path("outputs/directions/directions_img_00_region_eyes_lowrankgan.npy")
EYES_PROJECTED = EYES.with_name("directions_img_00_region_eyes_lowrankgan_projected.npy")
STEM = EYES_PROJECTED.stem
EDITS = Path("outputs/manipulations") / STEM


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def without_bars(err: str) -> list[str]:
    """The lines of stderr that no progress bar has written."""
    return [
        line
        for line in re.split(r"[\r\n]+", err)
        if line.strip() and not re.search(r"\d+%\|| \d+/\d+ \[", line)
    ]


@pytest.fixture(scope="module")
def published(tmp_path_factory, root, data):
    """The folder after the three published steps, each a process of its own, and what each has
    printed."""
    cwd = tmp_path_factory.mktemp("published")
    model = data / "tf_skip_64.pkl"
    steps = [
        ("compute_jacobian", model, "--gpu_id", "cpu", "--total_num", 2),
        ("compute_directions", JACOBIAN, "--lamb", 8),
        ("manipulate", model, EYES_PROJECTED, "--gpu_id", "cpu", "--total_num", 3),
    ]
    return cwd, [run_process(root, cwd, *step) for step in steps]


def test_published_steps_succeed(published):
    """Each step ends with status 0, names what it wrote, and prints nothing on stderr but its
    progress bar."""
    _, steps = published
    for step in steps:
        assert step.returncode == 0, step.stderr
        assert without_bars(step.stderr) == []
    assert steps[0].stdout.startswith("starting TensorFlow …\ndevice: CPU")
    assert steps[2].stdout.startswith("starting TensorFlow …\ndevice: CPU")
    assert str(JACOBIAN) in steps[0].stdout
    assert "outputs/directions" in steps[1].stdout
    assert str(EDITS / "manipulate_results_lowrankgan.html") in steps[2].stdout
    best = r"best: row \d+ of .*, predicted ratio [\d.]+\nnext: python manipulate.py \S+tf_skip_64"
    assert re.search(best + ".pkl outputs/directions/.*_projected.npy", steps[1].stdout)
    assert "manipulate_results_lowrankgan.html: open file:///" in steps[2].stdout
    assert "network makes images of 64 x 64" in steps[0].stdout
    assert re.search(r"expected: about .* of disk for 2 samples", steps[0].stdout)


def test_published_files(published):
    """The documented files are there under their names, each output with its JSON, and no
    others."""
    cwd, _ = published
    directions = [
        f"directions_img_{i:02d}_region_eyes_lowrankgan{p}"
        for i in range(2)
        for p in ("", "_projected")
    ]
    expected = {
        *(str(JACOBIAN.with_suffix(suffix)) for suffix in (".npy", ".json")),
        *(str(JACOBIAN.with_name(f"syn_dataset_tf_skip_64_number_{i:04d}.png")) for i in range(2)),
        *(
            f"outputs/directions/{name}{suffix}"
            for name in directions
            for suffix in (".npy", ".json")
        ),
        *(
            f"outputs/directions/directions_img_{i:02d}_region_eyes_lowrankgan_spectra.png"
            for i in range(2)
        ),
        *(f"outputs/directions/region_img_{i:02d}_eyes_lowrankgan.png" for i in range(2)),
        *(
            str(EDITS / f"manipulate_results_lowrankgan{suffix}")
            for suffix in (".html", ".json", ".csv")
        ),
        *(
            str(EDITS / f"{STEM}_direction_00_{name}")
            for name in ("lowrankgan.png", "lowrankgan.json", "change_lowrankgan.jpg")
        ),
    }
    assert set(tree(cwd)) == expected


def test_published_numbers(published, golden):
    """Through the files, too, the Jacobian is the original program's; directions are unit rows of
    w_dim."""
    cwd, _ = published
    jacobian, expected = np.load(cwd / JACOBIAN), golden("tf_skip_64")["jacobian_w"]
    assert (jacobian.shape, jacobian.dtype) == ((2, 64, 64, 1, 32), np.float32)
    assert np.abs(jacobian[:1] - expected).max() <= 1e-4 * np.abs(expected).max()
    for path in (EYES, EYES_PROJECTED):
        rows = np.load(cwd / path)
        assert rows.dtype == np.float32
        assert rows.shape[1] == 32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_published_facts(published, data):
    """The JSON beside each output holds seed, versions and the network's hash, for directions the
    solver's facts."""
    cwd, _ = published
    network = hashlib.sha256((data / "tf_skip_64.pkl").read_bytes()).hexdigest()
    for path in (JACOBIAN, EYES, EYES_PROJECTED, EDITS / "manipulate_results_lowrankgan"):
        facts = json.loads((cwd / path.with_suffix(".json")).read_text())
        assert (facts["seed"], facts["network_sha256"]) == (4, network)
        assert {"python", "tensorflow", "numpy", "scipy"} <= set(facts["versions"])
    facts = json.loads((cwd / EYES.with_suffix(".json")).read_text())
    assert (facts["region"], facts["sample"], facts["converged"], facts["projected"]) == (
        "eyes",
        0,
        True,
        False,
    )
    assert facts["options"]["lamb"] == 8
    assert facts["foreground"]["rank"] == len(np.load(cwd / EYES)) == len(facts["norm_kept"])
    assert max(facts["foreground"]["error_bound"], facts["background"]["error_bound"]) <= 1e-5
    facts = json.loads((cwd / EYES_PROJECTED.with_suffix(".json")).read_text())
    assert facts["projected"] is True
    assert "  --start   inside  outside  ratio  norm kept" in describe(
        cwd / EYES_PROJECTED, (), facts
    )


def test_published_pictures(published, golden, generator):
    """The PNG of a sample is its image; a row of the grid is the original and 7 steps, the middle
    one the original."""
    cwd, _ = published
    g = generator("tf_skip_64")
    image = g.synthesis(g.mapping(np.random.RandomState(4).randn(2, 32)[:1]))[0]
    png = np.asarray(
        Image.open(cwd / JACOBIAN.with_name("syn_dataset_tf_skip_64_number_0000.png"))
    ).astype(int)
    assert np.abs(png - np.clip((image + 1) * 127.5, 0, 255)).max() <= 1
    grid = np.asarray(Image.open(cwd / EDITS / f"{STEM}_direction_00_lowrankgan.png"))[30:]
    cells = (
        grid.reshape(3, 68, 4 + 8 * 68, 3)[:, :64, 4:]
        .reshape(3, 64, 8, 68, 3)[:, :, :, :64]
        .swapaxes(1, 2)
    )
    np.testing.assert_array_equal(cells[0, 0], np.clip(np.rint((image + 1) * 127.5), 0, 255))
    np.testing.assert_array_equal(cells[:, 0], cells[:, 4])
    assert (cells[:, 0] != cells[:, 1]).any(axis=(1, 2, 3)).all()
    page = (cwd / EDITS / "manipulate_results_lowrankgan.html").read_text(encoding="utf-8")
    assert page.count('"sample":') == 3


@pytest.mark.parametrize("script", ["compute_jacobian", "compute_directions", "manipulate"])
def test_help(root, tmp_path, script):
    """--help shows defaults and two examples, and imports no TensorFlow before arguments are
    parsed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", root / f"{script}.py", "--help"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert {"argparse", "numpy"} <= imported
    assert not {"tensorflow", "keras"} & imported
    assert "(default:" in done.stdout
    examples = done.stdout.split("examples:\n")[1].strip().splitlines()
    assert len(examples) == 2
    assert all(line.strip().startswith(f"python {script}.py ") for line in examples)
    assert tree(tmp_path) == {}


def test_same_seed_same_bytes(run_script, data, tmp_path):
    """A second run with the same seed writes the same bytes; another seed does not."""
    model = data / "tf_orig_16.pkl"
    for folder, seed in (("a", 4), ("b", 4), ("c", 5)):
        run = run_script(
            "compute_jacobian",
            model,
            "--gpu_id",
            "cpu",
            "--total_num",
            2,
            "--output_dir",
            folder,
            "--seed",
            seed,
        )
        assert run.status == 0
    once, again, other = (tree(tmp_path / folder) for folder in "abc")
    names = {name for name in once if not name.endswith(".json")}
    assert len(names) == 3
    for name in names:
        assert once[name] == again[name]
        assert once[name] != other[name]


def test_edit_again_same_bytes(published, run_script, data, tmp_path):
    """The same edit, in two folders and in batches of another size, gives the same pictures."""
    cwd, _ = published
    for folder, more in (("a", []), ("b", [])):
        assert (
            run_script(
                "manipulate",
                data / "tf_skip_64.pkl",
                cwd / EYES,
                "--gpu_id",
                "cpu",
                "--total_num",
                2,
                "--step",
                3,
                "--output_dir",
                folder,
                "--save_raw",
                *more,
            ).status
            == 0
        )
    once, again = (tree(tmp_path / folder) for folder in "ab")
    names = {name for name in once if name.endswith(".png")}
    assert len(names) == 2 + 2 * 3 + 1
    assert {name: once[name] for name in names} == {name: again[name] for name in names}


def test_compute_z(run_script, data, golden):
    """--compute_z writes the Jacobian with respect to z as well, which is the original
    program's."""
    run = run_script(
        "compute_jacobian",
        data / "tf_skip_64.pkl",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--compute_z",
        "--no-save_png",
        "--batch_size",
        9,
    )
    assert run.status == 0
    folder = Path("outputs/jacobian_seed_4")
    assert sorted(os.listdir(folder)) == [
        f"{space}_dataset_tf_skip_64.{kind}" for space in "wz" for kind in ("json", "npy")
    ]
    for space in "wz":
        jacobian, expected = (
            np.load(folder / f"{space}_dataset_tf_skip_64.npy"),
            golden("tf_skip_64")[f"jacobian_{space}"],
        )
        assert np.abs(jacobian - expected).max() <= 1e-4 * np.abs(expected).max()
        facts = json.loads((folder / f"{space}_dataset_tf_skip_64.json").read_text())
        assert facts["latent_space"] == space
    run = run_script("compute_directions", folder / "z_dataset_tf_skip_64.npy", "--lamb", 8)
    assert "with respect to z: so are its directions" in run.out
    (record,) = Path("outputs/directions").glob("*_00_*_projected.json")
    assert json.loads(record.read_text())["latent_space"] == "z"


def test_no_fused_channel(run_script, data, golden):
    """--no-fused_channel writes a Jacobian for each channel, and compute_directions.py takes it."""
    assert (
        run_script(
            "compute_jacobian",
            data / "tf_skip_64.pkl",
            "--gpu_id",
            "cpu",
            "--total_num",
            1,
            "--image_size",
            32,
            "--no-fused_channel",
            "--d_name",
            "rgb",
            "--output_dir",
            "here",
        ).status
        == 0
    )
    jacobian, expected = (
        np.load("here/w_dataset_rgb.npy"),
        golden("tf_skip_64")["jacobian_w_32_rgb"],
    )
    assert jacobian.shape == (1, 3, 32, 32, 1, 32)
    assert np.abs(jacobian - expected).max() <= 1e-4 * np.abs(expected).max()
    assert Path("here/syn_dataset_rgb_number_0000.png").exists()
    assert (
        run_script(
            "compute_directions", "here/w_dataset_rgb.npy", "--lamb", 8, "--region", "mouth"
        ).status
        == 0
    )
    assert Path(
        "outputs/directions/directions_img_00_region_mouth_lowrankgan_projected.npy"
    ).exists()


def test_save_raw_start_end_latent_path(run_script, data, tmp_path, generator):
    """Raw images are those of w + a direction for the codes of --latent_path and the rows --start
    to --end."""
    g, z = generator("tf_orig_16"), np.random.RandomState(9).randn(2, 24)
    directions = np.random.RandomState(8).randn(4, 24)
    np.save("z.npy", z)
    np.save("some.npy", directions)
    assert (
        run_script(
            "manipulate",
            data / "tf_orig_16.pkl",
            "some.npy",
            "--gpu_id",
            "cpu",
            "--latent_path",
            "z.npy",
            "--start",
            1,
            "--end",
            3,
            "--mani_layers",
            "2-3",
            "--step",
            3,
            "--start_distance",
            -2,
            "--end_distance",
            1,
            "--save_raw",
            "--name",
            "test",
        ).status
        == 0
    )
    folder = tmp_path / "outputs" / "manipulations" / "some"
    ws = g.mapping(z)
    expected = {f"ori_{row:06d}.png": ws[row] for row in range(2)}
    for row in range(2):
        for direction in (1, 2):
            for step, distance in enumerate((-2, -0.5, 1)):
                code = ws[row].copy()
                code[2:4] += (distance * directions[direction]).astype(np.float32)
                expected[f"mani_{row:06d}_ind_{direction:06d}_{step:06d}.png"] = code
    images = g.synthesis(np.stack(list(expected.values())))
    for name, image in zip(expected, images, strict=True):
        png = np.asarray(Image.open(folder / name)).astype(int)
        assert np.abs(png - np.clip((image + 1) * 127.5, 0, 255)).max() <= 1, name
    assert {path.name for path in folder.iterdir()} == {
        *expected,
        "some_direction_01_test.png",
        "some_direction_01_test.json",
        "some_direction_02_test.png",
        "some_direction_02_test.json",
        "manipulate_results_test.html",
        "manipulate_results_test.json",
    }


def raw_images(folder, names):
    """Raw images by their names, as int [N, H, W, C]."""
    return np.stack([np.asarray(Image.open(folder / f"{name}.png")).astype(int) for name in names])


def expect_images(pngs, images):
    """8 bits of the images of the generator."""
    assert np.abs(pngs - np.clip((images + 1) * 127.5, 0, 255)).max() <= 1


def test_codes_of_w_plus(run_script, data, generator, tmp_path):
    """W+ codes of a projector's .npz and of an encoder's pickled dict are edited as they are, not
    mapped again."""
    g, directions = generator("tf_orig_16"), np.random.RandomState(8).randn(1, 24)
    ws = g.mapping(np.random.RandomState(9).randn(2, 24))
    ws[:, 3:] = ws[::-1, 3:]
    np.save("d.npy", directions)
    np.savez("projected_w.npz", w=ws)
    np.save("encoded.npy", {"a.png": [0 * ws[0], ws[0]], "b.png": [ws[1]]}, allow_pickle=True)
    for folder, path, more in (
        ("a", "projected_w.npz", ""),
        ("b", "encoded.npy", r" \(a.png, b.png\), the last of 2 iterations"),
    ):
        run = run_script(
            "manipulate",
            data / "tf_orig_16.pkl",
            "d.npy",
            "--gpu_id",
            "cpu",
            "--latent_path",
            path,
            "--mani_layers",
            "1-4",
            "--step",
            1,
            "--start_distance",
            2,
            "--save_raw",
            "--output_dir",
            folder,
        )
        assert run.status == 0
        assert re.search(rf"^latent codes: 2 of w\+{more}$", run.out, re.MULTILINE)
        expect_images(raw_images(tmp_path / folder, ["ori_000000", "ori_000001"]), g.synthesis(ws))
        edited = ws.copy()
        edited[:, 1:5] += (2 * directions[0]).astype(np.float32)
        names = [f"mani_00000{sample}_ind_000000_000000" for sample in range(2)]
        expect_images(raw_images(tmp_path / folder, names), g.synthesis(edited))
        facts = json.loads(Path(f"{folder}/manipulate_results_lowrankgan.json").read_text())
        assert facts["latents_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_jacobian_of_w_plus(run_script, data, generator):
    """The Jacobian at w+ codes is the derivative, by finite differences, along a shift common to
    all layers."""
    g = generator("tf_orig_16", "float64")
    ws = g.mapping(np.random.RandomState(9).randn(3, 24))
    ws[:, 2:] = ws[[1, 2, 0], 2:]
    np.savez("projected_w.npz", w=ws)
    command = [
        "compute_jacobian",
        data / "tf_orig_16.pkl",
        "--gpu_id",
        "cpu",
        "--latent_path",
        "projected_w.npz",
    ]
    assert run_script(*command, "--total_num", 1).status == 0
    run = run_script(*command)
    assert "going on after 1 finished sample of outputs/jacobian_projected_w" in run.out
    jacobians = np.load("outputs/jacobian_projected_w/w_dataset_tf_orig_16.npy")
    assert jacobians.shape == (3, 16, 16, 1, 24)
    for w, jacobian in zip(ws, jacobians, strict=True):
        shift = 1e-6 * np.random.RandomState(1).randn(24)
        change = (g.synthesis(w[None] + shift) - g.synthesis(w[None] - shift))[0].mean(axis=-1) / 2
        np.testing.assert_allclose(
            jacobian[:, :, 0] @ shift, change, atol=1e-4 * np.abs(change).max()
        )
    assert "complete, with 3 samples" in run_script(*command).out
    facts = json.loads(Path("outputs/jacobian_projected_w/w_dataset_tf_orig_16.json").read_text())
    codes = hashlib.sha256(Path("projected_w.npz").read_bytes()).hexdigest()
    assert (facts["seed"], facts["latents_sha256"]) == (None, codes)  # no seed was used
    np.savez("projected_w.npz", w=ws[::-1])
    run = run_script(*command)
    assert (run.status, "made with other latent codes" in run.err) == (2, True)


def test_direction_with_a_vector_for_each_layer(run_script, data, generator, tmp_path):
    """[K, L, w_dim] are directions with a vector for each layer; so are the rows of [L, w_dim]
    under --per_layer."""
    g, vectors = generator("tf_orig_16"), np.random.RandomState(8).randn(2, 6, 24)
    np.save("three.npy", vectors)
    np.save("two.npy", vectors[1])
    command = [
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        "2-4",
        "--step",
        1,
        "--start_distance",
        2,
        "--save_raw",
    ]
    ws = g.mapping(np.random.RandomState(4).randn(1, 24))
    layers, rows = ws.copy(), ws.copy()
    layers[:, 2:5] += (2 * vectors[1, 2:5]).astype(np.float32)
    rows[:, 2:5] += (2 * vectors[1, 1]).astype(np.float32)
    for path, more, row, expected, said in (
        (
            "three.npy",
            ["--start", 1, "--end", 2],
            1,
            layers,
            "a vector for each of 6 layers, of which those of --mani_layers are used",
        ),
        ("two.npy", ["--per_layer"], 0, layers, "a vector for each of 6 layers"),
        (
            "two.npy",
            ["--start", 1, "--end", 2],
            1,
            rows,
            "6 directions; --per_layer reads them as one",
        ),
    ):
        run = run_script("manipulate", data / "tf_orig_16.pkl", path, *command, *more)
        assert run.status == 0
        assert f"{path}: {said}" in run.out
        folder = Path(run.out.splitlines()[-1].partition(": open ")[0]).parent
        expect_images(
            raw_images(tmp_path / folder, [f"mani_000000_ind_00000{row}_000000"]),
            g.synthesis(expected),
        )


def test_a_single_direction_may_be_a_vector(run_script, data):
    """A direction of shape [w_dim] is one row."""
    np.save("vector.npy", np.eye(24)[3])
    run = run_script(
        "manipulate",
        data / "tf_orig_16.pkl",
        "vector.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        "0-5",
        "--step",
        1,
    )
    assert run.status == 0
    assert Path("outputs/manipulations/vector/vector_direction_00_lowrankgan.png").exists()


def test_measured_region_is_the_recorded_one(published, run_script, data, tmp_path):
    """Numbers in the JSON are those of the raw images, in the region recorded beside the directions
    or asked for."""
    cwd, _ = published
    for region in ("eyes", "mouth"):
        run = run_script(
            "manipulate",
            data / "tf_skip_64.pkl",
            cwd / EYES,
            "--gpu_id",
            "cpu",
            "--total_num",
            1,
            "--step",
            2,
            "--output_dir",
            region,
            "--save_raw",
            *(["--region", region] if region != "eyes" else []),
        )
        assert run.status == 0
        assert re.search(
            rf"{region} changed by 0\.(1|09)\d* inside, 0\.\d+ outside, ratio \d.* at -0.* and \+0",
            run.out,
        )
        facts = json.loads(
            (tmp_path / region / f"{EYES.stem}_direction_00_lowrankgan.json").read_text()
        )
        images = [
            np.asarray(Image.open(tmp_path / region / name)).astype(float) / 127.5
            for name in (
                "ori_000000.png",
                *(f"mani_000000_ind_000000_00000{step}.png" for step in (0, 1)),
            )
        ]
        mask = region_mask(region, 64, 64)
        for step in (0, 1):
            change = images[1 + step] - images[0]
            numbers = {
                name: values[step] for name, values in facts["steps_of_each_sample"][0].items()
            }
            assert numbers["change_inside"] == pytest.approx(np.abs(change[mask]).mean(), rel=1e-4)
            assert numbers["change_outside"] == pytest.approx(
                np.abs(change[~mask]).mean(), rel=1e-4
            )
            assert numbers["mse_inside"] == pytest.approx((change[mask] ** 2).mean(), rel=1e-4)
            assert numbers["mse_outside"] == pytest.approx((change[~mask] ** 2).mean(), rel=1e-4)


def test_several_files_and_all_rows(published, run_script, data):
    """Several files make one page; --end -1 takes all rows of each; files of one stem keep names of
    their own."""
    cwd, _ = published
    Path("one").mkdir()
    shutil.copy(cwd / EYES, "one/same.npy")
    np.save("same.npy", np.eye(32)[:2])
    run = run_script(
        "manipulate",
        data / "tf_skip_64.pkl",
        "one/same.npy",
        "same.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--step",
        2,
        "--end",
        -1,
        "--name",
        "n",
    )
    assert run.status == 0
    folder = Path("outputs/manipulations/same_and_1_more")
    expected = {f"same_direction_{row:02d}_n.png" for row in range(len(np.load(cwd / EYES)))}
    assert {path.name for path in folder.glob("*.png")} == expected | {
        f"same_2_direction_{row:02d}_n.png" for row in range(2)
    }
    page = (folder / "manipulate_results_n.html").read_text(encoding="utf-8")
    assert re.search(r"Same, row 0; Same, row 1; Same, row 2 and \d+ more on tf_skip_64", page)
    assert "Same 2, row 1" in page


def test_distance_auto(published, run_script, data):
    """--distance auto walks each direction as far as its region changes by --change."""
    cwd, _ = published
    for distance in ("auto", "1.5"):
        run = run_script(
            "manipulate",
            data / "tf_skip_64.pkl",
            cwd / EYES,
            "--gpu_id",
            "cpu",
            "--total_num",
            2,
            "--step",
            3,
            "--end",
            2,
            "--distance",
            distance,
            "--output_dir",
            distance,
            *(["--change", 0.05] if distance == "auto" else []),
        )
        assert run.status == 0
    for row in range(2):
        facts = json.loads(Path(f"auto/{EYES.stem}_direction_0{row}_lowrankgan.json").read_text())
        assert facts["mean_of_both_ends"]["change_inside"] == pytest.approx(0.05, rel=0.05)
        assert facts["distances"][0] == -facts["distances"][2]
    facts = json.loads(Path(f"1.5/{EYES.stem}_direction_01_lowrankgan.json").read_text())
    assert facts["distances"] == [-1.5, 0, 1.5]


def test_contact_sheet(published, run_script, data, tmp_path):
    """--contact_sheet writes one picture of all rows and its numbers, the same bytes each time, and
    nothing else."""
    cwd, _ = published
    for folder in "ab":
        run = run_script(
            "manipulate",
            data / "tf_skip_64.pkl",
            cwd / EYES,
            "--gpu_id",
            "cpu",
            "--total_num",
            2,
            "--contact_sheet",
            "--output_dir",
            folder,
        )
        assert run.status == 0
    once, again = tree(tmp_path / "a"), tree(tmp_path / "b")
    sheet = f"{EYES.stem}_contact_sheet_lowrankgan.png"
    assert set(once) == {sheet, "contact_sheet_lowrankgan.json"}
    assert once[sheet] == again[sheet]
    rows = json.loads(once["contact_sheet_lowrankgan.json"])["directions"]
    assert [row["row"] for row in rows] == list(range(len(np.load(cwd / EYES))))
    assert all(
        row["change_inside"] == pytest.approx(0.1, rel=0.05) for row in rows if row["reached"]
    )


def test_lost_region_is_a_warning(run_script, data, tmp_path):
    """Where the recorded region cannot be drawn any more, the edit goes on without numbers, and
    says why."""
    np.save("d.npy", np.eye(24)[:1])
    Path("d.json").write_text(json.dumps({"region_options": {"mask": "gone.png"}}))
    run = run_script(
        "manipulate",
        data / "tf_orig_16.pkl",
        "d.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        1,
        "--step",
        2,
    )
    assert run.status == 0
    assert re.search(
        r"WARNING: the region recorded beside d\.npy is not measured: .*gone\.png", run.err
    )
    assert not list(tmp_path.rglob("*.csv"))


def test_authors_directions_on_another_network(run_script, data, monkeypatch):
    """Directions of the catalogue know their network, though no JSON file lies beside them."""
    np.save("eyes.npy", np.eye(24)[:1])
    network, directions = (
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (data / "tf_orig_16.pkl", Path("eyes.npy"))
    )
    known = Entry("set1024/eyes", "directions", "eyes", (), sha256=directions, network="set")
    command = [
        "manipulate",
        data / "tf_orig_16.pkl",
        "eyes.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        1,
        "--step",
        1,
    ]
    other = Entry("other", "network", "another set", (), sha256=network)  # the one in use
    for checksum, more, warned in (
        (network, [], False),
        ("0" * 64, [], True),
        (None, [], False),
        (None, [other], True),
    ):
        entries = (Entry("set", "network", "a set", (), sha256=checksum), known, *more)
        monkeypatch.setattr(catalogue, "ENTRIES", entries)
        run = run_script(*command)
        assert (run.status, "eyes.npy was found on set, which this network is not" in run.err) == (
            0,
            warned,
        )


def test_names_of_pictures(run_script, data):
    """The names of codes are those of the cards, and recorded."""
    np.save("codes.npy", {"me.jpg": [np.zeros((6, 24))], "you.jpg": [np.ones((6, 24))]})
    np.save("d.npy", np.eye(24)[:1])
    run = run_script(
        "manipulate",
        data / "tf_orig_16.pkl",
        "d.npy",
        "--gpu_id",
        "cpu",
        "--latent_path",
        "codes.npy",
        "--mani_layers",
        1,
        "--step",
        2,
    )
    assert run.status == 0
    page = Path("outputs/manipulations/d/manipulate_results_lowrankgan.html").read_text(
        encoding="utf-8"
    )
    assert '"sample":1' in page
    assert '"name":"you.jpg"' in page
    facts = json.loads(
        Path("outputs/manipulations/d/manipulate_results_lowrankgan.json").read_text()
    )
    assert facts["names"] == ["me.jpg", "you.jpg"]


def test_start_alone(run_script, data):
    """--start alone walks along that row."""
    np.save("d.npy", np.eye(24)[:3])
    assert (
        run_script(
            "manipulate",
            data / "tf_orig_16.pkl",
            "d.npy",
            "--gpu_id",
            "cpu",
            "--total_num",
            1,
            "--mani_layers",
            1,
            "--step",
            2,
            "--start",
            2,
        ).status
        == 0
    )
    assert [path.name for path in Path("outputs").rglob("*.png")] == [
        "d_direction_02_lowrankgan.png"
    ]


def test_facts_cannot_steer_the_terminal(run_script, data):
    """Whatever the JSON file beside directions says, lines of text are printed."""
    np.save("d.npy", np.eye(24)[:1])
    Path("d.json").write_text(
        json.dumps({"region_options": {"mask": "\x1b[2J.png"}, "network_sha256": "\x1b[2J"})
    )
    run = run_script(
        "manipulate",
        data / "tf_orig_16.pkl",
        "d.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        1,
        "--step",
        2,
    )
    assert run.status == 0
    assert len([line for line in run.err.splitlines() if line.startswith("WARNING: ")]) == 2
    assert "\x1b[2J" not in run.out + run.err


def test_other_directions_of_the_same_name_are_kept(run_script, data, tmp_path):
    """Two direction files of one stem: the second run leaves the first one's results alone."""
    arguments = ["--gpu_id", "cpu", "--total_num", 1, "--mani_layers", 3, "--step", 2]
    for seed, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "eyes.npy", np.random.RandomState(seed).randn(2, 24))
    runs = [run_script("manipulate", data / "tf_orig_16.pkl", "one/eyes.npy", *arguments)]
    first = tree(tmp_path / "outputs/manipulations/eyes")
    runs.append(run_script("manipulate", data / "tf_orig_16.pkl", "two/eyes.npy", *arguments))
    runs.append(
        run_script(
            "manipulate",
            data / "tf_orig_16.pkl",
            "one/eyes.npy",
            *arguments,
            "--start",
            1,
            "--end",
            2,
        )
    )
    assert [run.status for run in runs] == [0, 0, 0]
    assert tree(tmp_path / "outputs/manipulations/eyes") == first
    assert sorted(os.listdir("outputs/manipulations")) == ["eyes", "eyes_2", "eyes_3"]
    assert "eyes_2" in runs[1].out


@pytest.mark.parametrize(
    ("more", "said", "class_of"), [([], True, None), (["--class_index", 3], False, 3)]
)
def test_network_with_labels(run_script, data, generator, more, said, class_of):
    """--class_index chooses the class in both scripts; without it all labels are zero, which is
    said."""
    model, g = data / "tf_label_32.pkl", generator("tf_label_32")
    run = run_script(
        "compute_jacobian", model, "--gpu_id", "cpu", "--total_num", 1, "--output_dir", "j", *more
    )
    assert run.status == 0
    assert ("no --class_index given: all 5 labels are zero" in run.out) == said
    z = np.random.RandomState(4).randn(1, 32)
    ws = g.mapping(z, None if class_of is None else np.eye(5)[[class_of]])
    np.testing.assert_allclose(np.load("j/w_dataset_tf_label_32.npy")[0], g.jacobian(ws), atol=1e-5)
    np.save("d.npy", np.eye(32)[:1])
    run = run_script(
        "manipulate",
        model,
        "d.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--step",
        1,
        "--save_raw",
        *more,
    )
    assert run.status == 0
    png = np.asarray(Image.open("outputs/manipulations/d/ori_000000.png")).astype(int)
    assert np.abs(png - np.clip((g.synthesis(ws)[0] + 1) * 127.5, 0, 255)).max() <= 1


@pytest.mark.parametrize("name", ["tf_revised_16", "tf_resnet_32", "ada_label_16"])
def test_other_architectures(run_script, data, name):
    """The three steps also work on the other kinds of network."""
    model = data / f"{name}.pkl"
    cpu = ["--gpu_id", "cpu", "--total_num", 1]
    assert run_script("compute_jacobian", model, *cpu, "--d_name", "tf_skip_64").status == 0
    assert run_script("compute_directions", JACOBIAN, "--lamb", 5).status == 0
    run = run_script("manipulate", model, EYES, *cpu, "--mani_layers", "2,3", "--step", 2)
    assert (run.status, "WARNING" in run.err) == (0, False)


def test_warning_of_another_network(published, run_script, data):
    """Directions found on another network are walked with a warning on stderr, and without one on
    their own."""
    cwd, _ = published
    arguments = [cwd / EYES, "--gpu_id", "cpu", "--total_num", 1, "--step", 1, "--output_dir"]
    run = run_script("manipulate", data / "tf_label_32.pkl", *arguments, "a")
    assert (run.status, "was found for layers 0-9; expected 0 to 7" in run.err) == (2, True)
    run = run_script("manipulate", data / "tf_label_32.pkl", *arguments, "a", "--mani_layers", 4)
    assert run.status == 0
    assert "edited on layers 4, found for 0-9" in run.out
    assert [
        line for line in without_bars(run.err) if "WARNING" in line and "another network" in line
    ]
    run = run_script("manipulate", data / "tf_skip_64.pkl", *arguments, "b")
    assert run.status == 0
    assert "WARNING" not in run.err


def test_jacobian_of_some_layers(run_script, data, generator):
    """--layers is recorded, taken over by the directions and the edit, and another Jacobian than
    that of all layers."""
    model, cpu = data / "tf_orig_16.pkl", ["--gpu_id", "cpu", "--total_num", 1]
    run = run_script("compute_jacobian", model, *cpu, "--layers", "2,6")
    assert (run.status, "--layers: layer 6; expected 0 to 5" in run.err) == (2, True)
    assert not list(Path("outputs").rglob("*_dataset_*"))
    command = ["compute_jacobian", model, *cpu, "--layers", "1-2"]
    assert run_script(*command).status == 0
    path, g = Path("outputs/jacobian_seed_4/w_dataset_tf_orig_16.npy"), generator("tf_orig_16")
    code = g.mapping(np.random.RandomState(4).randn(1, g.z_dim))
    found, expected = np.load(path)[0], g.jacobian(code, layers=[1, 2])
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(found - g.jacobian(code)).max() > 0.1 * np.abs(expected).max()
    assert json.loads(path.with_suffix(".json").read_text())["layers"] == [1, 2]
    again = run_script(*command[:-2])
    assert (again.status, "Jacobian made with --layers [1, 2]" in again.err) == (2, True)
    assert run_script("compute_directions", path, "--lamb", 3).status == 0
    run = run_script("manipulate", model, EYES, *cpu, "--step", 2)
    assert (run.status, "layers 1-2, as recorded beside it" in run.out) == (0, True)
    facts = json.loads(
        (EDITS.with_name(EYES.stem) / "manipulate_results_lowrankgan.json").read_text()
    )
    assert facts["options"]["mani_layers"] == [1, 2]
    run = run_script("manipulate", model, EYES, *cpu, "--step", 2, "--mani_layers", "all")
    assert "edited on layers 0-5, found for 1-2" in run.out


def test_recorded_walk_is_the_default(run_script):
    """A ready direction by its short name is walked on the layers and to the distance recorded
    beside it; each of several on its own."""
    run = run_script(
        *["manipulate", "demo", "gaze", "brows", "--gpu_id", "cpu", "--total_num", 1, "--step", 2]
    )
    assert run.status == 0
    assert re.search(r"gaze.npy: layers 0-11, to ±0.505, as recorded", run.out)
    assert re.search(r"brows.npy: layers 4-9, to ±1.11, as recorded", run.out)
    facts = json.loads(
        Path("outputs/manipulations/gaze_and_1_more/manipulate_results_lowrankgan.json").read_text()
    )
    assert facts["options"]["mani_layers"] == [list(range(12)), list(range(4, 10))]


def test_rank_0_sample_is_skipped(published, run_script, tmp_path):
    """A sample of foreground rank 0 is skipped with a warning that names --lamb; the others are
    saved."""
    cwd, _ = published
    jacobian = np.load(cwd / JACOBIAN)
    jacobian[0] = 0
    rows, columns = np.arange(64)[:, None], np.arange(64)
    jacobian[0, rows, columns, 0, (rows + columns) % 32] = (
        1  # Gram matrices near a multiple of 1: all sparse
    )
    np.save("mixed.npy", jacobian)
    run = run_script("compute_directions", "mixed.npy", "--lamb", 8)
    assert run.status == 0
    assert re.search(r"sample 0\n.*rank 0 .*\n.*\n.*WARNING: rank 0.*--lamb", run.out)
    names = {Path(name).name for name in tree(tmp_path / "outputs")}
    assert names == {
        "region_img_01_eyes_lowrankgan.png",
        "directions_img_01_region_eyes_lowrankgan_spectra.png",
        *(
            f"directions_img_01_region_eyes_lowrankgan{p}.{kind}"
            for p in ("", "_projected")
            for kind in ("npy", "json")
        ),
    }


def test_max_iter_is_marked(published, run_script):
    """A solver that hits --max_iter saves, warns, and marks the result as not converged."""
    cwd, _ = published
    run = run_script("compute_directions", cwd / JACOBIAN, "--lamb", 8, "--max_iter", 3)
    assert run.status == 0
    assert "WARNING: not converged, raise --max_iter" in run.out
    facts = json.loads(EYES.with_suffix(".json").read_text())
    assert (facts["converged"], facts["foreground"]["converged"], facts["foreground"]["steps"]) == (
        False,
        False,
        3,
    )
    assert EYES.exists()


def test_pictures_of_directions(published):
    """The region lies over the sample's own picture, bright inside; the spectra are a picture of
    two panels."""
    cwd, _ = published
    sample = Image.open(cwd / JACOBIAN.with_name("syn_dataset_tf_skip_64_number_0001.png")).resize(
        (512, 512), 3
    )
    shown = np.asarray(Image.open(cwd / "outputs/directions/region_img_01_eyes_lowrankgan.png"))
    inside = region_mask("eyes", 64, 64).repeat(8, axis=0).repeat(8, axis=1)
    np.testing.assert_array_equal(shown[inside], np.asarray(sample)[inside])
    assert (shown[~inside].mean() < 0.7 * np.asarray(sample)[~inside].mean()).all()
    spectra = Image.open(cwd / f"outputs/directions/{EYES.stem}_spectra.png")
    assert spectra.size == (2 * WIDTH, HEIGHT)


@pytest.mark.parametrize("method", ["lowrank", "resefa"])
def test_table_and_json_say_what_the_jacobian_says(published, run_script, method):
    """The table's rows are the file's; its numbers, and those of the JSON, are the root mean
    squares of J v."""
    cwd, _ = published
    run = run_script("compute_directions", cwd / JACOBIAN, "--lamb", 8, "--method", method)
    assert run.status == 0
    jacobian, mask = np.load(cwd / JACOBIAN)[0, :, :, 0], region_mask("eyes", 64, 64)
    table = re.findall(r"^ +(\d+) +(.*[\d.]+.*)$", run.out.split("sample 1")[0], re.MULTILINE)
    for path, key, columns in (
        (EYES, "before_projection", (1, 2, 3)),
        (EYES_PROJECTED, "after_projection", (5, 6, 7)),
    ):
        rows, facts = np.load(path), json.loads(path.with_suffix(".json").read_text())
        assert (facts["method"], facts["foreground"]["rank"]) == (method, len(rows))
        assert [int(row) for row, _ in table] == list(range(len(rows)))
        moved = jacobian @ rows.T
        inside, outside = (np.sqrt(np.mean(moved[part] ** 2, axis=0)) for part in (mask, ~mask))
        expected = {"inside": inside, "outside": outside, "ratio": inside / outside}
        for (name, values), column in zip(expected.items(), columns, strict=True):
            np.testing.assert_allclose(facts[key][name], values, rtol=1e-3)
            printed = [float(cells.split()[column]) for _, cells in table]
            np.testing.assert_allclose(
                printed, values, rtol=0.01, atol=0.06 if name == "ratio" else 0
            )


@pytest.mark.parametrize("method", ["lowrank", "resefa"])
def test_pool(published, run_script, tmp_path, method):
    """--pool writes one set of directions, those of the mean Gram matrices, with each sample's own
    mask."""
    cwd, _ = published
    jacobians = np.load(cwd / JACOBIAN)
    (tmp_path / "masks").mkdir()
    masks = [region_mask(region, 64, 64) for region in ("eyes", "mouth")]
    for i, mask in enumerate(masks):
        Image.fromarray(mask.astype(np.uint8) * 255).save(f"masks/painted_number_{i:04d}.png")
    run = run_script(
        "compute_directions",
        cwd / JACOBIAN,
        "--lamb",
        8,
        "--pool",
        "--mask",
        "masks",
        "--method",
        method,
    )
    assert run.status == 0
    assert "pool of 2 samples\n" in run.out
    assert "a pool of 2 samples" in run.out.splitlines()[-3]
    pair = np.mean([gram_matrices(*both) for both in zip(jacobians, masks, strict=True)], axis=0)
    found = resefa(*pair) if method == "resefa" else factorize(pair[0], 8)
    rows = np.load("outputs/directions/directions_img_pool_region_masks_lowrankgan.npy")
    np.testing.assert_allclose(
        np.abs(np.sum(rows * found.vectors[: found.rank], axis=1)), 1, atol=1e-4
    )
    facts = json.loads(
        Path("outputs/directions/directions_img_pool_region_masks_lowrankgan.json").read_text()
    )
    assert (facts["sample"], facts["samples"], facts["region"]) == ("pool", 2, "masks")
    np.testing.assert_array_equal(
        region_from_facts(facts["region"], facts["region_options"]).mask(1, 64, 64), masks[1]
    )
    assert sorted(path.name for path in (tmp_path / "outputs/directions").glob("region_*")) == [
        f"region_img_pool_{i:02d}_masks_lowrankgan.png" for i in range(2)
    ]


def test_region_without_a_picture(published, run_script):
    """Without the sample's picture the region is drawn on a plain ground, and that is said."""
    cwd, _ = published
    shutil.copy(cwd / JACOBIAN, "w_dataset_alone.npy")
    run = run_script(
        "compute_directions",
        "w_dataset_alone.npy",
        "--lamb",
        8,
        "--box",
        "120,128,60,60",
        "--invert",
    )
    assert run.status == 0
    assert (
        "no picture syn_dataset_alone_number_0000.png: the region is drawn on a plain ground"
        in run.out
    )
    assert Path("outputs/directions/region_img_00_not_box_120_128_60_60_lowrankgan.png").exists()


@pytest.mark.parametrize("num_relax", [0, 1, 1000])
def test_num_relax(published, run_script, num_relax):
    """--num_relax gives the null space that many dimensions back, up to all but one."""
    cwd, _ = published
    assert (
        run_script(
            "compute_directions", cwd / JACOBIAN, "--lamb", 8, "--num_relax", num_relax
        ).status
        == 0
    )
    facts = json.loads(EYES.with_suffix(".json").read_text())
    assert facts["null_space_dimension"] == min(32 - facts["background"]["rank"] + num_relax, 31)


def heed_interrupts():
    """A shell starts background jobs with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(root, cwd, ready, script, *arguments, how=signal.SIGINT):
    """Send a signal to a script as soon as ready() is true; its status and stderr."""
    with open(cwd / "stderr", "w+") as err:
        process = subprocess.Popen(
            [sys.executable, root / f"{script}.py", *map(str, arguments)],
            cwd=cwd,
            stderr=err,
            stdout=subprocess.DEVNULL,
            preexec_fn=heed_interrupts,
        )
        try:
            deadline = time.monotonic() + 90
            while not ready() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert process.poll() is None, "it ended before it could be interrupted"
            process.send_signal(how)
            status = process.wait(30)
        finally:
            process.kill()
        err.seek(0)
        return status, err.read()


def size_so_far(cwd: Path) -> int:
    """Bytes of the Jacobian that is being written."""
    sizes = [path.stat().st_size for path in partial_files(cwd / JACOBIAN)]
    return sizes[0] if sizes else 0


def test_interrupted_jacobian(root, data, tmp_path):
    """Ctrl-C keeps the finished samples in a readable file, says so in its JSON, and exits 130
    without a traceback."""
    sample = 64 * 64 * 32 * 4
    status, err = interrupt(
        root,
        tmp_path,
        lambda: size_so_far(tmp_path) > 2.5 * sample,
        "compute_jacobian",
        data / "tf_skip_64.pkl",
        "--gpu_id",
        "cpu",
        "--total_num",
        500,
    )
    assert status == 130
    assert "Traceback" not in err
    assert without_bars(err)[-1] == "stopped"
    assert not list(tmp_path.rglob("*.partial*"))
    jacobian = np.load(tmp_path / JACOBIAN)
    assert 2 <= len(jacobian) < 500
    assert np.abs(jacobian).max(axis=(1, 2, 3, 4)).min() > 0
    assert json.loads((tmp_path / JACOBIAN.with_suffix(".json")).read_text())["samples"] == len(
        jacobian
    )
    assert not list(tmp_path.rglob("*.partial"))


def test_killed_jacobian(root, data, tmp_path):
    """After kill -9 the same command goes on with the next sample and ends with the bytes of one
    run."""
    command = ["compute_jacobian", data / "tf_skip_64.pkl", "--gpu_id", "cpu", "--total_num", 20]
    status, _ = interrupt(
        root,
        tmp_path,
        lambda: size_so_far(tmp_path) > 1.1 * 64 * 64 * 32 * 4,  # a sample
        *command,
        how=signal.SIGKILL,
    )
    assert status == -signal.SIGKILL
    assert not (tmp_path / JACOBIAN).exists()
    resumed = run_process(root, tmp_path, *command)
    assert re.search(r"going on after \d+ finished samples?", resumed.stdout)
    run_process(root, tmp_path, *command, "--output_dir", "whole")
    once, again = tree(tmp_path / "whole"), tree(tmp_path / JACOBIAN.parent)
    assert once.keys() == again.keys()
    assert all(once[name] == again[name] for name in once if not name.endswith(".json"))


def test_complete_jacobian_returns_at_once(published, root):
    """A run that is complete says so, without loading TensorFlow, and leaves every file as it
    is."""
    cwd, steps = published
    before = tree(cwd)
    again = run_process(root, cwd, "compute_jacobian", *steps[0].args[2:])
    assert again.returncode == 0
    assert "complete, with 2 samples" in again.stdout
    assert "device" not in again.stdout
    assert tree(cwd) == before


def test_less_memory_means_a_smaller_batch(run_script, data, monkeypatch):
    """A batch that does not fit is halved until it does, down to one; the result is the same, the
    batch recorded."""
    whole = Generator.jacobian

    def limited(self, ws, size, fused, batch_size, progress, layers):
        if batch_size > limit:
            raise MemoryError(f"a batch of {batch_size}")
        return whole(self, ws, size, fused, batch_size, progress, layers)

    monkeypatch.setattr(Generator, "jacobian", limited)
    command = [
        "compute_jacobian",
        data / "tf_orig_16.pkl",
        "--gpu_id",
        "cpu",
        "--total_num",
        2,
        "--batch_size",
        20,
        "--d_name",
        "tf_skip_64",
    ]
    limit = 5
    run = run_script(*command)
    assert run.status == 0
    assert "going on with --batch_size 5" in run.out
    assert json.loads(JACOBIAN.with_suffix(".json").read_text())["batch_size"] == 5
    few = np.load(JACOBIAN)
    limit = 20
    assert run_script(*command, "--overwrite").status == 0
    np.testing.assert_allclose(few, np.load(JACOBIAN), atol=1e-5 * np.abs(few).max())
    limit = 0
    run = run_script(*command, "--overwrite")
    assert run.status == 2
    assert "not enough memory" in run.err


def test_interrupted_edit(root, data, tmp_path):
    """Ctrl-C keeps the finished rows of an edit on the page, and exits 130 without a traceback."""
    np.save(tmp_path / "d.npy", np.eye(32))
    folder = tmp_path / "outputs" / "manipulations" / "d"
    status, err = interrupt(
        root,
        tmp_path,
        lambda: (folder / "d_direction_00_lowrankgan.json").exists(),
        "manipulate",
        data / "tf_skip_64.pkl",
        "d.npy",
        "--gpu_id",
        "cpu",
        "--end",
        32,
        "--total_num",
        40,
    )
    assert status == 130
    assert "Traceback" not in err
    page = (folder / "manipulate_results_lowrankgan.html").read_text(encoding="utf-8")
    assert '"direction":"d, direction 0","sample":39' in page
    assert "direction 31" not in page
    assert not list(tmp_path.rglob("*.partial"))


def test_scripts_run_from_another_folder_with_odd_names(root, data, tmp_path):
    """Paths with spaces, umlauts and markup in them work from beginning to end."""
    folder = tmp_path / "a b ä <i>&amp;"
    folder.mkdir()
    shutil.copy(data / "tf_orig_16.pkl", folder / "my <net>.pkl")
    np.save(folder / "my <way>.npy", np.eye(24)[:1])
    done = run_process(
        root,
        folder,
        "manipulate",
        "my <net>.pkl",
        "my <way>.npy",
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        1,
        "--step",
        1,
    )
    assert (done.returncode, without_bars(done.stderr)) == (0, [])
    page = next(folder.rglob("*.html")).read_text(encoding="utf-8")
    assert "My &lt;way&gt;, row 0 on my &lt;net&gt;" in page
    assert "<way>" not in page


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
def test_names_that_are_no_text(run_script, data, tmp_path):
    """Files whose names are no UTF-8 are read and named on the page like any other."""
    network, directions = os.fsdecode(b"n\xff.pkl"), os.fsdecode(b"d\xff.npy")
    shutil.copy(data / "tf_orig_16.pkl", network)
    np.save(directions, np.eye(24)[:1])
    run = run_script(
        "manipulate",
        network,
        directions,
        "--gpu_id",
        "cpu",
        "--total_num",
        1,
        "--mani_layers",
        1,
        "--step",
        3,
        "--region",
        "eyes",
    )
    assert (run.status, without_bars(run.err)) == (0, [])
    assert "d?_direction_00_lowrankgan.png: eyes changed" in run.out
    page = next(tmp_path.rglob("*.html")).read_text(encoding="utf-8")
    assert "D?, row 0 on n?" in page


def test_list(run_script):
    """--list shows the known names with what they are, and nothing else is needed."""
    run = run_script("manipulate", "--list")
    assert run.status == 0
    assert re.search(r"^ffhq +network +StyleGAN2 config-f, faces", run.out, re.MULTILINE)
    assert re.search(r"^ffhq1024/eyes_size +directions", run.out, re.MULTILINE)


def test_files_by_address(run_script, data, tmp_path, monkeypatch):
    """Both the network and the directions may be addresses."""
    monkeypatch.setenv("LOWRANKGAN_CACHE", str(tmp_path / "cache"))
    np.save(tmp_path / "d.npy", np.eye(1, 24))
    shutil.copy(data / "tf_orig_16.pkl", tmp_path)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        run = run_script(
            "manipulate",
            f"{url}/tf_orig_16.pkl",
            f"{url}/d.npy",
            "--gpu_id",
            "cpu",
            "--total_num",
            1,
            "--mani_layers",
            "0-5",
        )
        server.shutdown()
    assert run.status == 0, run.err
    assert f"fetching {url}/d.npy to " in run.out
    assert Path("outputs/manipulations/d/manipulate_results_lowrankgan.html").exists()


def test_truncation(run_script, data, generator):
    """At --trunc_psi 0 every code is the mean; on some layers only, it is not."""
    g = generator("tf_orig_16")
    command = [
        "compute_jacobian",
        data / "tf_orig_16.pkl",
        "--gpu_id",
        "cpu",
        "--total_num",
        2,
        "--trunc_psi",
        0,
        "--d_name",
        "tf_skip_64",
    ]
    assert run_script(*command).status == 0
    mean = np.repeat(g.w_avg[None, None], g.num_layers, axis=1)
    for jacobian in np.load(JACOBIAN):
        np.testing.assert_allclose(jacobian, g.jacobian(mean), atol=1e-5 * np.abs(jacobian).max())
    assert run_script(*command, "--trunc_layers", 2, "--output_dir", "some").status == 0
    first, second = np.load(Path("some") / JACOBIAN.name)
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()
    assert (
        "--trunc_psi 0 with --compute_z"
        in run_script(*command, "--compute_z", "--output_dir", "z").err
    )


def test_results_of_other_options_stay(published, run_script, data, tmp_path):
    """An edit of other faces, and directions at another --lamb, go to a new folder that is named;
    the same ones again replace their files."""
    cwd, _ = published
    shutil.copytree(cwd / JACOBIAN.parent, JACOBIAN.parent)
    edit = [
        "manipulate",
        data / "tf_skip_64.pkl",
        cwd / EYES,
        "--gpu_id",
        "cpu",
        "--step",
        2,
        "--animate",
        "webp",
    ]
    find = ["compute_directions", JACOBIAN]
    assert run_script(*edit, "--total_num", 2).status == run_script(*find, "--lamb", 8).status == 0
    before = tree(tmp_path)
    for command, more, folder in (
        (edit, ["--total_num", 1], f"outputs/manipulations/{EYES.stem}"),
        (find, ["--lamb", 9], "outputs/directions"),
    ):
        run = run_script(*command, *more)
        assert (run.status, run.err) == (0, "")
        assert f"{folder} holds results of other options: writing to {folder}_2" in run.out
    after = tree(tmp_path)
    assert {name: after[name] for name in before} == before
    for command, more in ((edit, ["--total_num", 2]), (find, ["--lamb", 8])):
        assert "other options" not in run_script(*command, *more).out
    assert tree(tmp_path).keys() == after.keys()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
        (["A", "a"], ["A", "a_2"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_unique_names(names, expected):
    """Files of one stem get names of their own, that no other has, also where a file system ignores
    case."""
    assert unique_names(names) == expected


def test_directions_of_z(run_script, data, generator, tmp_path):
    """Directions of a z_dataset file do not overwrite those of the w_dataset file; they are walked
    in z: the code is that of the moved z on the layers that are edited."""
    model, folder = data / "tf_orig_16.pkl", Path("outputs/jacobian_seed_4")
    jacobian = ["compute_jacobian", model, "--gpu_id", "cpu", "--total_num", 1, "--compute_z"]
    assert run_script(*jacobian).status == 0
    for space, place in (("w", "outputs/directions"), ("z", "outputs/directions_2")):
        run = run_script(
            "compute_directions", folder / f"{space}_dataset_tf_orig_16.npy", "--lamb", 3
        )
        assert (run.status, f"{place}: directions" in run.out) == (0, True)
    path = Path("outputs/directions_2") / EYES.name
    run = run_script(
        *["manipulate", model, path, "--gpu_id", "cpu", "--total_num", 1, "--mani_layers", "2-4"],
        *["--step", 1, "--start_distance", 1.5, "--save_raw", "--output_dir", "z"],
    )
    assert (run.status, run.err) == (0, "")
    assert "found in z, so z is moved and mapped, for the layers that are edited" in run.out
    g, z = generator("tf_orig_16"), np.random.RandomState(4).randn(1, 24)
    codes, moved = g.mapping(z), g.mapping(z + 1.5 * np.load(path)[0])
    codes[:, 2:5] = moved[:, 2:5]
    expect_images(raw_images(tmp_path / "z", ["mani_000000_ind_000000_000000"]), g.synthesis(codes))
