"""JSON files beside outputs, as this toolkit writes them and as others may."""

import hashlib
import os

import pytest

from utils.files.sidecar import (
    FACTS_SIZE,
    DirectionFacts,
    JacobianFacts,
    read_facts,
    read_json,
    sha256,
    write_facts,
    write_json,
)


def test_json(tmp_path):
    """What is written as JSON is read back; a missing, damaged or foreign file is None."""
    content = {"a": 1, "b": [1.5, None, True], "name": "ä"}
    write_json(tmp_path / "good.json", content)
    assert read_json(tmp_path / "good.json") == content
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "half.json").write_text('{"a": ')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "deep.json").write_text('{"a": ' + "[" * 17 + "]" * 17 + "}")
    for name in ("missing", "list", "half", "binary", "deep"):
        assert read_json(tmp_path / f"{name}.json") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"options": [1]}',
        b'{"options": null}',
        b"{" + b" " * FACTS_SIZE + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=range(9),
)
def test_json_of_another_program(tmp_path, content):
    """A JSON file that this toolkit has not written is none."""
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    assert read_json(path) is None


@pytest.mark.parametrize("kind", ["missing", "good", "cut", "empty", "pipe", "folder", "link"])
def test_facts_that_cannot_be_read(capsys, tmp_path, kind):
    """A JSON file that is there but tells nothing is named, with what is not known without it."""
    path = tmp_path / "facts.json"
    content = {"good": '{"seed": 1}', "cut": '{"a": ', "empty": ""}
    if kind in content:
        path.write_text(content[kind])
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere")
    facts = read_facts(path, DirectionFacts, "its region is")
    assert (facts and facts.seed) == (1 if kind == "good" else None)
    said = capsys.readouterr().err
    if kind in ("missing", "good"):
        assert said == ""
    else:
        assert said.startswith(f"WARNING: {path} is there, but cannot be read")
        assert said.endswith(": its region is not known\n")


def test_json_without_infinity(tmp_path):
    """Infinity and NaN, which are no JSON, are written as null, however deep they lie."""
    write_json(tmp_path / "a.json", {"a": [1.5, float("inf"), {"b": float("nan")}]})
    assert read_json(tmp_path / "a.json") == {"a": [1.5, None, {"b": None}]}


def test_sha256(tmp_path):
    """The digest is hashlib's, whatever the size of the file."""
    content = bytes(range(256)) * 9000
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_facts(monkeypatch, tmp_path):
    """The command, the options, the versions and what is known else are read as written; what is
    not known yet is no key of the file."""
    monkeypatch.setattr("sys.argv", ["script.py", "--seed", "4"])
    facts = JacobianFacts.of_run(
        {"seed": 4}, seed=4, network_sha256="n", latents_sha256=None, samples=2
    )
    assert facts.command == ["python", "script.py", "--seed", "4"]
    assert {"python", "numpy", "scipy", "pillow", "tensorflow"} == set(facts.versions)
    write_facts(tmp_path / "a.json", facts)
    assert read_facts(tmp_path / "a.json", JacobianFacts, "") == facts
    known = ["command", "options", "versions", "seed", "network_sha256", "latents_sha256"]
    assert list(read_json(tmp_path / "a.json")) == [*known, "samples"]
