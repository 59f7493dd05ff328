import numpy as np
import pytest
from scipy import special

from tfrespam.layers import Temperature

PROBABILITIES = np.random.default_rng(0).random((2, 5, 6, 1)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_result_matches_the_equation(temperature):
    expected = special.expit(special.logit(PROBABILITIES.astype(np.float64)) / temperature)
    np.testing.assert_allclose(Temperature(temperature)(PROBABILITIES), expected, atol=2e-6)


def test_masks_at_threshold_one_half_are_unchanged():
    values = np.concatenate([PROBABILITIES.ravel(), [0.5, 0, 1, 0.499999, 0.500001]]).astype(np.float32)
    found = np.array(Temperature(3.0)(values))
    np.testing.assert_array_equal(found >= 0.5, values >= 0.5)
    assert np.isfinite(found).all() and found.min() > 0 and found.max() < 1


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_temperatures_of_zero_or_less_are_rejected(temperature):
    with pytest.raises(ValueError, match="must be above 0. Received: temperature="):
        Temperature(temperature)
