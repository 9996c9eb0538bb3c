"""Principal component pursuit against its optimality conditions and an independent solver."""

from pathlib import Path

import numpy as np
import pytest

from utils.method import low_rank
from utils.method.directions import default_lamb
from utils.method.eigenpairs import LargestEigenpairs
from utils.method.low_rank import SMALL, factorize, soft_threshold, split

ROOT = Path(__file__).parent.parent.parent.parent


def random_gram(n, rows, seed):
    """J^T J / rows with columns of different scale."""
    generator = np.random.Generator(np.random.PCG64(seed))
    jacobian = generator.standard_normal((rows, n)) * 1.2 ** -np.arange(n)[generator.permutation(n)]
    return jacobian.T @ jacobian / rows


def random_symmetric(n, seed):
    """A symmetric matrix with eigenvalues of both signs."""
    matrix = np.random.Generator(np.random.PCG64(seed)).standard_normal((n, n))
    return matrix + matrix.T


def planted(n, rank, sparsity, seed):
    """A symmetric matrix of low rank, a symmetric sparse one, and nothing else."""
    generator = np.random.Generator(np.random.PCG64(seed))
    factor = generator.standard_normal((n, rank))
    mask = np.triu(generator.random((n, n)) < sparsity)
    sparse = np.where(mask, generator.choice([-5.0, 5.0], (n, n)), 0)
    return factor @ factor.T, np.triu(sparse, 1) + np.triu(sparse).T


def dual_certificate(matrix, lamb, steps=20000):
    """The multiplier Y of the published solver (SVD, fixed penalty), run on its own."""
    n = len(matrix)
    mu = n**2 / (4 * np.abs(matrix).sum())
    s, y = np.zeros_like(matrix), np.zeros_like(matrix)
    for _ in range(steps):
        left, values, right = np.linalg.svd(matrix - s + y / mu)
        low = left * np.maximum(values - 1 / mu, 0) @ right
        previous, s = s, soft_threshold(matrix - low + y / mu, 1 / (lamb * mu))
        y += mu * (matrix - low - s)
        if np.linalg.norm(matrix - low - s) + np.linalg.norm(s - previous) < 1e-9 * np.linalg.norm(
            matrix
        ):
            break
    return y


CASES = [
    pytest.param(random_gram(16, 50, 0), 6.0, id="gram"),
    pytest.param(random_gram(24, 10, 1), 10.0, id="deficient"),
    pytest.param(random_symmetric(12, 2), 4.0, id="indefinite"),
    pytest.param(sum(planted(30, 3, 0.05, 3)), 30**0.5, id="planted"),
    pytest.param(np.eye(5), 2.0, id="identity"),
    pytest.param(np.ones((6, 6)), 3.0, id="ones"),
    pytest.param(np.array([[3.0]]), 2.0, id="one number"),
]


@pytest.mark.parametrize(("matrix", "lamb"), CASES)
def test_the_parts_add_up(matrix, lamb):
    """L, rebuilt from its singular vectors and values, plus S is M."""
    result, sparse = split(matrix, lamb)
    assert result.converged
    assert result.stats["error_bound"] <= 1e-5
    assert result.stats["primal_residual"] <= 1e-5
    assert result.stats["dual_residual"] <= 1e-5
    low = matrix - sparse
    np.testing.assert_allclose(
        np.sort(np.linalg.svd(low, compute_uv=False))[::-1],
        result.scores,
        atol=1e-5 * np.linalg.norm(matrix),
    )
    rows = result.vectors[: result.rank]
    np.testing.assert_allclose(rows.T @ (rows @ low), low, atol=1e-5 * np.linalg.norm(matrix))


@pytest.mark.parametrize(("matrix", "lamb"), CASES)
def test_vectors_and_values(matrix, lamb):
    """Singular vectors are orthonormal, values fall, are 0 from the rank on, and match the vectors
    one by one."""
    result, sparse = split(matrix, lamb)
    n = len(matrix)
    np.testing.assert_allclose(result.vectors @ result.vectors.T, np.eye(n), atol=1e-10)
    assert (np.diff(result.scores) <= 0).all()
    assert result.rank == np.count_nonzero(result.scores)
    lengths = np.linalg.norm((matrix - sparse) @ result.vectors.T, axis=0)
    np.testing.assert_allclose(lengths, result.scores, atol=1e-5 * np.linalg.norm(matrix))


@pytest.mark.parametrize(("matrix", "lamb"), CASES)
def test_optimal(matrix, lamb):
    """No split is better: a dual certificate |Y|_2 <= 1, |Y|_inf <= 1 / lamb bounds the objective
    from below."""
    result, sparse = split(matrix, lamb)
    objective = result.scores.sum() + np.abs(sparse).sum() / lamb
    y = dual_certificate(matrix, lamb)
    y /= max(1, np.linalg.norm(y, 2), np.abs(y).max() * lamb)
    assert (objective - np.sum(y * matrix)) / objective + 1e-6 >= 0
    assert (objective - np.sum(y * matrix)) / objective <= 1e-5


@pytest.mark.parametrize(
    ("matrix", "lamb"),
    [CASES[0].values, CASES[1].values, CASES[3].values, (random_gram(64, 200, 7), 21.0)],
)
def test_bounds_hold(matrix, lamb):
    """L and its principal space are no farther than the bounds say from a solution a thousand times
    more exact."""
    result, sparse = split(matrix, lamb)
    exact, exact_sparse = split(matrix, lamb, error_limit=1e-10)
    assert exact.stats["error_bound"] <= 1e-10
    assert exact.rank == result.rank
    difference = np.linalg.norm(exact_sparse - sparse) / np.linalg.norm(matrix)
    assert difference <= result.stats["error_bound"] + result.stats["primal_residual"]
    angle = np.linalg.norm(result.vectors[: result.rank] @ exact.vectors[result.rank :].T, 2)
    assert angle <= max(result.stats["rotation_bound"], 1e-12)


def test_negative_eigenvalues():
    """An indefinite matrix keeps its large negative eigenvalues in L."""
    vector = np.ones(20) / 20**0.5
    matrix = -5 * np.outer(vector, vector) + 0.01 * random_symmetric(20, 3)
    result, sparse = split(matrix, 20**0.5)
    assert result.rank >= 1
    assert np.linalg.eigvalsh(matrix - sparse)[0] < -3


@pytest.mark.parametrize("seed", range(3))
def test_planted_split_is_recovered(seed):
    """A symmetric low-rank matrix plus a sparse one comes apart into the two, at lamb = sqrt(n)."""
    low, sparse = planted(40, 2, 0.04, seed)
    result, found = split(low + sparse, 40**0.5)
    assert result.rank == 2
    np.testing.assert_allclose(found, sparse, atol=1e-4)
    np.testing.assert_allclose(low + sparse - found, low, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 7.0, 1e12])
def test_scaling_the_matrix_scales_the_result(scale):
    """L and S of c M are c times those of M, at the same rank."""
    matrix = random_gram(16, 50, 0)
    (result, sparse), (scaled, scaled_sparse) = split(matrix, 6.0), split(matrix * scale, 6.0)
    assert scaled.rank == result.rank
    assert scaled.converged
    tolerance = 2 * result.stats["error_bound"] * np.linalg.norm(matrix)
    np.testing.assert_allclose(scaled.scores / scale, result.scores, atol=tolerance)
    np.testing.assert_allclose(scaled_sparse / scale, sparse, atol=tolerance)


@pytest.mark.parametrize("max_iter", [1, 3, 10])
def test_iteration_limit(max_iter):
    """A run that hits max_iter says so and reports residuals above the tolerance; without the limit
    it converges."""
    matrix = random_gram(16, 50, 0)
    result = factorize(matrix, 6.0, max_iter)
    assert (result.stats["steps"], result.converged) == (max_iter, False)
    assert result.stats["error_bound"] > 1e-5
    assert factorize(matrix, 6.0).converged


def test_the_argument_is_untouched():
    """The matrix is not changed, and float32 is welcome."""
    matrix = random_gram(16, 50, 0)
    before = matrix.copy()
    result = factorize(matrix, 6.0)
    np.testing.assert_array_equal(matrix, before)
    assert factorize(matrix.astype(np.float32), 6.0).rank == result.rank


@pytest.mark.parametrize(
    ("x", "expected"), [(3.0, 2.0), (-3.0, -2.0), (0.5, 0.0), (-1.0, 0.0), (0.0, 0.0)]
)
def test_soft_threshold(x, expected):
    """Values move towards 0 by the threshold and stop there."""
    assert soft_threshold(np.array([x]), 1.0) == expected


def test_lamb_trades_rank_for_sparsity():
    """A large lamb makes everything sparse, at rank 0; a tiny one leaves nothing to the sparse
    part."""
    matrix = random_gram(16, 50, 0)
    assert split(matrix, 1000.0)[0].rank == 0
    np.testing.assert_allclose(split(matrix, 1000.0)[1], matrix, atol=2e-5 * np.linalg.norm(matrix))
    all_low, sparse = split(matrix, 0.01)
    assert not sparse.any()
    assert all_low.rank > 0


@pytest.mark.parametrize("share", [0.97, 1.0, 1e5, 1e30])
def test_rank_0_where_all_is_sparse(share):
    """L is 0 from the lamb on that is the spectral norm of sign(M), where Y = sign(M) / lamb proves
    it, and is not below; absurd values are no trouble."""
    a = np.random.Generator(np.random.PCG64(0)).standard_normal((24, 24))
    matrix = a @ a.T
    result, sparse = split(matrix, share * np.linalg.norm(np.sign(matrix), 2))
    assert result.converged
    assert (result.rank == 0) == (share >= 1)
    if share >= 1:
        np.testing.assert_array_equal(sparse, matrix)


@pytest.fixture
def trained():
    """The first 160 rows and columns of a trained network's matrix, of the region."""
    with np.load(ROOT / "benchmarks/gram_trained512.npz") as matrices:
        return matrices["foreground"][:160, :160].astype(float)


def test_warm_start(monkeypatch, trained):
    """Eigenpairs carried over from step to step lead to the L of complete decompositions."""
    results = []
    for small in (SMALL, 1000):
        monkeypatch.setattr(low_rank, "SMALL", small)
        results.append(split(trained, default_lamb(160)))
    (found, sparse), (expected, expected_sparse) = results
    assert found.converged
    assert found.rank == expected.rank > 0
    assert np.linalg.norm(sparse - expected_sparse) <= 2e-5 * np.linalg.norm(trained)


def test_new_start(monkeypatch, trained):
    """Where carried over eigenpairs do not lead to the end, complete decompositions do."""
    expected, _ = split(trained, default_lamb(160))
    monkeypatch.setattr(low_rank, "WARM_STEPS", 20)
    found, _ = split(trained, default_lamb(160))
    assert found.converged
    assert found.rank == expected.rank
    assert found.stats["steps"] > 20


def test_eigenpairs_of_a_growing_rank():
    """More eigenvalues above the threshold than vectors at hand are found by a new start."""
    generator = np.random.Generator(np.random.PCG64(6))
    vectors = np.linalg.qr(generator.standard_normal((60, 60)))[0]
    eigenpairs = LargestEigenpairs(warm=True)
    for count in (3, 40):
        values = np.where(np.arange(60) < count, 2.0 + np.arange(60), 0.1)
        found, _ = eigenpairs.find(vectors * values @ vectors.T, 1.0)
    np.testing.assert_allclose(np.sort(found), values[:count], rtol=1e-10)
