import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from tfrespam.evaluation.platt_scaling import INTERCEPTS, SLOPES, PlattScaling


def drawn(slope=0.6, intercept=-1.5, number=20_000, seed=0):
    """Draw scores, and hits with the frequency of the scaled score."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.02, 0.98, number)
    frequency = 1 / (1 + np.exp(-intercept) * (1 / score - 1) ** slope)
    return score, rng.random(number) < frequency, frequency


def test_fit_recovers_the_slope_and_intercept_of_simulated_hits():
    score, hit, frequency = drawn()
    scaling = PlattScaling.fit(score, hit)
    assert scaling == pytest.approx((0.6, -1.5), abs=0.06)
    np.testing.assert_allclose(scaling.apply(score), frequency, atol=0.02)
    assert PlattScaling.fit(scaling.apply(score), hit) == pytest.approx((1, 0), abs=1e-3)


@given(st.lists(st.tuples(st.floats(0.001, 0.999), st.booleans()), min_size=2, max_size=40)
       .filter(lambda pairs: len({hit for _, hit in pairs}) == 2))
@settings(max_examples=60)
def test_no_other_slope_and_intercept_fit_better(pairs):
    """Compared with a gradient-free optimiser."""
    score, hit = (np.array(column) for column in zip(*pairs, strict=True))
    scaling = PlattScaling.fit(score, hit)
    ones = np.count_nonzero(hit)
    target = np.where(hit, (ones + 1) / (ones + 2), 1 / (len(hit) - ones + 2))

    def loss(fitted):
        share = np.clip(1 / (1 + np.exp(-fitted[1]) * (1 / score - 1) ** fitted[0]), 1e-12, 1 - 1e-12)
        return -np.mean(target * np.log(share) + (1 - target) * np.log(1 - share))

    other = optimize.minimize(loss, (1.0, 0.0), method="Nelder-Mead", bounds=(SLOPES, INTERCEPTS),
                              options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000})  # fmt: skip
    assert loss(scaling) <= other.fun + 1e-6


def test_scaling_is_monotone_and_the_default_is_the_identity():
    score = np.linspace(0, 1, 1001)[1:-1]
    assert (np.diff(PlattScaling(0.3, -4).apply(score)) > 0).all()
    np.testing.assert_array_equal(PlattScaling().apply(score), score)
    assert np.isfinite(PlattScaling(2, 1).apply(np.array([0.0, 1.0]))).all()


def test_separable_scores_give_a_finite_slope():
    assert PlattScaling.fit(np.array([0.2, 0.3, 0.7, 0.8]), np.array([0, 0, 1, 1])).slope < 2


@pytest.mark.parametrize("hit", [[0, 0], [1, 1], []])
def test_only_hits_or_only_misses_are_rejected(hit):
    with pytest.raises(ValueError, match=f"Received: {len(hit)} scores, {sum(hit)} of them hits"):
        PlattScaling.fit(np.full(len(hit), 0.5), np.array(hit))
