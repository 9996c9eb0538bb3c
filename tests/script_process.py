"""The scripts as processes of their own."""

import subprocess
import sys
from pathlib import Path
from typing import Any


def run_process(
    root: Path, cwd: Path, script: str, *arguments: object, **options: Any
) -> subprocess.CompletedProcess:
    """Run a script as a user does, in the folder cwd; `options` are those of subprocess.run."""
    return subprocess.run(
        [sys.executable, root / f"{script}.py", *map(str, arguments)],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=120,
        **options,
    )
