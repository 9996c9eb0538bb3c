"""Names of a network's classes, so that people can say which they want.

They are read from a text file beside the network, of the same stem with the ending .classes.txt:
UTF-8, one name a line, in the order of the classes. A network of 1000 classes without such a file
is taken for one of ImageNet, ILSVRC 2012, whose classes all BigGANs have in the same order, that of
their WordNet ids: imagenet_classes.txt.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dnnlib.errors import InputError
from dnnlib.reading import open_file
from dnnlib.text import one_line

IMAGENET = Path(__file__).parent / "imagenet_classes.txt"
IMAGENET_CLASSES = 1000
_LONGEST_FILE = 1 << 20  # bytes
_MOST_LISTED = 12


class ClassNames(NamedTuple):
    """The names in the order of the classes, and where they come from."""

    names: list[str]
    source: str

    def describe(self, index: int) -> str:
        """A class for people, with the grounds for its name."""
        return f"class {index}: {one_line(self.names[index], 80)} ({self.source})"


def read_class_names(network: str | Path, count: int) -> ClassNames | None:
    """The names of the `count` classes of a network file or folder; None: they are not known.

    Raises InputError if the file beside it does not name as many classes.
    """
    path = Path(network)
    beside = path.with_name(f"{path.name if path.is_dir() else path.stem}.classes.txt")
    source = str(beside)
    if not beside.exists():
        if count != IMAGENET_CLASSES:
            return None
        source, beside = "as in ImageNet", IMAGENET
    with open_file(beside) as file:
        text = file.read(_LONGEST_FILE + 1)
    names = [name.strip() for name in text.decode("utf-8", errors="replace").splitlines()]
    if len(names) != count or len(text) > _LONGEST_FILE:
        raise InputError(
            f"{beside} has {len(names)} lines; expected {count}, a name for each class of the "
            "network beside it: mend it, or move it away"
        )
    return ClassNames(names, source)


def find_class(name: str, known: ClassNames | None, count: int) -> int:
    """The index of the class of this name, or of the only one that has it in its name; letters may
    be large or small.

    Raises InputError, listing what is meant perhaps, if there is none or more than one.
    """
    if not count:
        raise _unknown(f"{name}: this network has no classes; expected none: leave it out")
    if known is None:
        raise _unknown(
            f"{name}: the names of the {count} classes are not known; expected a number, as "
            f"`class_index` 0 to {count - 1}, or a file of names beside the network: see "
            "docs/formats.md#classes"
        )
    names = known.names
    wanted, folded = name.strip().casefold(), [each.casefold() for each in names]
    found = [i for i, each in enumerate(folded) if each == wanted]
    found = found or [i for i, each in enumerate(folded) if wanted in each and wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise _unknown(f"{name} may be {_listed(found, names)}; expected one of them")
    similar = difflib.get_close_matches(wanted, folded, 3, 0.6)
    hint = _listed([folded.index(each) for each in similar], names)
    if similar:
        raise _unknown(f"{name} is no class of this network; did you mean {hint}?")
    raise _unknown(
        f"{name} is no class of this network; expected one of {_listed(range(len(names)), names)}"
    )


def _unknown(message: str) -> InputError:
    return InputError(message, option="class")


def _listed(indices: Sequence[int], names: Sequence[str]) -> str:
    listed = [f"{one_line(names[i], 60)} ({i})" for i in indices[:_MOST_LISTED]]
    more = len(indices) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")
