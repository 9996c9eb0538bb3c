"""Latent codes and labels."""

import numpy as np
import pytest

from utils.errors import InputError
from utils.sampling import class_labels, random_codes, read_codes


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


def test_read_codes(tmp_path):
    """Codes are read as they were saved."""
    np.save(tmp_path / "z.npy", codes := np.arange(10.0).reshape(2, 5))
    np.testing.assert_array_equal(read_codes(tmp_path / "z.npy", 5), codes)


@pytest.mark.parametrize(("codes", "words"), [
    (np.zeros((2, 6)), r"shape \[2, 6\]; expected z codes \[N, 5\]"), (np.zeros(5), r"shape \[5\]"),
    (np.zeros((2, 1, 5)), r"shape \[2, 1, 5\]"), (np.zeros((0, 5)), r"shape \[0, 5\]"),
    (np.full((2, 5), np.nan), "NaN or infinity"), (np.full((2, 5), np.inf), "NaN or infinity"),
])
def test_unusable_codes(tmp_path, codes, words):
    """Codes of the wrong shape, none at all, NaN and infinity are errors that say so."""
    np.save(tmp_path / "z.npy", codes)
    with pytest.raises(InputError, match=words):
        read_codes(tmp_path / "z.npy", 5)


@pytest.mark.parametrize(("index", "said"), [(None, True), (0, False), (2, False)])
def test_class_labels(capsys, index, said):
    """One-hot for a class; without one zeros, which is said aloud."""
    labels = class_labels(index, 2, 3)
    np.testing.assert_array_equal(labels, np.zeros((2, 3)) if index is None else np.eye(3)[[index, index]])
    assert ("no --class_index" in capsys.readouterr().out) == said


def test_network_without_labels(capsys):
    """Without classes the labels are of width 0, and nothing is said."""
    assert class_labels(None, 2, 0).shape == (2, 0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("index", "label_dim", "words"), [(3, 3, "expected 0 to 2"), (0, 0, "has no classes")])
def test_unknown_class(index, label_dim, words):
    """A class that the network lacks is an error that says which there are."""
    with pytest.raises(InputError, match=words):
        class_labels(index, 2, label_dim)
