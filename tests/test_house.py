"""The rooms of docs/design.md hold: what may import what, where the command line ends, and how long
a function may be."""

import ast
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GROUND = {
    f"dnnlib.{name}"
    for name in ("errors", "text", "reading", "foreign", "progress", "containers.npy")
}
OF_ALL_FAMILIES = {
    f"dnnlib.families.{name}"
    for name in ("genforce", "interface", "layout", "modules", "settings", "tensorflow")
}
LONGEST_FUNCTION = 49  # lines
SOLVER = "utils.method.low_rank.split"  # one loop, whose parts share all of its arrays


def tracked_files() -> list[str]:
    """All files of the repository, by their paths in it; new ones too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git repository, which knows its files", allow_module_level=True)
    return [path for path in sorted(set(listed.stdout.splitlines())) if (ROOT / path).is_file()]


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def python_modules() -> dict[str, ast.Module]:
    """Every module but the tests, by name."""
    return {
        module_name(path): ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for path in tracked_files()
        if path.endswith(".py") and not path.startswith("tests/")
    }


MODULES = python_modules()


def imports_of(tree: ast.Module) -> Iterator[str]:
    """The modules that a module imports, also inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


IMPORTS = {name: set(imports_of(tree)) for name, tree in MODULES.items()}


def is_in(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def family_of(module: str) -> str | None:
    """stylegan2 for dnnlib.families.stylegan2.network."""
    room = module.removeprefix("dnnlib.families.").split(".")[0]
    return room if f"dnnlib.families.{room}.network" in MODULES else None


def is_allowed(module: str, imported: str) -> bool:
    """Whether the arrows of docs/design.md allow an import."""
    if imported == "argparse":
        scripts = "." not in module or is_in(module, "demo", "benchmarks")
        return scripts or is_in(module, "utils.cli", "dnnlib.__main__")
    if is_in(module, "utils") and is_in(imported, "dnnlib"):
        return imported in GROUND
    if is_in(module, "dnnlib") and is_in(imported, "utils"):
        return module == "dnnlib.__main__"
    if is_in(module, "dnnlib.containers") and is_in(imported, "dnnlib.families"):
        return False
    if family_of(module) and is_in(imported, "dnnlib.families", "dnnlib.generator"):
        return imported in OF_ALL_FAMILIES or family_of(imported) == family_of(module)
    return True


def forbidden_imports() -> set[str]:
    return {
        f"{module} imports {imported}"
        for module, names in IMPORTS.items()
        for imported in names
        if not is_allowed(module, imported)
    }


def mentions() -> set[str]:
    """Files that speak of what a reader of the repository does not have."""
    words = ("DESIGN", "shared/")
    found = set()
    for path in tracked_files():
        content = (ROOT / path).read_bytes()
        if path != "tests/test_house.py" and b"\0" not in content:
            found |= {f"{path} mentions {word}" for word in words if word.encode() in content}
    return found


def long_functions() -> set[str]:
    return {
        f"{module}.{node.name} is long"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
        and f"{module}.{node.name}" != SOLVER
    }


@pytest.mark.parametrize("broken", [forbidden_imports, mentions, long_functions])
def test_rules(broken):
    """Arrows between rooms; nothing said of what is not here; no function of 50 lines or more."""
    assert sorted(broken()) == []


def test_no_circle_of_imports():
    """Every module can be read after those that it imports."""
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_reader_needs_tensorflow():
    """What reads files, and the whole method, runs without TensorFlow."""
    rooms = (
        "device",
        "generator",
        "linear_map",
        "layers",
        "mapping",
        "winograd",
        "families.interface",
    )  # that for types
    allowed = {f"dnnlib.{room}" for room in rooms}
    users = {name for name, names in IMPORTS.items() if any(is_in(i, "tensorflow") for i in names)}
    assert {
        name
        for name in users - allowed
        if is_in(name, "dnnlib", "utils") and not name.endswith((".network", ".stylegan3.filters"))
    } == set()
