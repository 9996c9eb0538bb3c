"""Generalized eigenvectors: what defines them."""

import numpy as np
import pytest

from utils.method.resefa import resefa


def random_gram(n, rank, seed):
    rows = np.random.Generator(np.random.PCG64(seed)).standard_normal((rank, n))
    return rows.T @ rows / rank


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (5, 5), (20, 3), (64, 80)])
@pytest.mark.parametrize("tau", [1e-3, 0.1])
def test_generalized_eigenvectors(n, rank, tau):
    """M_f v = eigenvalue (M_b + tau trace(M_b) I) v, largest eigenvalue first, |v| = 1."""
    inside, outside = random_gram(n, rank, 0), random_gram(n, rank, 1)
    result = resefa(inside, outside, tau)
    assert result.vectors.shape == (n, n)
    assert (np.diff(result.scores) <= 0).all()
    right = (outside + tau * np.trace(outside) * np.eye(n)) @ result.vectors.T * result.scores
    np.testing.assert_allclose(inside @ result.vectors.T, right, atol=1e-9 * np.linalg.norm(inside))
    np.testing.assert_allclose(np.linalg.norm(result.vectors, axis=1), 1)


def test_first_is_the_best():
    """No other vector has a larger quotient than the first."""
    inside, outside = random_gram(10, 6, 2), random_gram(10, 7, 3)
    regular = outside + 1e-3 * np.trace(outside) * np.eye(10)
    best = resefa(inside, outside).scores[0]
    for v in np.random.RandomState(0).randn(500, 10):
        assert v @ inside @ v <= best * (v @ regular @ v)


@pytest.mark.parametrize(
    ("values", "rank"), [([50, 9, 4.1, 3.9, 0], 3), ([3, 2, 1, 1, 0], 1), ([0.1] * 5, 1)]
)
def test_rule_of_what_is_kept(values, rank):
    """Kept are the vectors whose squared change inside is 4 times that outside or more, but always
    the first."""
    outside = np.eye(5) / (1 + 5e-3)  # with the ridge, the identity
    result = resefa(np.diag(np.array(values, float)), outside)
    assert result.rank == rank
    np.testing.assert_allclose(result.scores, values, atol=1e-12)


def test_nothing_inside():
    """Where nothing changes inside there is no direction."""
    assert resefa(np.zeros((4, 4)), np.eye(4)).rank == 0


def test_nothing_outside():
    """Where nothing changes outside the vectors are those of M_f, and finite."""
    result = resefa(np.diag([1.0, 3.0, 2.0]), np.zeros((3, 3)))
    np.testing.assert_allclose(abs(result.vectors), np.eye(3)[[1, 2, 0]], atol=1e-12)
    assert np.isfinite(result.scores).all()
