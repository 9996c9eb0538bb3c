"""The picture of spectra."""

import numpy as np
import pytest

from utils.pictures.plots import HEIGHT, WIDTH, Spectrum, spectra_picture

COLOUR = "#0b7a75"


def panel(values, rank):
    values = np.array(values, float)
    return Spectrum("a title", values, values[:rank] / 2, rank, ("values", "shrunk"), COLOUR)


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_size(panels):
    """Panels stand side by side, on white."""
    picture = spectra_picture([panel([3, 1, 0.1], 1)] * panels)
    assert picture.shape == (HEIGHT, WIDTH * panels, 3)
    assert picture.dtype == np.uint8
    assert (picture[0] == 255).all()
    np.testing.assert_array_equal(picture[:, :WIDTH], picture[:, -WIDTH:])


@pytest.mark.parametrize(
    ("values", "rank"),
    [
        ([1], 1),
        ([1], 0),
        ([0, 0, 0], 0),
        ([5, 0, 0], 1),
        ([1e-30] * 3, 2),
        ([1, 1, 1, 1], 4),
        (10.0 ** -np.arange(30), 5),
        (np.linspace(1, 0, 512), 40),
        (np.linspace(1, 0, 512), 512),
    ],
)
def test_any_spectrum(values, rank):
    """Zeros, equal values, one value, many, and any rank can be drawn."""
    assert (spectra_picture([panel(values, rank)]) < 128).any()


def test_the_cut_moves_with_the_rank():
    """The tinted ground ends farther to the right for a higher rank."""

    def tinted(rank):
        values = np.linspace(1, 0.1, 20)
        row = spectra_picture([Spectrum("", values, np.empty(0), rank, ("", ""), COLOUR)])[
            HEIGHT - 60
        ]
        return int((row == row[70]).all(axis=1).sum())

    widths = [tinted(rank) for rank in (2, 5, 10)]
    assert widths == sorted(widths)
    assert widths[2] - widths[1] == pytest.approx((widths[1] - widths[0]) * 5 / 3, abs=12)
