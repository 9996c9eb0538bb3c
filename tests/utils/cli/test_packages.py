"""A Python without the toolkit's packages."""

import importlib.util

from utils.cli.packages import missing_packages


def test_missing_packages(monkeypatch, tmp_path):
    """One line names what is missing, and the way: the toolkit's environment where there is one and
    another runs, else what to install. Nothing where all is there."""
    assert missing_packages() is None
    find = importlib.util.find_spec
    line = "this Python has no tqdm; expected what requirements.txt names: "
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "tqdm" else find(n))
    assert missing_packages(tmp_path) == f"{line}pip install -r requirements.txt in {tmp_path}"
    (tmp_path / ".venv").mkdir()
    assert missing_packages(tmp_path, "/usr") == f"{line}source .venv/bin/activate in {tmp_path}"
    own = missing_packages(tmp_path, str(tmp_path / ".venv"))
    assert own == f"{line}pip install -r requirements.txt in {tmp_path}"
