"""The package among others."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_another_dnnlib(tmp_path):
    """A package of that name before ours on the path is named, with what to do."""
    (tmp_path / "dnnlib").mkdir()
    (tmp_path / "dnnlib/__init__.py").write_text("class EasyDict(dict): ...\n")
    line = [sys.executable, "-c", "import utils"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: another dnnlib is on the path, {tmp_path / 'dnnlib'}")
    assert last.endswith(f"sys.path.insert(0, {str(ROOT)!r})")
