"""The layers against their definitions, where no golden network goes."""

import numpy as np
import pytest
import scipy.signal

from dnnlib.layers import Upsampling


@pytest.mark.parametrize(
    "kernel", [(1, 1), (1, 2, 1), (1, 2, 3), (1, 3, 3, 1), (1, 4, 6, 4, 1), (1, 2, 3, 4, 5, 6)]
)
def test_upsampled_image(kernel):
    """Zeros after each pixel, a border of (n - 1) // 2 + 1 before and (n - 2) // 2 after,
    convolution with n taps."""
    taps, n = 2 * np.array(kernel) / np.sum(kernel), len(kernel)
    x = np.random.RandomState(0).randn(5, 5)
    y = np.zeros((10, 10))
    y[::2, ::2] = x
    expected = scipy.signal.convolve2d(
        np.pad(y, [((n - 1) // 2 + 1, (n - 2) // 2)] * 2), np.outer(taps, taps), "valid"
    )
    image = Upsampling(kernel, "float64")(x[None, :, :, None]).numpy()[0, :, :, 0]
    np.testing.assert_allclose(image, expected, atol=1e-12)
