"""The method: regions, low-rank factorization, subspaces, editing, pictures, pages, files on disk.
No TensorFlow."""

import importlib.util
from pathlib import Path

_OURS = Path(__file__).resolve().parent.parent / "dnnlib"
_FOUND = importlib.util.find_spec("dnnlib")
if _FOUND is None or _FOUND.origin is None or Path(_FOUND.origin).resolve().parent != _OURS:
    # NVIDIA's repositories have a package of this name, too.
    raise ImportError(
        f"another dnnlib is on the path, {_FOUND and _FOUND.origin}; expected the one of "
        f"{_OURS.parent}: restart Python and begin with import sys; "
        f"sys.path.insert(0, {str(_OURS.parent)!r})"
    )
