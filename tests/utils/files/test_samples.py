"""Files of samples grow, are interrupted, and go on."""

import io
import os

import numpy as np
import pytest

from dnnlib.errors import InputError
from utils.files.arrays import read_npy
from utils.files.samples import SampleFile, find_samples


def npy(array, **options) -> bytes:
    """The bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


WHOLE = npy(np.zeros((5, 4)))


def test_sample_file(tmp_path):
    """At every moment the partial file is a whole .npy file of the samples so far; then it takes
    its name."""
    samples = (
        np.random.Generator(np.random.PCG64(0)).standard_normal((4, 2, 3, 1, 5)).astype(np.float32)
    )
    output = SampleFile(tmp_path / "folder" / "w.npy")
    for n, sample in enumerate(samples, start=1):
        output.append(sample)
        assert output.count == n
        np.testing.assert_array_equal(np.load(output.partial), samples[:n])
        assert not output.path.exists()
    output.finish()
    np.testing.assert_array_equal(read_npy(output.path, "samples"), samples)
    assert list(output.path.parent.iterdir()) == [output.path]
    output.close()
    assert output.path.exists()


def test_sample_file_keeps_fewer(tmp_path):
    """keep(n) keeps the first n samples, finish leaves not a byte more."""
    output = SampleFile(tmp_path / "w.npy")
    for i in range(3):
        output.append(np.full((2, 3), i))
    output.keep(2)
    output.finish()
    np.testing.assert_array_equal(np.load(output.path)[:, 0, 0], [0, 1])
    assert output.path.stat().st_size == 128 + 2 * 6 * 4


def test_sample_file_interrupted(tmp_path, monkeypatch):
    """Ctrl-C after the header of a sample and before its count leaves a whole file of the samples
    counted."""
    output = SampleFile(tmp_path / "w.npy")
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
        SampleFile(tmp_path / "w.npy", resume=True)
    SampleFile(tmp_path / "w.npy").append(np.zeros((2, 3)))
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_samples_behind_a_link(tmp_path, link):
    """Samples are not added to a file that has another name, too; it and its name stay."""
    np.save(tmp_path / "far.npy", np.zeros((1, 2), np.float32))
    link(tmp_path / "far.npy", tmp_path / "w.npy")
    with pytest.raises(InputError, match=r"w\.npy is a link, or has a second name"):
        SampleFile(tmp_path / "w.npy", resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far.npy", "w.npy"]


def test_two_partial_files(tmp_path):
    """Of two partial files none is taken for the samples so far."""
    for token in ("0" * 16, "1" * 16):
        np.save(tmp_path / "a.npy", np.zeros((1, 2), np.float32))
        (tmp_path / "a.npy").rename(tmp_path / f"w.npy.{token}.partial")
    with pytest.raises(InputError, match=r"0\.partial and .*1\.partial; expected one"):
        find_samples(tmp_path / "w.npy")


def test_sample_file_grows_by_digits(tmp_path):
    """The header has room for a count of more digits: 12 and 150 samples begin at the same place of
    the file."""
    output = SampleFile(tmp_path / "w.npy")
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
    output = SampleFile(tmp_path / "w.npy")
    for i in range(2):
        output.append(np.full((2, 3), i))
    if finished:
        output.finish()
    else:
        output.file.seek(0, 2)
        output.file.write(b"half a sample")
    output.close()
    more = SampleFile(tmp_path / "w.npy", resume=True)
    assert more.count == 2
    more.append(np.full((2, 3), 2))
    more.finish()
    np.testing.assert_array_equal(np.load(more.path)[:, 0, 0], [0, 1, 2])
    assert more.path.stat().st_size == 128 + 3 * 6 * 4


def test_sample_file_without_a_sample(tmp_path):
    """A file that is closed without a sample leaves nothing, and an older file of the same name
    stays."""
    (tmp_path / "w.npy").write_text("old")
    SampleFile(tmp_path / "w.npy").close()
    assert (tmp_path / "w.npy").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["w.npy"]


@pytest.mark.parametrize("name", ["a.npy", "a.npy.partial"])
@pytest.mark.parametrize(
    "content", [b"text", WHOLE, npy(np.zeros((2, 3), "f4").T), npy(np.float32(1)), WHOLE[:-1]]
)
def test_sample_file_of_another_program(tmp_path, name, content):
    """What is no file of samples is not gone on with, and stays as it is."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        SampleFile(tmp_path / "a.npy", resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {name}
    assert (tmp_path / name).read_bytes() == content
