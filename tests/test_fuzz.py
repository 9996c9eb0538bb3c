"""Thousands of damaged and hostile files, read as tests/fuzz.py describes; FUZZ_SECONDS=600 reads
more of them."""

import os
import subprocess
import sys

import pytest

CASES = 2000  # of each seed


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGPROF")
def test_damaged_and_hostile_files(root, tmp_path):
    """Each is refused in one line or read rightly: no traceback, hang, call, or memory beyond what
    is stated."""
    seconds = os.environ.get("FUZZ_SECONDS")
    limit = ["--seconds", seconds] if seconds else ["--cases", str(CASES), "--seconds", "600"]
    program = [sys.executable, root / "tests" / "fuzz.py", *limit]
    runs = [
        subprocess.Popen(
            [*program, "--seed", seed, "--folder", tmp_path / seed],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seed in "12"
    ]
    for run in runs:
        output, _ = run.communicate()
        assert run.returncode == 0, output
        assert " 0 findings" in output
