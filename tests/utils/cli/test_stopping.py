"""How a run ends early, and what it does without the standard streams."""

import os
import signal
import subprocess
import sys
import time

import pytest

RUN = """
import utils.cli.stopping
import os, sys, time
from utils.cli.parser import run
def main():
    work()
def work():
    print("ready", flush=True)
    while True:
        time.sleep(0.05)
{before}
run(main)
"""


def heed_signals() -> None:
    """A shell starts background jobs with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("before", ["", "work()"], ids=["running", "importing"])
def test_signals(root, number, status, before):
    """Ctrl-C and a scheduler's SIGTERM end a run in one line, also while it still imports what it
    needs."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN.format(before=before)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (status, "stopped\n")


@pytest.mark.parametrize(("closed", "status"), [((1,), 0), ((2,), 0), ((0, 1, 2), 0)])
def test_closed_streams(root, tmp_path, closed, status):
    """Without stdout or stderr a run does its work; nothing that is printed ends in a file that it
    opens."""
    code = (
        "import utils.cli.stopping, sys; from utils.cli.parser import run, say, warn\n"
        f"def main():\n file = open({str(tmp_path / 'file')!r}, 'w'); say('out'); "
        "warn('err')\nrun(main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, preexec_fn=lambda: [os.close(n) for n in closed]
    )
    assert done.returncode == status
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_full_stdout(root):
    """Output that does not fit on the disk is an error of one line."""
    code = (
        "import utils.cli.stopping; from utils.cli.parser import run, say\nrun(lambda: say('out'))"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "does not fit on the disk" in done.stderr


WORKERS = """
import os, time
from utils.method.workers import worker_processes
if __name__ == "__main__":
    with worker_processes() as workers:
        print(*{workers.submit(os.getpid).result() for _ in range(4)}, flush=True)
        workers.submit(time.sleep, 60).result()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_workers_end_with_their_parent(root, tmp_path):
    """After kill -9 of a run none of its workers is left."""
    (tmp_path / "run.py").write_text(WORKERS)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "run.py"],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    workers = process.stdout.readline().split()
    assert workers
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{worker}") for worker in workers):
        assert time.monotonic() < deadline, "a worker is left"
        time.sleep(0.05)
