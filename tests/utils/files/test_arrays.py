"""Files take their final name only when they are whole, and are read with plain errors."""

import errno
import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dnnlib.errors import InputError
from utils.files import arrays as files


def test_replacing(tmp_path):
    """The final name appears, with its folder, when the block succeeds; until then it is not
    there."""
    path = tmp_path / "new" / "folder" / "file.txt"
    with files.replacing(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_replacing_keeps_the_old_file(tmp_path, error):
    """If the block raises, the old file stays as it was and nothing lies beside it."""
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half():
        with files.replacing(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json(tmp_path):
    """What is written as JSON is read back; a missing, damaged or foreign file is None."""
    content = {"a": 1, "b": [1.5, None, True], "name": "ä"}
    files.write_json(tmp_path / "good.json", content)
    assert files.read_json(tmp_path / "good.json") == content
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "half.json").write_text('{"a": ')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "deep.json").write_text('{"a": ' + "[" * 17 + "]" * 17 + "}")
    for name in ("missing", "list", "half", "binary", "deep"):
        assert files.read_json(tmp_path / f"{name}.json") is None


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i8", "u1"])
def test_npy(tmp_path, dtype):
    """Numbers of any kind are written and read back, whole or a part."""
    array = np.arange(12).reshape(3, 4).astype(dtype)
    files.write_npy(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(files.read_npy(tmp_path / "a.npy", "numbers"), array)
    with files.NpyFile(tmp_path / "a.npy", "numbers") as file:
        np.testing.assert_array_equal(file.read(5, 3), [5, 6, 7])


def test_npy_that_becomes_shorter(tmp_path):
    """What another program cuts off while it is read is an error of one line, not the end of the
    process."""
    files.write_npy(tmp_path / "a.npy", np.arange(12))
    with files.NpyFile(tmp_path / "a.npy", "numbers") as file:
        os.truncate(tmp_path / "a.npy", 150)
        with pytest.raises(InputError, match="shorter while it was read"):
            file.read(8, 4)


def npy(array, **options) -> bytes:
    """The bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def claiming(shape) -> bytes:
    """A .npy file whose header claims a shape that its 8 bytes do not have."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + bytes(8)


WHOLE = npy(np.zeros((5, 4)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no .npy file"),
        (b"hello", "no .npy file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no .npy file"),
        (b"PK\x03\x04" + bytes(100), "no .npy file"),
        (WHOLE[:5], "truncated"),
        (WHOLE[:20], "truncated"),
        (WHOLE[:-1], "287 bytes where 288 are needed"),
        (WHOLE[:-100], "truncated"),
        (WHOLE.replace(b"(5, 4)", b"(9, 4)"), "288 bytes where 416 are needed"),
        (claiming((2**60, 4)), "36893488147419103360 are needed"),
        (claiming((-1, 4)), "no .npy file"),
        (claiming((-1,)), "no .npy file"),
        (claiming((0, 2**70)), "no .npy file"),
        (WHOLE[:8] + b"\xff\x7f" + b"{" * 32767, r"\(Header info length \(32767\)"),
        (WHOLE[:8] + b"\xe7\x03" + b"-" * 999, "header"),
        (npy(np.array([{}], dtype=object), allow_pickle=True), "[Oo]bject"),
        (npy(np.array(["a"])), "<U1"),
        (npy(np.array([True])), "bool"),
        (npy(np.array([1j])), "complex128"),
        (npy(np.zeros(2, "f4,i4")), "f0"),
    ],
    ids=range(20),
)
def test_unusable_npy(tmp_path, content, words):
    """A file that is truncated, foreign, or not of numbers is an error of one line: which, and what
    was expected."""
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        files.read_npy(path, "z codes of the test")
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "expected z codes of the test" in str(caught.value)


def test_objects_in_npy_are_not_executed(tmp_path):
    """A pickle inside a .npy file is not loaded."""

    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "marker",)

    (tmp_path / "bad.npy").write_bytes(npy(np.array([Hostile()], dtype=object), allow_pickle=True))
    with pytest.raises(InputError):
        files.read_npy(tmp_path / "bad.npy", "numbers")
    assert not (tmp_path / "marker").exists()
    np.load(tmp_path / "bad.npy", allow_pickle=True)
    assert (tmp_path / "marker").exists()  # the file is hostile indeed


def test_sample_file(tmp_path):
    """At every moment the partial file is a whole .npy file of the samples so far; then it takes
    its name."""
    samples = (
        np.random.Generator(np.random.PCG64(0)).standard_normal((4, 2, 3, 1, 5)).astype(np.float32)
    )
    output = files.SampleFile(tmp_path / "folder" / "w.npy")
    for n, sample in enumerate(samples, start=1):
        output.append(sample)
        assert output.count == n
        np.testing.assert_array_equal(np.load(output.partial), samples[:n])
        assert not output.path.exists()
    output.finish()
    np.testing.assert_array_equal(files.read_npy(output.path, "samples"), samples)
    assert list(output.path.parent.iterdir()) == [output.path]
    output.close()
    assert output.path.exists()


def test_sample_file_keeps_fewer(tmp_path):
    """keep(n) keeps the first n samples, finish leaves not a byte more."""
    output = files.SampleFile(tmp_path / "w.npy")
    for i in range(3):
        output.append(np.full((2, 3), i))
    output.keep(2)
    output.finish()
    np.testing.assert_array_equal(np.load(output.path)[:, 0, 0], [0, 1])
    assert output.path.stat().st_size == 128 + 2 * 6 * 4


def test_sample_file_interrupted(tmp_path, monkeypatch):
    """Ctrl-C after the header of a sample and before its count leaves a whole file of the samples
    counted."""
    output = files.SampleFile(tmp_path / "w.npy")
    output.append(np.zeros((2, 3)))
    write_header = output._write_header

    def interrupted(count):
        write_header(count)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(output, "_write_header", interrupted)
        output.append(np.ones((2, 3)))
    output.finish()
    assert np.load(output.path).shape == (1, 2, 3)


def test_sample_file_behind_a_link(tmp_path):
    """No file is written through a link that someone has put where samples are collected."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "w.npy.partial").symlink_to("mine")
    with pytest.raises(InputError):
        files.SampleFile(tmp_path / "w.npy", resume=True)
    files.SampleFile(tmp_path / "w.npy").append(np.zeros((2, 3)))
    assert (tmp_path / "mine").read_text() == "mine"


def test_two_partial_files(tmp_path):
    """Of two partial files none is taken for the samples so far."""
    for token in ("0" * 16, "1" * 16):
        np.save(tmp_path / "a.npy", np.zeros((1, 2), np.float32))
        (tmp_path / "a.npy").rename(tmp_path / f"w.npy.{token}.partial")
    with pytest.raises(InputError, match=r"0\.partial and .*1\.partial; expected one"):
        files.find_samples(tmp_path / "w.npy")


def test_sample_file_grows_by_digits(tmp_path):
    """The header has room for a count of more digits: 12 and 150 samples begin at the same place of
    the file."""
    output = files.SampleFile(tmp_path / "w.npy")
    for i in range(150):
        output.append(np.full((2, 3), i))
        if i == 11:
            np.testing.assert_array_equal(np.load(output.partial)[:, 0, 0], range(12))
    output.finish()
    array = np.load(output.path)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.arange(150.0)[:, None, None] * np.ones((2, 3)))


@pytest.mark.parametrize("finished", [False, True])
def test_sample_file_resumed(tmp_path, finished):
    """A file that was left, or finished, goes on with the next sample; bytes after the counted ones
    do not matter."""
    output = files.SampleFile(tmp_path / "w.npy")
    for i in range(2):
        output.append(np.full((2, 3), i))
    if finished:
        output.finish()
    else:
        output.file.seek(0, 2)
        output.file.write(b"half a sample")
    output.close()
    more = files.SampleFile(tmp_path / "w.npy", resume=True)
    assert more.count == 2
    more.append(np.full((2, 3), 2))
    more.finish()
    np.testing.assert_array_equal(np.load(more.path)[:, 0, 0], [0, 1, 2])
    assert more.path.stat().st_size == 128 + 3 * 6 * 4


def test_sample_file_without_a_sample(tmp_path):
    """A file that is closed without a sample leaves nothing, and an older file of the same name
    stays."""
    (tmp_path / "w.npy").write_text("old")
    files.SampleFile(tmp_path / "w.npy").close()
    assert (tmp_path / "w.npy").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["w.npy"]


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
        b"{" + b" " * files.FACTS_SIZE + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=range(9),
)
def test_json_of_another_program(tmp_path, content):
    """A JSON file that this toolkit has not written is none."""
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    assert files.read_json(path) is None


@pytest.mark.parametrize("name", ["a.npy", "a.npy.partial"])
@pytest.mark.parametrize(
    "content", [b"text", WHOLE, npy(np.zeros((2, 3), "f4").T), npy(np.float32(1)), WHOLE[:-1]]
)
def test_sample_file_of_another_program(tmp_path, name, content):
    """What is no file of samples is not gone on with, and stays as it is."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        files.SampleFile(tmp_path / "a.npy", resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {name}
    assert (tmp_path / name).read_bytes() == content


def test_json_without_infinity(tmp_path):
    """Infinity and NaN, which are no JSON, are written as null, however deep they lie."""
    files.write_json(tmp_path / "a.json", {"a": [1.5, float("inf"), {"b": float("nan")}]})
    assert files.read_json(tmp_path / "a.json") == {"a": [1.5, None, {"b": None}]}


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1000, True), (1001, False)])
def test_expect_room(tmp_path, monkeypatch, size, fits):
    """Up to the free bytes of the disk fit, also for a folder still to be made; more is an error
    with both numbers."""
    asked = []
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(Path(path)) or usage)
    folder = tmp_path / "not" / "yet"
    if fits:
        files.expect_room(folder, size)
    else:
        with pytest.raises(InputError, match=r"1\.0 kB free .* expected 1\.0 kB.*--output_dir"):
            files.expect_room(folder, size)
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (4_200_000, "4.2 MB"),
        (134e6, "134 MB"),
        (2.5e9, "2.5 GB"),
        (7e12, "7.0 TB"),
        (7e15, "7000 TB"),
    ],
)
def test_size_text(size, text):
    """Sizes are written for people."""
    assert files.size_text(size) == text


def test_sha256(tmp_path):
    """The digest is hashlib's, whatever the size of the file."""
    content = bytes(range(256)) * 9000
    (tmp_path / "file").write_bytes(content)
    assert files.sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_provenance(monkeypatch):
    """The command, the resolved options, further facts and the versions are there, and can be
    written as JSON."""
    monkeypatch.setattr("sys.argv", ["script.py", "--seed", "4"])
    facts = files.provenance({"seed": 4, "output_dir": Path("a/b")}, region="eyes")
    assert facts["command"] == ["python", "script.py", "--seed", "4"]
    assert facts["options"] == {"seed": 4, "output_dir": "a/b"}
    assert facts["region"] == "eyes"
    assert {"python", "numpy", "scipy", "pillow", "tensorflow"} == set(facts["versions"])
    assert json.loads(json.dumps(facts)) == facts


def test_error_numbers_have_words():
    """The errors of a full disk and of a file limit are told with a remedy."""
    from utils.cli.parser import _describe

    for number in (errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.ENOENT, errno.EISDIR):
        assert _describe(OSError(number, "text", "some/path")).startswith("some/path ")
