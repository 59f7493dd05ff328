import numpy as np
import pytest

from tfrespam.layers import LocalContrast


def reference(image, window, epsilon=1e-6):
    """Return local contrast of one image (H, W), from the mean and variance of each window."""
    out = np.zeros_like(image, np.float64)
    before = (window - 1) // 2
    for y, x in np.ndindex(image.shape):
        top, left = max(y - before, 0), max(x - before, 0)
        part = image[top : y - before + window, left : x - before + window].astype(np.float64)
        out[y, x] = (image[y, x] - part.mean()) / np.sqrt(part.var() + epsilon)
    return out


@pytest.mark.parametrize("window", [3, 6, 9])
def test_result_matches_the_equation(window):
    images = np.random.default_rng(0).random((2, 15, 12, 2), np.float32)
    result = np.array(LocalContrast(window)(images))
    for n, c in np.ndindex(2, 2):
        np.testing.assert_allclose(result[n, ..., c], reference(images[n, ..., c], window), atol=1e-4)


def test_a_white_border_only_affects_pixels_within_the_window():
    image = np.random.default_rng(1).normal(0.3, 0.01, (1, 40, 40, 1)).astype(np.float32)
    bordered = image.copy()
    bordered[:, :, :5] = 1.0
    layer = LocalContrast(9)
    np.testing.assert_allclose(np.array(layer(bordered))[:, :, 9:], np.array(layer(image))[:, :, 9:], atol=2e-2)


def test_a_constant_image_becomes_zero():
    np.testing.assert_allclose(np.array(LocalContrast(5)(np.full((1, 16, 16, 1), 0.4, np.float32))), 0, atol=1e-3)


def test_a_window_of_one_pixel_is_rejected():
    with pytest.raises(ValueError, match="at least 2 pixels. Received: window=1"):
        LocalContrast(1)
