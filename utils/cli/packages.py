"""Whether the packages that the toolkit needs are installed, so that a virtual environment that was
forgotten is one line."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tensorflow", "numpy", "scipy", "threadpoolctl", "PIL", "tqdm", "requests", "urllib3")


def missing_packages(root: Path = ROOT, prefix: str = sys.prefix) -> str | None:
    """One line that says which are missing and what to do, for the toolkit's folder and the
    environment that runs; None if all are there."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    environment = root / ".venv"
    command = ".venv\\Scripts\\activate" if os.name == "nt" else "source .venv/bin/activate"
    remedy = f"pip install -r requirements.txt in {root}"
    if environment.exists() and Path(prefix).resolve() != environment.resolve():
        remedy = f"{command} in {root}"
    return (
        f"this Python has no {', '.join(missing)}; expected what requirements.txt names: {remedy}"
    )
