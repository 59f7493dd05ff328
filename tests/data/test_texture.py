import cv2
import numpy as np
import pytest

from tfrespam.data.phantom.anatomy import draw_anatomy
from tfrespam.data.phantom.texture import power_law, radial_strands, strands


def spectral_slope(patch: np.ndarray, lowest: float, highest: float) -> float:
    """Compute the slope of log power over log frequency (cycles per pixel), radially averaged, with a Hann window."""
    window = np.outer(np.hanning(patch.shape[0]), np.hanning(patch.shape[1]))
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(patch.shape[0])[:, None], np.fft.fftfreq(patch.shape[1])[None])
    edges = np.geomspace(lowest, highest, 12)
    ring = np.digitize(frequency, edges)
    mean = [power[ring == k].mean() for k in range(1, len(edges))]
    return np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(mean), 1)[0]


@pytest.mark.parametrize("beta", [2.0, 3.0])
def test_power_law_has_the_requested_slope(beta):
    slopes = [spectral_slope(power_law((256, 256), np.random.default_rng(k), beta), 0.02, 0.3) for k in range(4)]
    assert np.mean(slopes) == pytest.approx(-beta, abs=0.15)


def test_power_law_is_standardised_and_not_periodic():
    field = power_law((200, 160), np.random.default_rng(0))
    assert field.shape == (200, 160)
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    across_the_border = np.abs(field[0] - field[-1]).mean()
    assert across_the_border > 5 * np.abs(np.diff(field, axis=0)).mean()


def test_breast_tissue_has_a_spectrum_like_mammograms():
    # mammograms: exponents from 1.5 to 3.5 (Burgess and Judy 2007)
    slopes = []
    for seed in range(4):
        anatomy = draw_anatomy((800, 500), "CC", 0.9, 2, np.random.default_rng(seed))
        y, x = np.unravel_index(np.argmax(cv2.boxFilter(anatomy.gland, -1, (160, 160))), anatomy.gland.shape)
        y, x = np.clip(y, 64, 736), np.clip(x, 64, 436)
        slopes.append(spectral_slope(anatomy.brightness[y - 64 : y + 64, x - 64 : x + 64], 0.03, 0.3))
    assert np.mean(slopes) == pytest.approx(-3, abs=0.5)


def test_strands_are_thin_lines():
    lines = strands((128, 128), (40.0, 40.0), 0.1, np.random.default_rng(0))
    assert lines.max() > 0.5
    assert np.mean(lines > 0.3) < 0.15


def test_radial_strands_point_towards_their_centre():
    lines = radial_strands((800, 500), (400, 490), np.random.default_rng(0))
    down, across = (np.abs(np.diff(lines[300:500, 100:350], axis=axis)).mean() for axis in (0, 1))
    assert down > 1.4 * across
