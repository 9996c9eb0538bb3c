"""What the documentation names is there: flags, paths, Python names, links and headings; and its
Python runs as written."""

import functools
import importlib
import inspect
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dnnlib.catalogue import ENTRIES

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("[a-z]*/README.md")])
SCRIPTS = ("compute_jacobian.py", "compute_directions.py", "manipulate.py", "-m dnnlib inspect")

# Named in the pages, but of other programs.
FOREIGN_FLAGS = {"--use_w", "--w_plus", "--align"}  # ganspace, rosinality, e4e
FOREIGN_FILES = {
    "inference.py",
    "inference_iterative.py",
    "masks/",
    "projector.py",
    "run_projector.py",
    "train.py",  # of StyleGAN2-ADA-PyTorch; demo/train.py too
}
FOREIGN_NAMES = {"REQUESTS_CA_BUNDLE"}  # of the package requests
# What runs leave behind: files below outputs/, as the scripts name them.
PRODUCED = re.compile(
    r"""outputs/(
        jacobian_\w+ (/ ([wz]_dataset_\w+\.npy | syn_dataset_\w+_number_\d{4}\.png))?
      | directions(_2)? (/ (directions|region)_img_(\d\d|0SAMPLE|pool)_\w+\.(npy|png))?
      | live
      | manipulations (/ \w+)?
    )/?""",
    re.VERBOSE,
)
# Not there yet; to be emptied when they are.
NOT_YET = {
    "linear_map.py",
    "containers/npy.py",
    "interface.py",
    "dnnlib/families/interface.py",
    "utils/cli/options.py",
}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
PATH = re.compile(r"^[\w.*/-]+$")
DOTTED = re.compile(r"^([A-Za-z_]\w*)((?:\.\w+)*)(?:\((.*)\))?$", re.DOTALL)


def found_in(pages: Iterable[Path], find: Callable[[Path], Iterable[str]]) -> list[str]:
    """What is found in some pages, with the name of each."""
    return [f"{page.parent.name}/{page.name}: {each}" for page in pages for each in find(page)]


@functools.cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    return FENCE.sub("", text_of(page))


def spans_of(page: Path) -> list[str]:
    return [" ".join(span.split()) for span in SPAN.findall(prose_of(page))]


def blocks_of(page: Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(text_of(page)) if name == language]


@functools.cache
def sources(*given: str) -> str:
    """The code of some rooms, or all of it."""
    rooms = given or ("dnnlib", "utils", "demo", "benchmarks")
    files = itertools.chain(
        [] if given else ROOT.glob("*.py"), *((ROOT / room).rglob("*.py") for room in rooms)
    )
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


# Flags --------------------------------------------------------------------------------------------


@functools.cache
def flags_of(script: str) -> set[str]:
    """The flags that the help of a script lists."""
    command = [sys.executable, *shlex.split(script), "--help"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lists = re.findall(r"^  (-.*?)(?:  |$)", text, re.MULTILINE)
    return {flag for line in lists for flag in FLAG.findall(line)}


def commands_of(page: Path) -> list[tuple[str, str]]:
    """Each command of a page that runs one of the scripts, and which."""
    blocks = "\n".join(blocks_of(page, "bash")).replace("\\\n", " ")
    indented = re.findall(r"^ {4}(python .*)$", text_of(page), re.MULTILINE)
    lines = [*blocks.splitlines(), *indented, *spans_of(page)]
    return [
        (line, script) for line in lines for script in SCRIPTS if f"python {script}" in line
    ] + [(line, "manipulate.py") for line in lines if line.startswith("manipulate.py ")]


def unknown_flags(page: Path) -> set[str]:
    """Flags of no script; in a command, those that its script does not have."""
    others = set(re.findall(r'"(--[\w-]+)"', sources("demo", "benchmarks")))
    known = others.union(*map(flags_of, SCRIPTS))
    unknown = set(FLAG.findall(text_of(page))) - known - FOREIGN_FLAGS
    for command, script in commands_of(page):
        unknown |= set(FLAG.findall(command)) - flags_of(script)
    return unknown


def test_flags():
    """Every flag is one of a script; in a command, of the script that it runs."""
    assert found_in(PAGES, unknown_flags) == []


def test_commands_are_found():
    """The test before this one has something to look at."""
    scripts = {script for page in PAGES for _, script in commands_of(page)}
    assert scripts == set(SCRIPTS)


# Paths --------------------------------------------------------------------------------------------


def words_of(page: Path) -> set[str]:
    """Words of code spans and blocks that may be paths of this repository."""
    code = [*spans_of(page), *(body for _, body in FENCE.findall(text_of(page)))]
    code += re.findall(r"^ {4,}(.*)$", prose_of(page), re.MULTILINE)
    words = re.split(r"[\s,;'\"=()\[\]]+", "\n".join(code))
    return {word.rstrip(".:") for word in words if PATH.match(word)}


def is_of_here(word: str) -> bool:
    """Whether a word claims to be a path of this repository."""
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".git", ".venv"}
    first, slash, _ = word.partition("/")
    return bool(slash and first in rooms) or (bool(first) and word.endswith((".py", ".md", "/")))


def exists(word: str, page: Path) -> bool:
    """In the tree, from its top, the page's folder, or a room that the page speaks of; or made by a
    command; or fetched by name."""
    if PRODUCED.fullmatch(word) or word.removeprefix("directions/").removesuffix(".npy") in {
        entry.name for entry in ENTRIES
    }:
        return True
    rooms = ("", "utils", "dnnlib", "dnnlib/families", "dnnlib/families/stylegan2")
    folders = [page.parent, *(ROOT / room for room in rooms)]
    return any(any(folder.glob(word.rstrip("/"))) for folder in folders)


def missing_paths(page: Path) -> set[str]:
    missing = {word for word in words_of(page) if is_of_here(word) and not exists(word, page)}
    return missing - FOREIGN_FILES - NOT_YET


def test_paths():
    """Every path is in the tree, or is made by a command of the pages, or has a name."""
    assert found_in(PAGES, missing_paths) == []


def test_names_of_published_directions():
    """What is called one is in the catalogue."""
    known = {entry.name for entry in ENTRIES}
    name = re.compile(r"\b(?:ffhq|metfaces)1024/\w+")
    assert found_in(PAGES, lambda page: set(name.findall(text_of(page))) - known) == []


def test_targets_of_make():
    """Every target of make is one."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)

    def unknown(page: Path) -> set[str]:
        code = "\n".join([*spans_of(page), *blocks_of(page, "bash")])
        return set(re.findall(r"\bmake ([a-z]+)", code)) - set(targets)

    assert found_in(PAGES, unknown) == []


# Links --------------------------------------------------------------------------------------------


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterable[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            other = (page.parent / path).resolve() if path else page
            if not other.exists() or (anchor and anchor not in anchors_of(other)):
                yield target


def test_links():
    """Every link leads to a file, and its anchor to a heading."""
    assert found_in(PAGES, broken_links) == []


# Python -------------------------------------------------------------------------------------------


def run_page(page: Path) -> dict[str, Any]:
    """The names that are defined after the Python of a page has run."""
    namespace: dict[str, Any] = {"dnnlib": importlib.import_module("dnnlib")}
    for block in blocks_of(page, "python"):
        exec(compile(block, str(page), "exec"), namespace)
    return namespace


def resolve(dotted: str, namespace: dict[str, Any]) -> Any:
    """What a dotted name stands for; AttributeError or ImportError if for nothing."""
    first, *rest = dotted.split(".")
    value: Any = namespace[first] if first in namespace else importlib.import_module(first)
    path = first
    for name in rest:
        path = f"{path}.{name}"
        if inspect.ismodule(value) and not hasattr(value, name):
            value = importlib.import_module(path)
        else:
            value = getattr(value, name)
    return value


def unknown_names(page: Path) -> Iterable[str]:
    """Code spans that name what is not there, or give it parameters that it does not have."""
    namespace = run_page(page)
    for span in spans_of(page):
        match = DOTTED.match(span)
        if not match or match[1] not in {*namespace, "utils"}:
            continue
        try:
            value = resolve(match[1] + match[2], namespace)
        except (AttributeError, ImportError):
            yield span
            continue
        given = re.findall(r"(?:^|, ?)(\w+)=", match[3] or "")
        if not set(given) <= set(inspect.signature(value).parameters if given else ()):
            yield span


def test_python(tmp_path, monkeypatch):
    """The Python of the pages runs as written, and what else they call is there, with the
    parameters that it is given by name."""
    for name in ("demo", "docs", "directions"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert found_in(PAGES, unknown_names) == []


def test_names_of_code():
    """Classes, functions and constants in code spans occur in the code."""
    name = re.compile(r"([A-Z][a-z]+[A-Z]\w*|[A-Z]+_[A-Z_]+)$|(\w+)\(")

    def unknown(page: Path) -> set[str]:
        matches = filter(None, map(name.match, spans_of(page)))
        code = sources() + "\n".join(blocks_of(page, "bash"))
        names = {match[1] or match[2] for match in matches} - FOREIGN_NAMES - NOT_YET
        return {each for each in names if not re.search(rf"\b{each}\b", code)}

    assert found_in(PAGES, unknown) == []


def test_keys_of_json_files():
    """The keys that docs/design.md lists for the JSON files occur in the code that writes them."""
    lines = [line for line in text_of(ROOT / "docs/design.md").splitlines() if "| `" in line]
    keys = {key for line in lines for key in re.findall(r"`(\w+)`", line.rpartition("|")[0][1:])}
    assert len(keys) > 20
    assert {key for key in keys if not re.search(rf"\b{key}\b", sources())} == set()


def test_what_is_not_there_is_found(tmp_path):
    """The tests of this file would fail where they should."""
    page = tmp_path / "page.md"
    page.write_text(
        "`--mani_layer`, `python manipulate.py a b --pool`, [x](nowhere.md), [y](#no), `demo/no.py`"
    )
    assert unknown_flags(page) == {"--mani_layer", "--pool"}
    assert list(broken_links(page)) == ["nowhere.md", "#no"]
    assert missing_paths(page) == {"demo/no.py"}
