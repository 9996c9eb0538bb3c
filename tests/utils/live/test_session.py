"""A live session without a page: edits, searches, and what it keeps."""

import os
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dnnlib.errors import InputError
from utils.cli.options import CodeOptions
from utils.editing.edits import DirectionFile
from utils.editing.walk import walk
from utils.files.arrays import write_npy
from utils.files.sidecar import read_json, sha256
from utils.live.finding import Cancelled
from utils.live.keeping import keep, keep_for_page, kept_file
from utils.live.session import LiveInputs, LiveSession
from utils.live.state import State, decode_mask, encode_mask

NETWORK = "tf_skip_64"
FACE = {"number": 1, "seed": 4}
FIND = {"face": FACE, "faces": 1, "region": {"name": "mouth"}, "method": "resefa", "lamb": 4.0}


@pytest.fixture
def session(tmp_path, monkeypatch, generator, data):
    """One with a file of two directions, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    network = generator(NETWORK)
    rows = np.random.RandomState(1).randn(2, network.edit_dim).astype(np.float32)
    write_npy("mine.npy", rows)
    path = Path("mine.npy")
    files = [DirectionFile(path, rows, None, sha256(path), None)]
    network_path = data / f"{NETWORK}.pkl"
    inputs = LiveInputs(
        network_path,
        CodeOptions(),
        files,
        network_sha256=sha256(network_path),
        device=f"device: CPU, {os.cpu_count()} cores",
    )
    with ThreadPoolExecutor(2) as workers:
        yield LiveSession(network, inputs, workers)


def slider(source, row, distance, layers=(0, 1, 2)):
    return {"source": source, "row": row, "distance": distance, "layers": list(layers)}


def test_masks_survive_the_address():
    """A mask is the same after its way through the address, whatever it looks like."""
    random = np.random.RandomState(0)
    for density in (0, 0.01, 0.5, 1):
        mask = random.rand(70, 50) < density
        assert (decode_mask(encode_mask(mask), 70, 50) == mask).all()
    with pytest.raises(InputError, match="3500 pixels; expected 64 x 64"):
        decode_mask(encode_mask(mask), 64, 64)


BAD = {
    "face": {"face": {"number": -1}},
    "source": {"face": FACE, "sliders": [slider("../etc", 0, 1)]},
    "layers": {"face": FACE, "sliders": [slider("d0", 0, 1, [])]},
    "distance": {"face": FACE, "sliders": [slider("d0", 0, float("inf"))]},
    "region": {"face": FACE, "region": {"name": "/etc/passwd"}},
    "finds": {"face": FACE, "finds": [FIND] * 17},
    "method": {"face": FACE, "finds": [FIND | {"method": "__import__"}]},
    "none": {},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_no_state_is_an_error(bad):
    """Whatever the page sends, what is no state ends in an InputError."""
    with pytest.raises(InputError):
        State.from_json(bad)


def test_sliders_add_up(session):
    """The code is that of the face and the sum of all sliders, each on its layers."""
    rows = session.inputs.directions[0].rows
    state = {"face": FACE, "sliders": [slider("d0", 0, 0.5, [0, 1]), slider("d0", 1, -2, [1, 5])]}
    code = session.face_code(State.from_json(state).face)
    expected = walk(code[None], rows[0], [0, 1], np.array([0.5]))[0]
    expected = walk(expected, rows[1], [1, 5], np.array([-2.0]))[0, 0]
    assert np.array_equal(session.code(State.from_json(state)), expected)


def test_numbers_of_each_slider(session):
    """Each slider has the numbers of what it changes alone; the whole has those of all."""
    one = {"face": FACE, "region": {"name": "mouth"}, "sliders": [slider("d0", 0, 0.5)]}
    both = one | {"sliders": [slider("d0", 0, 0.5), slider("d0", 1, 1.5)]}
    alone, whole = (session.image({"state": state}) for state in (one, both))
    assert whole["alone"][0] == pytest.approx(alone["change"], rel=1e-3)
    assert whole["change"] != alone["change"]
    assert session.image({"state": both | {"sliders": []}})["change"][:2] == [0, 0]


def test_a_found_direction_is_what_a_slider_moves_along(session):
    """A search gives rows of equal strength, the same again without another Jacobian."""
    rows = session.find({"find": FIND})["rows"]
    assert rows and all(row["reach"] > 0 and row["numbers"][0] > 0 for row in rows)
    session._finder._generator = None  # a network is not asked again
    assert session.found(State.from_json({"face": FACE, "finds": [FIND]}).finds[0])


def test_a_search_can_be_cancelled(session, monkeypatch):
    """After a wish to end, a search ends with the next batch; the next search is not concerned."""
    jacobian = session.generator.jacobian

    def stopped(*arguments):
        session.progress.cancel()
        return jacobian(*arguments)

    monkeypatch.setattr(session.generator, "jacobian", stopped)
    with pytest.raises(Cancelled):
        session.find({"find": FIND})
    monkeypatch.undo()
    assert session.find({"find": FIND})["rows"]


def test_kept_files_are_made_again_by_their_commands(session, run_script):
    """Each file that is kept is made again, byte for byte, by the command beside it; directions
    also by steps 1 and 2."""
    mask = np.zeros(session.mask_size, bool)
    mask[40:50, 20:44] = True
    region = {"runs": encode_mask(mask)}
    find = FIND | {"region": region, "faces": 2}
    sliders = [slider("d0", 1, 0.5), slider("f0", 0, 0.4, range(10))]
    state = {"face": FACE, "sliders": sliders, "region": region, "finds": [find]}
    files = keep_for_page(session, {"state": state, "name": "mine"})["files"]
    endings = {Path(file["path"]).suffix for file in files}
    assert endings == {".png", ".webp", ".npy"} and len(files) == 6
    content = {file["path"]: Path(file["path"]).read_bytes() for file in files}
    assert (np.load("outputs/live/mine/mine_code.npy").shape[0]) == 1
    directions = next(path for path in content if path.endswith("_projected.npy"))
    facts = read_json(Path(directions).with_suffix(".json"))
    commands = {part for file in files for part in file["command"].split(" && ")}  # three of them
    assert len(commands) == 3
    for command in sorted(commands):
        program, script, *arguments = shlex.split(command)
        assert program == "python"
        for path in content:
            if "directions_img" in path or script == "manipulate.py":  # it must come again
                Path(path).unlink(missing_ok=True)
        assert run_script(script.removesuffix(".py"), *arguments).status == 0
        if script == "compute_jacobian.py":
            continue
        for path, before in content.items():
            if script == "manipulate.py" or "directions_img" in path:
                assert Path(path).read_bytes() == before, (script, path)
    again = read_json(Path(directions).with_suffix(".json"))
    for facts_of in (facts, again):
        facts_of.pop("command")
    assert again == facts


def test_names_lead_nowhere_else(session):
    """What is kept stays in the folder for it; another state gets a folder of its own."""
    for name in ("../up", "/etc/x", "", ".hidden", "-flag", 3, "a/b"):
        with pytest.raises(InputError):
            keep_for_page(session, {"state": {"face": FACE}, "name": name})
    for number in (-1, 0, "0", None):
        with pytest.raises(InputError):
            kept_file(session, {"number": number})
    one, two = (State.from_json({"face": {"number": n, "seed": 4}}) for n in (0, 1))
    folders = [str(keep(session, state, "a")[0].path.parent) for state in (one, two, one)]
    assert folders == ["outputs/live/a", "outputs/live/a_2", "outputs/live/a"]
