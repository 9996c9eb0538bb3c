"""Classes by their names."""

import pytest

from dnnlib.class_names import ClassNames, find_class, read_class_names
from dnnlib.errors import InputError

FEW = ClassNames(["apple", "apple tree", "Oak Tree"], "here")


@pytest.mark.parametrize(
    ("index", "name"), [(0, "tench"), (207, "golden retriever"), (999, "toilet tissue")]
)
def test_imagenet(tmp_path, index, name):
    """A network of 1000 classes has ImageNet's names, each once, in the order of their ids."""
    known = read_class_names(tmp_path / "biggan.pth", 1000)
    assert len(set(map(str.casefold, known.names))) == 1000
    assert find_class(name, known, 1000) == index
    assert known.describe(index) == f"class {index}: {name} (as in ImageNet)"


def test_names_beside_the_network(tmp_path):
    """A file of names beside the network counts, also for 1000 classes; without one the names of
    other networks are not known."""
    assert read_class_names(tmp_path / "net.pth", 3) is None
    (tmp_path / "net.classes.txt").write_text("apple\n mug \ncar\n")
    assert read_class_names(tmp_path / "net.pth", 3).names == ["apple", "mug", "car"]
    with pytest.raises(InputError, match=r"net\.classes\.txt has 3 lines; expected 1000"):
        read_class_names(tmp_path / "net.pth", 1000)
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub.classes.txt").write_text("a\nb")
    assert read_class_names(tmp_path / "hub", 2).names == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "index"), [("apple", 0), ("TREE of", None), ("oak", 2), ("e t", 1)]
)
def test_find_class(name, index):
    """The name itself counts before the names it is a part of; large and small letters do not."""
    if index is None:
        with pytest.raises(InputError):
            find_class(name, FEW, 3)
    else:
        assert find_class(name, FEW, 3) == index


@pytest.mark.parametrize(
    ("name", "known", "count", "words"),
    [
        ("tree", FEW, 3, r"tree may be apple tree \(1\), Oak Tree \(2\); expected one of them"),
        ("aple", FEW, 3, r"aple is no class of this network; did you mean apple \(0\)"),
        ("zebra", FEW, 3, r"expected one of apple \(0\), apple tree \(1\), Oak Tree \(2\)"),
        ("", FEW, 3, "expected one of"),
        ("tree", None, 3, "names of the 3 classes are not known; .* `class_index` 0 to 2"),
        ("tree", None, 0, "this network has no classes"),
    ],
)
def test_no_such_class(name, known, count, words):
    """Several names that fit are listed, as is what may be meant."""
    with pytest.raises(InputError, match=words) as caught:
        find_class(name, known, count)
    assert caught.value.option == "class"
