import numpy as np
import pytest

from tfrespam.layers import LocalContrast


def restated(picture, window, epsilon=1e-6):
    """One picture (H, W): each window cut out and its mean and variance taken."""
    out = np.zeros_like(picture, np.float64)
    before = (window - 1) // 2
    for y, x in np.ndindex(picture.shape):
        top, left = max(y - before, 0), max(x - before, 0)
        part = picture[top : y - before + window, left : x - before + window].astype(np.float64)
        out[y, x] = (picture[y, x] - part.mean()) / np.sqrt(part.var() + epsilon)
    return out


@pytest.mark.parametrize("window", [3, 6, 9])
def test_is_what_its_equation_says(window):
    pictures = np.random.default_rng(0).random((2, 15, 12, 2), np.float32)
    found = np.array(LocalContrast(window)(pictures))
    for n, c in np.ndindex(2, 2):
        np.testing.assert_allclose(found[n, ..., c], restated(pictures[n, ..., c], window), atol=1e-4)


def test_a_white_border_changes_nothing_farther_away_than_the_window():
    picture = np.random.default_rng(1).normal(0.3, 0.01, (1, 40, 40, 1)).astype(np.float32)
    bordered = picture.copy()
    bordered[:, :, :5] = 1.0
    layer = LocalContrast(9)
    np.testing.assert_allclose(np.array(layer(bordered))[:, :, 9:], np.array(layer(picture))[:, :, 9:], atol=2e-2)


def test_a_constant_picture_becomes_zero():
    np.testing.assert_allclose(np.array(LocalContrast(5)(np.full((1, 16, 16, 1), 0.4, np.float32))), 0, atol=1e-3)


def test_a_window_of_one_pixel_is_refused():
    with pytest.raises(ValueError, match="at least 2 pixels. Received: window=1"):
        LocalContrast(1)
