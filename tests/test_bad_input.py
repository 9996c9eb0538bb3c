"""Bad input ends in one line on stderr that says what was found and what to do, status 2, and no
file."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from script_process import run_process

MODEL, LABELS = (
    "model.pkl",
    "labels.pkl",
)  # 16 x 16 without classes, 6 layers; 32 x 32 with 5 classes; w of 24 and 32
CPU = ["--gpu_id", "cpu"]


@pytest.fixture
def inputs(tmp_path, data, edited) -> Path:
    """The working directory of `run_script`, filled with good and bad files."""
    files = tmp_path
    shutil.copy(data / "tf_orig_16.pkl", files / MODEL)
    shutil.copy(data / "tf_label_32.pkl", files / LABELS)
    content = (files / MODEL).read_bytes()
    (files / "cut.pkl").write_bytes(content[: len(content) // 2])
    (files / "empty").write_bytes(b"")
    (files / "text.txt").write_text("hello, this is some text\n")
    Image.new("RGB", (8, 8)).save(files / "picture.png")
    (files / "hostile.pkl").write_bytes(b"cposix\nsystem\n(S'touch marker'\ntR.")
    (files / "folder").mkdir()
    generator = np.random.Generator(np.random.PCG64(0))
    jacobian = generator.standard_normal((2, 16, 16, 1, 24), np.float32)
    for name, value in (("nan", np.nan), ("infinity", np.inf)):
        bad = jacobian.copy()
        bad[0, 7, 8, 0, 3] = value
        np.save(files / f"jacobian_{name}.npy", bad)
        np.save(files / f"directions_{name}.npy", [[1.0] * 23 + [value]])
        np.save(files / f"z_{name}.npy", [[1.0] * 23 + [value]])
    np.save(files / "jacobian.npy", jacobian)
    np.save(files / "jacobian_1.npy", jacobian[:, :1, :1])
    np.save(files / "directions.npy", np.eye(24)[:2])
    np.save(files / "directions_25.npy", np.eye(25)[:2])
    np.save(files / "directions_none.npy", np.zeros((0, 24)))
    np.save(files / "z_23.npy", np.zeros((2, 23)))
    np.save(files / "w_plus.npy", np.zeros((2, 6, 24)))
    np.save(files / "w_plus_14.npy", np.ones((2, 14, 1)) * 2 * np.eye(14, 24))
    np.savez(files / "several.npz", here=np.zeros((2, 24)), there=np.zeros((2, 24)))
    np.save(files / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(files / "flags.npy", jacobian > 0)
    Image.new("L", (8, 8), 4).save(files / "labels.png")
    (files / "masks").mkdir()
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(files / "masks" / "mask_number_0000.png")
    (files / "cut.npy").write_bytes((files / "jacobian.npy").read_bytes()[:-4])
    return files


def check(run, words, files, before) -> None:
    """Status 2, one line on stderr with these words, nothing new on the disk."""
    assert run.status == 2
    lines = run.err.splitlines()
    assert len(lines) == 1, run.err
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert listing(files) == before


def listing(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# What the two scripts that read a network have in common: the first argument, and words of the
# error.
NETWORKS = [
    ("missing.pkl", ["missing.pkl", "is not there", "check the path"]),
    ("cut.pkl", ["cut.pkl", "truncated", "xpected a generator of StyleGAN"]),
    ("empty", ["empty is empty", "xpected a generator of StyleGAN"]),
    ("text.txt", ["text.txt is text that begins with 'hello", "xpected a generator of StyleGAN"]),
    ("picture.png", ["picture.png is a PNG picture", "xpected a generator of StyleGAN"]),
    ("hostile.pkl", ["hostile.pkl asks for posix.system", "nothing was executed"]),
    ("folder", ["folder is a folder; expected a file"]),
    ("directions.npy", ["directions.npy holds an array [2, 24]"]),
    ("text.txt/model.pkl", ["text.txt/model.pkl", "no folder"]),
]


@pytest.mark.parametrize(("path", "words"), NETWORKS)
@pytest.mark.parametrize("script", ["compute_jacobian", "manipulate"])
def test_unusable_network(run_script, inputs, script, path, words):
    """A missing, truncated, foreign or hostile network file is named, and nothing in it is
    executed."""
    before = listing(inputs)
    run = run_script(script, path, *(["directions.npy"] if script == "manipulate" else []), *CPU)
    check(run, words, inputs, before)
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        (
            "architecture",
            "pyramid",
            ["architecture is 'pyramid'", "expected one of skip, orig, resnet"],
        ),
        ("surprise", 7, ["setting surprise = 7"]),
        ("resolution", 32, ["lacks the array synthesis/"]),
    ],
)
def test_unsupported_architecture(run_script, edited, tmp_path, setting, value, words):
    """A network of another kind is refused with the name of what is not supported."""

    def edit(state):
        for network in (state, *state["components"].values()):
            network["static_kwargs"][setting] = value

    path = edited("tf_orig_16", edit)
    check(run_script("compute_jacobian", path, *CPU), words, tmp_path, {path.name})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.npy"], ["missing.npy is not there", "check the path"]),
        (["folder"], ["folder is a folder"]),
        (["cut.npy"], ["cut.npy is truncated", "expected a Jacobian"]),
        (["empty"], ["empty is truncated", "expected a Jacobian"]),
        (["text.txt"], ["text.txt is truncated, damaged or no .npy file", "expected a Jacobian"]),
        (
            ["picture.png"],
            ["picture.png is truncated, damaged or no .npy file", "expected a Jacobian"],
        ),
        (["objects.npy"], ["objects.npy", "expected a Jacobian"]),
        (["flags.npy"], ["flags.npy holds values of type bool"]),
        (
            ["directions.npy"],
            ["directions.npy has shape [2, 24]", "expected a Jacobian [N, H, W, 1, w_dim]"],
        ),
        (
            ["jacobian.npy", "--region", "ears"],
            ["'ears' is not known", "eyes", "mouth", "hair", "point_eye"],
        ),
        (["jacobian.npy", "--region", ""], ["--region: '' given; expected a value"]),
        (
            ["jacobian.npy", "--region", "mouth", "--box", "1,2,3,4"],
            ["--box: not allowed with argument --region"],
        ),
        (
            ["jacobian.npy", "--mask", "picture.png", "--segmentation", "labels.png"],
            ["not allowed with", "--help"],
        ),
        (
            ["jacobian.npy", "--box", "1,2,3"],
            ["--box: '1,2,3' given; expected four whole numbers", "120,128,20,115"],
        ),
        (["jacobian.npy", "--box", "1,2,3,x"], ["--box: '1,2,3,x' given"]),
        (
            ["jacobian.npy", "--box", "9,9,0,4"],
            ["--box: box 9,9,0,4 has no pixel inside; expected a height and a width"],
        ),
        (
            ["jacobian.npy", "--box", "9,900,4,4"],
            ["--box: box 9,900,4,4 lies outside the image; expected"],
        ),
        (
            ["jacobian.npy", "--box", "128,128,256,256"],
            ["box_128_128_256_256 has no pixel outside", "another region"],
        ),
        (["jacobian.npy", "--mask", "missing.png"], ["missing.png is not there"]),
        (
            ["jacobian.npy", "--mask", "text.txt"],
            ["text.txt is truncated, damaged or no PNG", "expected a mask [H, W]"],
        ),
        (
            ["jacobian.npy", "--mask", "picture.png"],
            ["picture.png has no pixel inside", "expected a mask"],
        ),
        (
            ["jacobian.npy", "--mask", "directions_none.npy"],
            ["directions_none.npy has shape [0, 24]; expected a mask"],
        ),
        (
            ["jacobian.npy", "--mask", "jacobian.npy"],
            ["jacobian.npy has shape [2, 16, 16, 1, 24]; expected a mask"],
        ),
        (["jacobian.npy", "--mask", "cut.npy"], ["cut.npy is truncated", "expected a mask"]),
        (
            ["jacobian.npy", "--mask", "masks"],
            ["masks has no file for sample 1; expected one", "number_0001.png"],
        ),
        (
            ["jacobian.npy", "--segmentation", "labels.png"],
            ["--segmentation without --labels", "l_eye,r_eye"],
        ),
        (["jacobian.npy", "--labels", "4"], ["--labels without --segmentation"]),
        (
            ["jacobian.npy", "--segmentation", "labels.png", "--labels", "ear"],
            ["'ear' is not a known label", "l_ear"],
        ),
        (
            ["jacobian.npy", "--segmentation", "labels.png", "--labels", ""],
            ["--labels: '' given; expected a value"],
        ),
        (
            ["jacobian.npy", "--segmentation", "labels.png", "--labels", "-1"],
            ["'-1' is not a known label"],
        ),
        (
            ["jacobian.npy", "--segmentation", "labels.png", "--labels", "5"],
            ["--labels", "no pixel of label 5", "choose among 4"],
        ),
        (
            ["jacobian.npy", "--segmentation", "labels.png", "--labels", "4"],
            ["no pixel outside", "another region"],
        ),
        (
            ["jacobian.npy", "--segmentation", "picture.png", "--labels", "4"],
            ["no pixel of label 4", "among 0"],
        ),
        (
            ["jacobian.npy", "--segmentation", "labels.png", "--labels", "hair"],
            ["13 in those of celebamask", "--parser"],
        ),
        (["jacobian.npy", "--parser", "bisenet"], ["--parser without --segmentation"]),
        (
            ["jacobian.npy", "--segmentation", "folder", "--labels", "4"],
            ["folder has no file for sample 0"],
        ),
        (["jacobian.npy", "--region", "Mouth"], ["'Mouth' is not known: did you mean mouth?"]),
        (["jacobian.npy", "--region", "eyes,mouths"], ["'mouths' is not known", "mean mouth?"]),
        ([MODEL], ["model.pkl looks like a network", "run compute_jacobian.py on it first"]),
        (["jacobian.npy", "--method", "pca"], ["--method", "pca", "lowrank", "resefa", "--help"]),
        (["jacobian.npy", "--lamb", "0"], ["--lamb", "expected a positive"]),
        (["jacobian.npy", "--lamb", "-3"], ["--lamb", "expected a positive"]),
        (["jacobian.npy", "--lamb", "nan"], ["--lamb: nan given; expected a finite number"]),
        (["jacobian.npy", "--lamb", "many"], ["--lamb", "many"]),
        (
            ["jacobian.npy", "--max_iter", "0"],
            ["--max_iter: 0 given; expected a whole number, 1 or more"],
        ),
        (["jacobian.npy", "--max_iter", "-5"], ["--max_iter: -5 given"]),
        (
            ["jacobian.npy", "--num_relax", "-1"],
            ["--num_relax: -1 given; expected a whole number, 0 or more"],
        ),
        (["jacobian.npy", "--number", "3"], ["--number", "--help"]),
        (["jacobian.npy", "more.npy"], ["more.npy", "--help"]),
        ([], ["jaco_path", "--help"]),
    ],
)
def test_compute_directions(run_script, inputs, arguments, words):
    """Whatever compute_directions.py cannot use is told before any work, and before a progress
    bar."""
    before = listing(inputs)
    check(run_script("compute_directions", *arguments), words, inputs, before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["jacobian_nan.npy"], ["NaN or infinity", "compute it again"]),
        (["jacobian_infinity.npy"], ["NaN or infinity", "compute it again"]),
        (["jacobian_1.npy"], ["no pixel"]),
        (["jacobian.npy", "--lamb", "1000"], ["rank 0", "lower --lamb"]),
        (
            ["jacobian.npy", "--lamb", "1000", "--pool"],
            ["the pool has foreground rank 0", "lower --lamb"],
        ),
        (["jacobian_nan.npy", "--pool"], ["jacobian_nan.npy, sample 0", "NaN or infinity"]),
        (["jacobian.npy", "--output_dir", "text.txt", "--lamb", "3"], ["text.txt", "--output_dir"]),
        (
            ["jacobian.npy", "--output_dir", "text.txt/below", "--lamb", "3"],
            ["text.txt/below", "another path"],
        ),
    ],
)
def test_compute_directions_at_work(run_script, inputs, arguments, words):
    """What shows only at work is told in the last line, after the bar, and leaves no file
    either."""
    before = listing(inputs)
    run = run_script("compute_directions", *arguments)
    lines = [line for line in re.split(r"[\r\n]+", run.err) if line.strip()]
    assert [line for line in lines if not re.search(r"\d+%\|| \d+/\d+ \[", line)] == lines[-1:]
    check(run._replace(err=lines[-1]), words, inputs, before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            [MODEL, "--image_size", "0"],
            ["--image_size: 0 given; expected a whole number, 1 or more"],
        ),
        ([MODEL, "--image_size", "-1"], ["--image_size: -1 given"]),
        ([MODEL, "--batch_size", "0"], ["--batch_size: 0 given"]),
        ([MODEL, "--total_num", "0"], ["--total_num: 0 given"]),
        ([MODEL, "--total_num", "two"], ["--total_num", "two"]),
        ([MODEL, "--seed", "-1"], ["--seed: -1 given; expected a whole number, 0 to 4294967295"]),
        ([MODEL, "--class_index", "-1"], ["--class_index: '-1' given"]),
        ([MODEL, "--colour", "red"], ["--colour red", "--help"]),
        ([], ["restore_path", "--help"]),
        ([MODEL, *CPU, "--class_index", "0"], ["--class_index: 0 is", "no classes"]),
        ([LABELS, *CPU, "--class_index", "5"], ["--class_index: 5 is", "expected 0 to 4"]),
        ([MODEL, "--gpu_id", "99"], ["--gpu_id: 99 is not there", "expected one of", "cpu"]),
        ([MODEL, "--gpu_id", "-1"], ["--gpu_id: -1 is not there", "cpu"]),
        ([MODEL, "--gpu_id", "first"], ["--gpu_id: first is not there", "cpu"]),
        (
            [MODEL, *CPU, "--latent_path", "w_plus.npy", "--compute_z"],
            ["--compute_z: not with the w+ codes of w_plus.npy"],
        ),
        (
            [MODEL, *CPU, "--output_dir", "text.txt"],
            ["text.txt exists and is no folder", "--output_dir"],
        ),
        ([MODEL, *CPU, "--output_dir", "text.txt/below"], ["text.txt/below", "another path"]),
    ],
)
def test_compute_jacobian(run_script, inputs, arguments, words):
    """Whatever compute_jacobian.py cannot use is told before the work."""
    before = listing(inputs)
    check(run_script("compute_jacobian", *arguments), words, inputs, before)


@pytest.mark.parametrize("more", [[], ["--compute_z"], ["--no-fused_channel"]])
def test_no_room_for_the_jacobian(run_script, inputs, monkeypatch, more):
    """Without room on the disk for all samples the work does not begin, and both sizes are told."""
    before = listing(inputs)
    size = (
        5
        * 16
        * 16
        * 24
        * 4
        * (2 if "--compute_z" in more else 3 if "--no-fused_channel" in more else 1)
    )
    usage = type("Usage", (), {"free": size - 1})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    check(
        run_script("compute_jacobian", MODEL, *CPU, *more),
        ["free on the disk", "--output_dir"],
        inputs,
        before,
    )
    usage.free = size
    assert run_script("compute_jacobian", MODEL, *CPU, *more).status == 0


@pytest.mark.parametrize(
    ("matrix", "arguments", "words"),
    [
        ("missing.npy", [], ["missing.npy is not there"]),
        ("folder", [], ["folder is a folder"]),
        (
            "text.txt",
            [],
            ["text.txt is text that begins with 'hello", "xpected directions [K, w_dim]"],
        ),
        ("picture.png", [], ["picture.png is a PNG picture", "xpected directions"]),
        (MODEL, [], ["model.pkl is a network", "xpected directions"]),
        ("objects.npy", [], ["objects.npy", "xpected directions"]),
        (
            "jacobian.npy",
            [],
            ["jacobian.npy has shape [2, 16, 16, 1, 24], as a Jacobian has", "xpected directions"],
        ),
        ("directions_none.npy", [], ["directions_none.npy has shape [0, 24]"]),
        ("directions_nan.npy", [], ["directions_nan.npy holds NaN, infinity"]),
        ("directions_infinity.npy", [], ["directions_infinity.npy holds NaN, infinity"]),
        (
            "directions_25.npy",
            [],
            ["directions_25.npy has directions of 25 dimensions", "expected 24 for this network"],
        ),
        (
            "directions.npy",
            ["--start", "2", "--end", "3"],
            ["--start 2 of directions.npy, which has 2 rows: --start 0 to 1"],
        ),
        ("directions.npy", ["--end", "3"], ["--start 0 --end 3", "<= 2"]),
        (
            "directions.npy",
            ["--start", "2"],
            ["--start 2 of directions.npy, which has 2 rows: --start 0 to 1"],
        ),
        (
            "directions.npy",
            ["--distance", "1", "--end_distance", "2"],
            ["--distance with --end_distance"],
        ),
        (
            "directions.npy",
            ["--change", "0.2", "--distance", "3"],
            ["--change with --distance"],
        ),
        (
            "directions.npy",
            ["--contact_sheet", "--animate", "gif"],
            ["--contact_sheet with --animate"],
        ),
        (
            "directions.npy",
            ["--contact_sheet", "--start_distance", "0"],
            ["--contact_sheet with --start_distance"],
        ),
        ("directions.npy", ["--trunc_layers", "2"], ["--trunc_layers 2 without --trunc_psi"]),
        (
            "directions.npy",
            ["--start", "-1"],
            ["--start: -1 given; expected a whole number, 0 or more", "mean --start_distance?"],
        ),
        ("*.pt", ["--mani_layers", "1"], ["no file is called *.pt"]),
        ("folder", ["--mani_layers", "1"], ["folder is a folder without .npy files"]),
        ("directions.npy", ["--end", "0"], ["--end: 0 given; expected a whole number, 1 or more"]),
        ("directions.npy", ["--mani_layers", "6"], ["layer 6", "expected 0 to 5"]),
        ("directions.npy", [], ["layer 7", "expected 0 to 5"]),
        (
            "directions.npy",
            ["--mani_layers", "1;2"],
            ["--mani_layers: '1;2' given; expected layers such as"],
        ),
        ("directions.npy", ["--mani_layers", ""], ["--mani_layers: '' given"]),
        ("directions.npy", ["--mani_layers", "5-3"], ["--mani_layers: '5-3' given"]),
        ("directions.npy", ["--mani_layers", "-1"], ["--mani_layers"]),
        (
            "directions.npy",
            ["--start_distance", "nan"],
            ["--start_distance: nan given; expected a finite number"],
        ),
        (
            "directions.npy",
            ["--end_distance", "inf"],
            ["--end_distance: inf given; expected a finite number"],
        ),
        ("directions.npy", ["--step", "0"], ["--step: 0 given"]),
        ("directions.npy", ["--total_num", "-2"], ["--total_num: -2 given"]),
        ("directions.npy", ["--gpu_id", "7"], ["--gpu_id: 7 is not there"]),
        ("directions.npy", ["--class_index", "1"], ["--class_index: 1 is", "no classes"]),
        ("directions.npy", ["--latent_space", "w"], ["--latent_space w without --latent_path"]),
        ("directions.npy", ["--latent_space", "x"], ["--latent_space", "auto", "wp", "--help"]),
        (
            "directions.npy",
            ["--latent_path", "w_plus.npy", "--total_num", "3"],
            ["--total_num: 3 of w_plus.npy", "most 2"],
        ),
        (
            "w_plus_14.npy",
            [],
            ["w_plus_14.npy has 14 vectors for a direction; expected 6, one for each layer"],
        ),
        (
            "directions.npy",
            ["--per_layer"],
            ["directions.npy has 2 vectors for a direction; expected 6", "--per_layer"],
        ),
        (
            "jacobian.npy",
            ["--per_layer"],
            ["jacobian.npy has shape", "xpected a direction [L, w_dim] for --per_layer"],
        ),
        (
            "directions.npy",
            ["--mani_layers", "1", "--output_dir", "text.txt"],
            ["text.txt", "--output_dir"],
        ),
        ("directions.npy", ["--colour", "red"], ["--colour red", "--help"]),
        (
            "directions.npy",
            ["directions_25.npy", "--mani_layers", "1"],
            ["directions_25.npy has directions of 25"],
        ),
        ("directions.npy", ["missing.npy"], ["missing.npy is not there"]),
        (
            "directions.npy",
            ["--end", "-2"],
            ["--end: -2 given; expected a whole number, 1 or more, or -1 for all rows"],
        ),
        ("directions.npy", ["--start", "2", "--end", "-1"], ["--start 2 --end -1", "<= 2"]),
        (
            "directions.npy",
            ["--distance", "far"],
            ["--distance: far given; expected auto or a positive number"],
        ),
        (
            "directions.npy",
            ["--distance", "-1"],
            ["--distance: -1 given; expected auto or a positive number"],
        ),
        ("directions.npy", ["--change", "0"], ["--change: 0 given; expected a positive number"]),
        ("directions.npy", ["--animate", "mp4"], ["--animate", "mp4", "gif", "webp"]),
        ("directions.npy", ["--region", "ears"], ["'ears' is not known", "eyes"]),
        (
            "directions.npy",
            ["--mask", "missing.png", "--mani_layers", "1"],
            ["missing.png is not there"],
        ),
        (
            "directions.npy",
            ["--mani_layers", "1", "--distance", "auto"],
            ["directions has no region beside it", "such as --region eyes"],
        ),
        (
            "directions.npy",
            ["--mani_layers", "1", "--contact_sheet"],
            ["directions has no region beside it", "such as --region eyes"],
        ),
    ],
)
def test_manipulate(run_script, inputs, matrix, arguments, words):
    """Whatever manipulate.py cannot use is told before the work."""
    before = listing(inputs)
    if "--gpu_id" not in arguments:
        arguments = [*arguments, *CPU]
    run = run_script("manipulate", MODEL, matrix, *arguments)
    if (
        "text.txt" in arguments and "--output_dir" in arguments
    ):  # found when the first file is written
        run = run._replace(err=re.split(r"[\r\n]+", run.err.strip())[-1])
    check(run, words, inputs, before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.npy"], ["missing.npy is not there"]),
        (["folder"], ["folder is a folder"]),
        (["empty"], ["empty is empty", "xpected latent codes"]),
        (["text.txt"], ["text.txt is text that begins with", "xpected latent codes"]),
        ([MODEL], ["model.pkl is a network", "xpected latent codes"]),
        (["hostile.pkl"], ["hostile.pkl is a pickle of protocol 0"]),
        (["cut.npy"], ["cut.npy is truncated or damaged", "xpected latent codes"]),
        (["objects.npy"], ["objects.npy holds", "xpected latent codes"]),
        (["several.npz"], ["several.npz holds 'here', 'there'", "save them by themselves"]),
        (["jacobian.npy"], ["jacobian.npy has shape [2, 16, 16, 1, 24]"]),
        (
            ["directions.npy"],
            ["directions.npy has rows no longer than 1, as directions have", "--latent_space"],
        ),
        (["z_23.npy"], ["z_23.npy has codes of 23 dimensions", "expected 24"]),
        (["z_nan.npy"], ["z_nan.npy holds NaN, infinity"]),
        (["z_infinity.npy"], ["z_infinity.npy holds NaN, infinity"]),
        (
            ["w_plus.npy", "--latent_space", "z"],
            ["w_plus.npy has shape [2, 6, 24]; expected z codes [N, 24]"],
        ),
        (
            ["w_plus_14.npy"],
            ["w_plus_14.npy has w+ codes of 14 layers, as a network of 256 x 256", "expected 6"],
        ),
        (
            ["w_plus.npy", "--trunc_psi", "0.5"],
            ["--trunc_psi: not with the w+ codes of w_plus.npy"],
        ),
        (
            ["w_plus.npy", "--class_index", "0"],
            ["--class_index: not with the w+ codes of w_plus.npy"],
        ),
    ],
)
@pytest.mark.parametrize("script", ["compute_jacobian", "manipulate"])
def test_latent_codes(run_script, inputs, script, arguments, words):
    """Latent codes that cannot be used, or not in this way, are told before the work."""
    before = listing(inputs)
    directions = ["directions.npy"] if script == "manipulate" else []
    check(
        run_script(script, MODEL, *directions, *CPU, "--latent_path", *arguments),
        words,
        inputs,
        before,
    )
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        ("compute_jacobian", ["hostile.pkl", *CPU], ["hostile.pkl asks for posix.system"]),
        ("manipulate", [MODEL, "directions_25.npy", *CPU], ["25 dimensions", "expected 24"]),
        ("compute_directions", ["jacobian.npy", "--region", "ears"], ["'ears'", "mouth"]),
        ("compute_directions", ["--what"], ["--help"]),
    ],
)
def test_as_a_process(root, inputs, script, arguments, words):
    """The same holds for a process: status 2, one line, also under TensorFlow's start-up
    chatter."""
    before = listing(inputs)
    done = run_process(root, inputs, script, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words)
    assert listing(inputs) == before


@pytest.mark.parametrize("limit", [20, 100, 1000, 2000])
def test_disk_full_under_directions(root, inputs, limit):
    """When a file cannot be written to its end, none of it is left under any name, and the error is
    one line."""
    resource = pytest.importorskip("resource")  # not on Windows

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = run_process(
        root, inputs, "compute_directions", "jacobian.npy", "--lamb", 3, preexec_fn=limited
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not list(inputs.rglob("*.partial"))
    for path in (inputs / "outputs").rglob("*.npy"):
        assert np.load(path).shape[1] == 24  # what is there is whole
    for path in (inputs / "outputs").rglob("*.json"):
        json.loads(path.read_text())


def test_disk_full_under_the_jacobian(root, inputs):
    """When the disk is full between the samples, the finished ones are a whole file, the error is
    one line, and with room again the run goes on to the bytes of one that had room all the time."""
    resource = pytest.importorskip("resource")  # not on Windows

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))

    done = run_process(root, inputs, "compute_jacobian", MODEL, *CPU, preexec_fn=limited)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    path = inputs / "outputs/jacobian_seed_4/w_dataset_model.npy"
    assert len(np.load(path)) == 2  # of 24,576 bytes each
    assert not list(inputs.rglob("*.partial*"))
    assert run_process(root, inputs, "compute_jacobian", MODEL, *CPU).returncode == 0
    assert (
        run_process(
            root, inputs, "compute_jacobian", MODEL, *CPU, "--output_dir", "whole"
        ).returncode
        == 0
    )
    assert path.read_bytes() == (inputs / "whole" / path.name).read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_no_permission(run_script, inputs):
    """A file that may not be read, or a folder that may not be written to, is named with the
    remedy."""
    Path(MODEL).chmod(0)
    Path("folder").chmod(0o500)
    assert "permissions" in run_script("compute_jacobian", MODEL, *CPU).err
    run = run_script("compute_directions", "jacobian.npy", "--lamb", "3", "--output_dir", "folder")
    assert "permissions" in run.err
