"""Files take their final name only when they are whole."""

import shutil
from pathlib import Path

import pytest

from dnnlib.errors import InputError
from utils.files.writing import expect_room, replacing, size_text


def test_replacing(tmp_path):
    """The final name appears, with its folder, when the block succeeds; until then it is not
    there."""
    path = tmp_path / "new" / "folder" / "file.txt"
    with replacing(path) as partial:
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
        with replacing(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("size", "fits"), [(0, True), (1000, True), (1001, False)])
def test_expect_room(tmp_path, monkeypatch, size, fits):
    """Up to the free bytes of the disk fit, also for a folder still to be made; more is an error
    with both numbers."""
    asked = []
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(Path(path)) or usage)
    folder = tmp_path / "not" / "yet"
    if fits:
        expect_room(folder, size)
    else:
        with pytest.raises(InputError, match=r"1\.0 kB free .* expected 1\.0 kB.*--output_dir"):
            expect_room(folder, size)
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
    assert size_text(size) == text
