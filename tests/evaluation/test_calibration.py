import numpy as np
import pytest
from scipy import special

from tfrespam.evaluation.calibration import apply_temperature, cross_entropy, fit_temperature

RNG = np.random.default_rng(0)


def pixels(temperature, count=200_000):
    """Return calibrated pixels, as an overconfident network (by the factor `temperature`) would predict them."""
    logit = RNG.normal(0, 2, count)
    mask = RNG.random(count) < special.expit(logit)
    return special.expit(logit * temperature).reshape(2, -1, 10), mask.reshape(2, -1, 10)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_known_temperature_is_recovered(temperature):
    probability, mask = pixels(temperature)
    assert fit_temperature(probability, mask) == pytest.approx(temperature, rel=0.03)


def test_fitted_temperature_minimises_cross_entropy():
    probability, mask = pixels(2.0, 5000)
    found = fit_temperature(probability, mask)
    best = cross_entropy(probability, mask, found)
    assert all(best <= cross_entropy(probability, mask, found * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


def test_cross_entropy_matches_its_definition():
    probability, mask = np.array([0.2, 0.9, 0.6]), np.array([0, 1, 0])
    assert cross_entropy(probability, mask) == pytest.approx(-np.log([0.8, 0.9, 0.4]).mean())
    assert np.isfinite(cross_entropy(np.array([0.0, 1.0]), np.array([1, 0])))


def test_apply_temperature_matches_its_equation():
    probability = np.array([0.1, 0.5, 0.9], np.float32)
    found = apply_temperature(probability, 2.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, special.expit(special.logit(probability.astype(float)) / 2), atol=1e-6)


@pytest.mark.parametrize("mask", [np.zeros(4), np.ones(4)])
def test_pixels_of_one_class_are_rejected(mask):
    with pytest.raises(ValueError, match="pixels of both classes. Received: 4 pixels"):
        fit_temperature(np.full(4, 0.5), mask)
