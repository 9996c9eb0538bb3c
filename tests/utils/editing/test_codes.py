"""Latent codes and labels."""

import numpy as np
import pytest

from dnnlib.errors import InputError
from dnnlib.latents import FittedCodes
from utils.cli.options import CodeOptions
from utils.editing.codes import FAR, Codes, class_labels, random_codes

Z_DIM, W_DIM, LAYERS = 5, 4, 6


@pytest.mark.parametrize("seed", [0, 4, 2**32 - 1])
def test_random_codes(seed):
    """The codes of a seed are those of NumPy's RandomState, so those of the original program."""
    codes = random_codes(seed, 3, 5)
    np.testing.assert_array_equal(codes, np.random.RandomState(seed).randn(3, 5))
    np.testing.assert_array_equal(random_codes(seed, 7, 5)[:3], codes)


def test_golden_codes(golden):
    """The golden latent codes of a seed are found again."""
    z = golden("tf_skip_64")["z"]
    assert any(np.array_equal(random_codes(seed, len(z), z.shape[1]), z) for seed in range(100))


class Network:
    """Maps z to w+ by repeating the first numbers, plus the label; truncates towards 0."""

    z_dim, num_layers, label_dim = Z_DIM, LAYERS, 2
    space, truncation = "w", "mean"

    def find_class(self, name):
        return ("cat", "dog").index(name)

    def describe_class(self, index):
        return f"class {index}: {('cat', 'dog')[index]}"

    def sample(self, random, count, psi):
        return random.randn(count, Z_DIM)

    def mapping(self, z, labels):
        return np.repeat(z[:, None, :W_DIM] + labels[:, None, :1], LAYERS, axis=1)

    def truncate(self, ws, psi, cutoff):
        return (
            np.concatenate([psi * ws[:, :cutoff], ws[:, cutoff:]], axis=1) if cutoff else psi * ws
        )


def found(space, values, doubts=()):
    """The codes of a file as the network takes them."""
    return FittedCodes(space, values, None, "a note", list(doubts))


def options(**given):
    """Those of class 0, unless another is given."""
    return CodeOptions(**{"class_index": 0, **given})


def test_random_run():
    """Without a file the codes are those of the seed, as many as asked for, mapped and truncated as
    asked for."""
    codes = Codes(options(total_num=3, trunc_psi=0.5, trunc_layers=2), Network())
    z = random_codes(4, 3, Z_DIM)
    ws = np.repeat(z[:, None, :W_DIM] + 1, LAYERS, axis=1)
    ws[:, :2] /= 2
    np.testing.assert_array_equal(codes.w_plus(), ws)
    np.testing.assert_array_equal(codes.w_plus(slice(1, 2)), ws[1:2])
    assert (codes.space, len(codes)) == ("z", 3)


@pytest.mark.parametrize("total_num", [None, 2, 3])
def test_run_of_a_file(total_num):
    """Codes of w+ are taken as they are, all or the first of them; z goes through the network."""
    wp, z = (
        np.random.RandomState(0).randn(3, LAYERS, W_DIM),
        np.random.RandomState(1).randn(3, Z_DIM),
    )
    mapped = np.repeat(z[:, None, :W_DIM] + 1, LAYERS, axis=1)
    for space, values, expected in (("wp", wp, wp), ("z", z, mapped)):
        chosen = options(total_num=total_num, class_index=None if values is wp else 0)
        codes = Codes(chosen, Network(), found(space, values))
        np.testing.assert_array_equal(codes.w_plus(), expected[:total_num])
        assert len(codes) == (total_num or 3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"total_num": 4}, "4 of codes.npy; expected at most 3, the number of its codes"),
        (
            {"trunc_psi": 0.7},
            r"not with the w\+ codes of codes.npy; expected z codes with it: leave",
        ),
        ({"class_index": 0}, r"not with the w\+ codes"),
    ],
)
def test_options_that_w_does_not_have(given, words):
    """What only z has is refused with codes of w, not ignored."""
    chosen = options(**{"class_index": None, "latent_path": "codes.npy", **given})
    with pytest.raises(InputError, match=words) as caught:
        Codes(chosen, Network(), found("wp", np.ones((3, LAYERS, W_DIM))))
    assert caught.value.option == next(iter(given))


def test_what_is_said_of_a_file(capsys):
    """What the codes of a file are is printed, and what speaks against it is a warning."""
    Codes(options(class_index=None), Network(), found("wp", np.ones((1, LAYERS, W_DIM)), ["odd"]))
    assert capsys.readouterr() == ("a note\n", "WARNING: odd\n")


@pytest.mark.parametrize("space", ["z", "wp"])
@pytest.mark.parametrize(
    ("length", "is_said"), [(0.9 * FAR, False), (1.1 * FAR, True), (1e30, True), (np.inf, True)]
)
def test_absurd_codes(capsys, space, length, is_said):
    """Codes, or what a mapping makes of them, that are absurdly long are said, once."""
    values = np.full((2, LAYERS, W_DIM) if space == "wp" else (2, Z_DIM), length)
    chosen = options(class_index=None, latent_path="codes.npy")
    codes = Codes(chosen, Network(), found(space, values))
    codes.w_plus(slice(1))
    whose = "codes.npy has" if space == "wp" else "the mapping makes"
    assert (f"WARNING: {whose} codes of length " in capsys.readouterr().err) == is_said
    codes.w_plus()
    assert "WARNING" not in capsys.readouterr().err


def test_truncation_of_layers():
    """More layers than the network has are refused, not ignored."""
    with pytest.raises(InputError, match=f"{LAYERS + 1} layers; expected {LAYERS} at most"):
        Codes(options(trunc_layers=LAYERS + 1, trunc_psi=0.5, total_num=5), Network())


@pytest.mark.parametrize(
    ("classes", "rows"), [((), None), ((0,), [0, 0]), ((2, 1), [2, 1]), ((2, 1, 0), [2, 1])]
)
def test_class_labels(capsys, classes, rows):
    """One-hot for the classes in turn; without one zeros, which is said aloud."""
    labels = class_labels(classes, 2, 3)
    np.testing.assert_array_equal(labels, np.zeros((2, 3)) if rows is None else np.eye(3)[rows])
    assert ("no --class_index" in capsys.readouterr().out) == (rows is None)


def test_classes_by_name(capsys):
    """Names count as numbers do, several in turn, and each is said with its number."""
    codes = Codes(options(class_index=None, class_name="dog,cat", total_num=3), Network())
    np.testing.assert_array_equal(codes.labels, np.eye(2)[[1, 0, 1]])
    assert capsys.readouterr().out == "class 1: dog\nclass 0: cat\n"


def test_network_without_labels(capsys):
    """Without classes the labels are of width 0, and nothing is said."""
    assert class_labels((), 2, 0).shape == (2, 0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("index", "label_dim", "words"), [(3, 3, "expected 0 to 2"), (0, 0, "has no classes")]
)
def test_unknown_class(index, label_dim, words):
    """A class that the network lacks is an error that says which there are."""
    with pytest.raises(InputError, match=words):
        class_labels((index,), 2, label_dim)
