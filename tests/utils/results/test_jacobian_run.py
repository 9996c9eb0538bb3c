"""Runs of compute_jacobian.py that are killed, repeated, changed: nothing finished is lost, nothing
broken is named."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dnnlib.errors import InputError
from utils.cli.options import CodeOptions, JacobianOptions
from utils.results.jacobian_run import JacobianRun

SHAPES = {"w": (1, 1, 1, 2)}
CODE_NAMES = {field.name for field in dataclasses.fields(CodeOptions)}

# Runs of 3 samples, each in a process that kills itself, as kill -9 would, before its n-th change
# to the disk; then the same run left alone. Prints how each ended, and the lengths of arrays in
# between.
RUNS = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from utils.cli.options import CodeOptions, JacobianOptions
from utils.results.jacobian_run import JacobianRun
moment = 0
def counted(function):
    def change(*args, **kwargs):
        global moment
        moment -= 1
        if moment == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return change
os.fsync, os.replace, Path.unlink = counted(os.fsync), counted(os.replace), counted(Path.unlink)
write_text = Path.write_text
Path.write_text = counted(Path.write_text)
def run(folder, at):
    global moment
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    moment = at
    options = JacobianOptions("net.pkl", folder, compute_z=True, d_name="d",
                              codes=CodeOptions(total_num=3))
    made = JacobianRun(options, "network")
    if not made.is_complete:
        with made.resumed("CPU", 8, {"w": (2, 2, 1, 4), "z": (2, 2, 1, 3)}, 3):
            for i in range(made.count, 3):
                made.append({"w": np.full((2, 2, 1, 4), i), "z": np.full((2, 2, 1, 3), -i)})
    write_text(folder.with_suffix(".left"), str(moment))
    os._exit(0)
base = Path(sys.argv[1])
assert run(base / "whole", 10**6) == 0
for at in range(1, 10**6 - int((base / "whole.left").read_text()) + 1):
    killed = run(base / str(at), at)
    lengths = [len(np.load(path)) for path in (base / str(at)).glob("*.npy")]
    print(json.dumps([killed, lengths, run(base / str(at), 0)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "facts",
    [
        {"samples": "many"},
        {"batch_size": -1},
        {"samples": [1]},
        {"options": {"seed": "x" * 5000}},
        {"options": {"seed": {}}},
        {"network_sha256": []},
        {"device": {}, "network_sha256": "network", "options": {"seed": 5}},
    ],
)
def test_facts_of_another_program(tmp_path, facts):
    """Facts that no run has written are an error of one line."""
    (tmp_path / "w_dataset_d.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="holds a Jacobian") as caught:
        JacobianRun(options(tmp_path), "network")
    assert len(str(caught.value)) < 1000


def test_killed_at_every_moment(root, tmp_path):
    """Killed before any of its changes to the disk and started again, a run ends with the bytes of
    one left alone; and at no moment is there a broken file under a final name."""
    done = subprocess.run(
        [sys.executable, "-c", RUNS, tmp_path], cwd=root, text=True, capture_output=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    ends = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(ends) > 20
    names = {"w_dataset_d.npy", "w_dataset_d.json", "z_dataset_d.npy", "z_dataset_d.json"}
    assert {path.name for path in (tmp_path / "whole").iterdir()} == names
    for moment, (killed, lengths, again) in enumerate(ends, 1):
        assert (killed, again) == (-9, 0), moment
        assert set(lengths) <= {3}
        folder = tmp_path / str(moment)
        finished = {path.name for path in folder.iterdir() if not path.name.endswith(".partial")}
        assert finished == names
        for space in "wz":
            name = f"{space}_dataset_d.npy"
            assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), moment


def options(folder: Path, **changed) -> JacobianOptions:
    """Those of two samples, unless changed."""
    of_codes = {name: changed.pop(name) for name in CODE_NAMES & changed.keys()}
    codes = CodeOptions(**{"total_num": 2, **of_codes})
    return JacobianOptions("net.pkl", folder, d_name="d", codes=codes, **changed)


def finish(folder: Path, device: str = "CPU", total_num: int = 2, **changed) -> JacobianRun:
    """A run with these options, to its end; each sample is filled with its index."""
    run = JacobianRun(options(folder, total_num=total_num, **changed), "network")
    with run.resumed(device, 8, SHAPES, total_num):
        for i in range(run.count, total_num):
            run.append({"w": np.full((1, 1, 1, 2), i)})
    return run


def test_complete(tmp_path):
    """A complete run repeated, also with fewer samples, has nothing to do."""
    finish(tmp_path)
    for total_num in (1, 2):
        assert JacobianRun(options(tmp_path, total_num=total_num), "network").is_complete
    assert not JacobianRun(options(tmp_path, total_num=3), "network").is_complete


def test_more_samples(tmp_path):
    """A larger total_num keeps the finished samples and adds the rest."""
    finish(tmp_path)
    assert finish(tmp_path, total_num=4).is_complete is False
    np.testing.assert_array_equal(
        np.load(tmp_path / "w_dataset_d.npy").ravel(), [0, 0, 1, 1, 2, 2, 3, 3]
    )
    assert json.loads((tmp_path / "w_dataset_d.json").read_text())["samples"] == 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seed": 5}, "made with --seed 4;"),
        ({"image_size": 64}, "made with --image_size 256;"),
        ({"batch_size": 3}, "made with --batch_size 8;"),
        ({"seed": 5, "compute_z": True}, "--compute_z False"),
    ],
)
def test_changed_option(tmp_path, changed, words):
    """Another option is refused, by its name and old value; --overwrite starts anew."""
    finish(tmp_path)
    with pytest.raises(InputError, match=words):
        JacobianRun(options(tmp_path, total_num=4, **changed), "network")
    if "compute_z" not in changed:
        finish(tmp_path, overwrite=True, **changed)
        assert JacobianRun(options(tmp_path, **changed), "network").is_complete


def damage_count(folder: Path) -> None:
    facts = json.loads((folder / "w_dataset_d.json").read_text())
    (folder / "w_dataset_d.json").write_text(json.dumps(facts | {"samples": 5}))


def damage_length(folder: Path) -> None:
    with open(folder / "w_dataset_d.npy", "ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "w_dataset_d.json").unlink(), "has no JSON file beside it"),
        (
            lambda folder: (folder / "w_dataset_d.json").write_text('{"options": '),
            "has no JSON file beside it",
        ),
        (
            lambda folder: (folder / "w_dataset_d.npy").unlink(),
            "counts 2 samples, but w_dataset_d.npy is not there",
        ),
        (damage_count, r"has shape \[2, 1, 1, 1, 2\], but its JSON file counts 5 samples"),
        (damage_length, "has 4 bytes behind the 2 samples of its header"),
        (
            lambda folder: np.save(folder / "w_dataset_d.npy", np.zeros((2, 1, 1, 1, 3), "f4")),
            "counts 2 samples of",
        ),
    ],
)
def test_files_that_disagree(tmp_path, damage, words):
    """Header, length and JSON file of what is there must agree; what does not is refused, and stays
    as it is."""
    finish(tmp_path)
    damage(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=words):
        JacobianRun(options(tmp_path, total_num=3), "network")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    finish(tmp_path, overwrite=True)


def test_samples_of_another_shape(tmp_path):
    """Samples of another shape than the network's are not appended to, also where the JSON file has
    no shape."""
    finish(tmp_path)
    facts = json.loads((tmp_path / "w_dataset_d.json").read_text())
    del facts["sample_shape"]
    (tmp_path / "w_dataset_d.json").write_text(json.dumps(facts))
    jacobians = JacobianRun(options(tmp_path, total_num=3), "network")
    with (
        pytest.raises(
            InputError, match=r"samples of shape \[1, 1, 1, 2\]; expected \[1, 1, 1, 9\]"
        ),
        jacobians.resumed("CPU", 8, {"w": (1, 1, 1, 9)}, 3),
    ):
        pass
    assert len(np.load(tmp_path / "w_dataset_d.npy")) == 2


def test_another_network(tmp_path):
    """A Jacobian of another network is not gone on with."""
    finish(tmp_path)
    with pytest.raises(InputError, match="made with another network"):
        JacobianRun(options(tmp_path), "other")


def test_other_latent_codes(tmp_path):
    """Codes of another file are not mixed in, whatever its name; the same codes may have moved."""
    jacobians = JacobianRun(options(tmp_path, latent_path="a.npz"), "network", "hash")
    with jacobians.resumed("CPU", 8, SHAPES, 2):
        jacobians.append({"w": np.zeros((1, 1, 1, 2))})
    assert JacobianRun(
        options(tmp_path, total_num=1, latent_path="b.npz"), "network", "hash"
    ).is_complete
    for latents_hash in (None, "other"):
        with pytest.raises(InputError, match="made with other latent codes"):
            JacobianRun(options(tmp_path, latent_path="a.npz"), "network", latents_hash)


def test_all_codes_of_a_file(tmp_path):
    """Without total_num a run is complete when one of all codes was; one of some codes is gone on
    with."""

    def run(total_num, count):
        jacobians = JacobianRun(options(tmp_path, total_num=total_num), "network", "hash")
        if not jacobians.is_complete:
            with jacobians.resumed("CPU", 8, SHAPES, total_num or 3):  # as many as there are
                for _ in range(jacobians.count, count):
                    jacobians.append({"w": np.zeros((1, 1, 1, 2))})
        return jacobians.is_complete

    assert [run(2, 2), run(2, 2), run(None, 2), run(None, 3), run(None, 3), run(3, 3)] == [
        False,
        True,
        False,
        False,
        True,
        True,
    ]


def test_another_device(tmp_path):
    """Samples of two devices are not mixed, since their bytes differ."""
    finish(tmp_path)
    with pytest.raises(InputError, match="made on CPU; expected the same, not GPU"):
        finish(tmp_path, device="GPU", total_num=3)
    assert len(np.load(tmp_path / "w_dataset_d.npy")) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, MemoryError])
def test_interrupted(tmp_path, error, capsys):
    """Whatever ends a run, the finished samples take the final name, and the same options go on
    with the rest."""
    jacobians = JacobianRun(options(tmp_path, total_num=3), "network")
    with pytest.raises(error), jacobians.resumed("CPU", 8, SHAPES, 3):
        jacobians.append({"w": np.full((1, 1, 1, 2), 0)})
        raise error
    assert "the same command goes on with the rest" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load(tmp_path / "w_dataset_d.npy").ravel(), [0, 0])
    assert json.loads((tmp_path / "w_dataset_d.json").read_text())["complete"] is False
    finish(tmp_path, total_num=3)
    np.testing.assert_array_equal(np.load(tmp_path / "w_dataset_d.npy").ravel(), [0, 0, 1, 1, 2, 2])


def test_halved_batch_is_remembered(tmp_path):
    """After half a batch was too much, a later run begins with what fitted."""
    jacobians = JacobianRun(options(tmp_path, total_num=3), "network")
    with pytest.raises(KeyboardInterrupt), jacobians.resumed("CPU", 8, SHAPES, 3):
        jacobians.halve_batch()
        jacobians.append({"w": np.zeros((1, 1, 1, 2))})
        raise KeyboardInterrupt
    assert finish(tmp_path, total_num=3).batch_size == 4
