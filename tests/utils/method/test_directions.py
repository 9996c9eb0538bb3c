"""From a Jacobian to directions: against the original program's, and the algebra."""

import functools

import numpy as np
import pytest

from dnnlib.errors import InputError
from utils.method.directions import (
    default_lamb,
    gram_matrices,
    predicted_change,
    projected_directions,
    region_directions,
    spectrum,
)
from utils.method.resefa import resefa
from utils.regions.region import region_mask


def random(*shape, seed=5):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)


@pytest.fixture(scope="module")
def directions(golden):
    """directions(region, num_relax) of the golden Jacobian enlarged to 256 x 256, at lamb 8."""
    jacobian = golden("tf_skip_64")["jacobian_w"][0].repeat(4, axis=0).repeat(4, axis=1)
    return functools.cache(
        lambda region, num_relax=0: region_directions(
            jacobian, region_mask(region, 256, 256), 8, num_relax=num_relax
        )
    )


@pytest.mark.parametrize("region", ["eyes", "mouth"])
@pytest.mark.parametrize("projected", [False, True])
def test_golden(directions, golden, region, projected):
    """Ranks and directions are the original program's, but for signs."""
    ours = directions(region).projected if projected else directions(region).principal
    theirs = golden("tf_skip_64")[region + "_projected" * projected]
    assert ours.shape == theirs.shape
    cosines = np.abs(np.sum(ours * theirs, axis=1)) / np.linalg.norm(theirs, axis=1)
    assert (cosines > 0.999).all()


@pytest.mark.parametrize("region", ["eyes", "mouth", "nose"])
@pytest.mark.parametrize("num_relax", [0, 2, 1000])
def test_projection(directions, region, num_relax):
    """Projected rows have length 1 and are principal rows less their part along the background."""
    result = directions(region, num_relax)
    first = min(max(1, result.background.rank - num_relax), 31)
    assert result.null_space_dimension == 32 - first
    dominant = result.background.vectors[:first]  # what the projection takes out
    np.testing.assert_allclose(result.projected @ dominant.T, 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(result.projected, axis=1), 1)
    rest = result.principal - result.principal @ dominant.T @ dominant
    np.testing.assert_allclose(result.projected * result.norm_kept[:, None], rest, atol=1e-9)
    np.testing.assert_allclose(result.norm_kept, np.linalg.norm(rest, axis=1))


def test_projection_spares_the_background(directions, golden):
    """Along projected directions the image outside the mask moves less, relative to inside, than
    principally."""
    mask = region_mask("eyes", 64, 64)
    jacobian = golden("tf_skip_64")["jacobian_w"][0, :, :, 0]
    ratios = [
        np.linalg.norm(jacobian[~mask] @ rows.T) / np.linalg.norm(jacobian[mask] @ rows.T)
        for rows in (directions("eyes").projected, directions("eyes").principal)
    ]
    assert ratios[0] < 0.9 * ratios[1]


def test_principal_rows_are_orthonormal(directions):
    """Principal rows are singular vectors, as many as the rank."""
    result = directions("eyes")
    assert len(result.principal) == result.foreground.rank
    np.testing.assert_allclose(
        result.principal @ result.principal.T, np.eye(result.foreground.rank), atol=1e-10
    )


def test_rank_0(golden):
    """A foreground of rank 0 gives empty arrays of the right width, not an error."""
    result = region_directions(
        golden("tf_skip_64")["jacobian_w"][0], region_mask("eyes", 64, 64), 1000
    )
    assert result.principal.shape == result.projected.shape == (0, 32)
    assert result.norm_kept.shape == (0,)


def test_scaling_the_jacobian_changes_nothing(golden):
    """Directions have no scale."""
    jacobian, mask = golden("tf_skip_64")["jacobian_w"][0], region_mask("mouth", 64, 64)
    once, more = region_directions(jacobian, mask, 8), region_directions(jacobian * 100, mask, 8)
    np.testing.assert_allclose(
        np.abs(np.sum(once.projected * more.projected, axis=1)), 1, atol=1e-6
    )


@pytest.mark.parametrize("channels", [None, 3])
def test_gram_matrices(channels):
    """M is the mean over the pixels (and channels) inside and outside of the outer product of a row
    with itself."""
    jacobian = random(*([channels] if channels else []), 5, 6, 1, 4).astype(np.float32)
    mask = random(5, 6, seed=1) > 0
    result = gram_matrices(jacobian, mask)
    assert result.dtype == np.float64
    for matrix, part in zip(result, (mask, ~mask), strict=True):
        rows = [row for image in jacobian.reshape(-1, 5, 6, 4) for row in image[part]]
        expected = np.mean([np.outer(row, row) for row in rows], axis=0)
        np.testing.assert_allclose(matrix, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("value", "mask", "words"),
    [
        (0, np.ones((5, 7), bool), "a mask of 5 x 7 pixels; expected 5 x 6"),
        (0, np.zeros((5, 6), bool), "the mask has no pixel inside"),
        (0, np.ones((5, 6), bool), "the mask has no pixel outside"),
        *(
            (value, region_mask("eyes", 5, 6), "NaN or infinity")
            for value in (np.nan, np.inf, 1e154, -1e120)
        ),
    ],
)
def test_unusable_gram(value, mask, words):
    """A mask of the wrong size or without a pixel, NaN and infinity are errors that say so."""
    jacobian = random(5, 6, 1, 4)
    jacobian[2, 3, 0, 1] += value
    with pytest.raises(InputError, match=words):
        gram_matrices(jacobian, mask)


def test_nan_outside_the_mask(golden):
    """NaN anywhere is an error, not only inside the region."""
    jacobian = golden("tf_skip_64")["jacobian_w"][0].copy()
    jacobian[0, 0, 0, 5] = np.nan
    with pytest.raises(InputError, match="NaN"):
        region_directions(jacobian, region_mask("mouth", 64, 64), 8)


@pytest.mark.parametrize(("w_dim", "lamb"), [(512, 60), (32, 7.5), (2, 0.9375)])
def test_default_lamb(w_dim, lamb):
    """60 for 512 dimensions, falling with the power 3/4."""
    assert default_lamb(w_dim) == pytest.approx(lamb)


def test_predicted_change_is_that_of_the_jacobian(directions, golden):
    """sqrt(v^T M v) is the root mean square of J v over the pixels, for the rows before and after
    the projection."""
    jacobian, mask = golden("tf_skip_64")["jacobian_w"][0], region_mask("eyes", 64, 64)
    result = region_directions(jacobian, mask, 8)
    for rows, change in (
        (result.principal, result.principal_change),
        (result.projected, result.projected_change),
    ):
        moved = jacobian[:, :, 0] @ rows.T  # [H, W, K]
        inside, outside = (np.sqrt(np.mean(moved[part] ** 2, axis=0)) for part in (mask, ~mask))
        np.testing.assert_allclose(change.inside, inside, rtol=1e-5)
        np.testing.assert_allclose(change.outside, outside, rtol=1e-5)
        np.testing.assert_allclose(change.ratio, inside / outside, rtol=1e-4)


@pytest.mark.parametrize("outside", [np.zeros((3, 3)), np.diag([0.0, 1.0, 1.0])])
def test_no_change_outside(outside):
    """Where nothing changes outside, the ratio is large, but a number; where nothing changes at all
    it is 0."""
    change = predicted_change(np.eye(3)[:1], np.diag([4.0, 1.0, 1.0]), outside)
    assert (change.inside, change.outside) == (2, 0)
    assert 1e6 < change.ratio[0] < np.inf
    assert predicted_change(np.eye(3), np.zeros((3, 3)), outside).ratio.tolist() == [0, 0, 0]


def test_resefa_is_projected_like_any_principal_space(golden):
    """The rows of resefa go through the same projection, and its numbers are there too."""
    matrices = gram_matrices(golden("tf_skip_64")["jacobian_w"][0], region_mask("eyes", 64, 64))
    closed = resefa(*matrices)
    background = region_directions(
        golden("tf_skip_64")["jacobian_w"][0], region_mask("eyes", 64, 64), 8
    ).background
    result = projected_directions(*matrices, closed, background)
    np.testing.assert_array_equal(result.principal, closed.vectors[: closed.rank])
    np.testing.assert_allclose(
        result.projected @ background.vectors[: background.rank].T, 0, atol=1e-9
    )
    assert len(result.projected_change.ratio) == len(result.norm_kept) == closed.rank


def test_spectrum():
    """Singular values of a symmetric matrix, largest first."""
    matrix = random(6, 6)
    matrix += matrix.T
    np.testing.assert_allclose(spectrum(matrix), np.linalg.svd(matrix, compute_uv=False))
