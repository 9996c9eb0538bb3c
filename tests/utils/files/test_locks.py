"""One run at a time in a folder."""

import os
import signal
import subprocess
import sys

import pytest

from dnnlib.errors import InputError
from utils.files.locks import InUseError, lock_folder

HOLD = """
import sys, time
from utils.files.locks import lock_folder
with lock_folder(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(root, tmp_path):
    """Another process that holds tmp_path / "mine"."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "mine"], cwd=root, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_run_is_told_who_holds_the_folder(holder, tmp_path):
    """The error names the process and its command; files of another name may be written beside."""
    with (
        pytest.raises(
            InUseError,
            match=rf"mine is in use by process {holder.pid} on .*: python -c .*--output_dir",
        ),
        lock_folder(tmp_path / "mine"),
    ):
        pass
    with lock_folder(tmp_path / "mine", "eyes"):
        assert (tmp_path / "mine" / ".eyes.lock").exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_holder_does_no_harm(holder, tmp_path, how):
    """The lock ends with its process; the next run takes it and leaves nothing behind."""
    holder.send_signal(how)
    holder.wait()
    with lock_folder(tmp_path / "mine"):
        assert f"process {os.getpid()}" in (tmp_path / "mine" / ".lock").read_text()
    assert list((tmp_path / "mine").iterdir()) == []


def test_left_overs_of_killed_runs(tmp_path):
    """What a killed run was writing goes with the next run, unless another is at work there."""
    left = tmp_path / ".0123456789abcdef.partial"
    left.write_text("half")
    with lock_folder(tmp_path, "eyes"):
        assert not left.exists()
        left.write_text("of a run at work")
        with lock_folder(tmp_path, "mouth"):
            assert left.exists()


def test_folder_of_a_run_that_wrote_nothing(tmp_path):
    """A folder that was made for the lock goes with it, one that was there stays."""
    with lock_folder(tmp_path / "new"):
        pass
    (tmp_path / "old").mkdir()
    with lock_folder(tmp_path / "old"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_lock_is_not_written_through_a_link(tmp_path, link):
    """A link that someone has put where the lock belongs is refused, and its target stays as it
    is."""
    (tmp_path / "mine").write_text("mine")
    link(tmp_path / "mine", tmp_path / ".lock")
    with pytest.raises((InputError, OSError)), lock_folder(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "mine"
