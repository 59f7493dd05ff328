"""Bootstrap by patient, Wilcoxon and Holm."""

import math
import random

import numpy as np
import pytest

from tfrespam.evaluation import statistics


def _cohort(patients=40, seed=0, between=0.1, within=0.02):
    """Return values of 1-4 images a patient, and the patients' names."""
    generator = np.random.default_rng(seed)
    names, values = [], []
    for patient in range(patients):
        level = 0.8 + between * generator.standard_normal()
        for _ in range(generator.integers(1, 5)):
            names.append(f"P{patient:03d}")
            values.append(level + within * generator.standard_normal())
    return np.array(values), np.array(names)


def test_resampled_means_match_a_loop_over_drawn_patients():
    values, names = _cohort(6)
    means = statistics.bootstrap_means(values, names, resamples=50, seed=4)
    draws = np.random.default_rng(4).multinomial(6, [1 / 6] * 6, 50)
    by_patient = [values[names == name].tolist() for name in sorted(set(names))]
    for mean, times in zip(means, draws, strict=True):
        drawn = [value for owned, repeat in zip(by_patient, times, strict=True) for value in owned * repeat]
        assert mean == pytest.approx(sum(drawn) / len(drawn), abs=1e-12)


def test_interval_matches_a_simple_bootstrap():
    values, names = _cohort(30)
    by_patient = [values[names == name].tolist() for name in sorted(set(names))]
    generator = random.Random(1)
    means = []
    for _ in range(4000):
        drawn = [value for owned in generator.choices(by_patient, k=30) for value in owned]
        means.append(sum(drawn) / len(drawn))
    means.sort()
    low, high = statistics.patient_bootstrap(values, names, resamples=4000)
    assert low == pytest.approx(means[100], abs=0.004) and high == pytest.approx(means[3900], abs=0.004)
    assert low < values.mean() < high


def test_interval_has_nominal_coverage_only_if_patients_are_resampled():
    by_patient = by_image = 0
    for seed in range(200):
        values, names = _cohort(40, seed=seed)
        low, high = statistics.patient_bootstrap(values, names, resamples=400)
        by_patient += low < 0.8 < high
        low, high = statistics.patient_bootstrap(values, [str(index) for index in range(len(values))], resamples=400)
        by_image += low < 0.8 < high
    assert 180 <= by_patient <= 199
    assert by_image < 170


def test_bootstrap_depends_on_the_seed_but_not_on_the_order_of_rows():
    values, names = _cohort()
    first = statistics.patient_bootstrap(values, names, seed=1)
    order = np.random.default_rng(0).permutation(len(values))
    assert statistics.patient_bootstrap(values, names, seed=1) == first
    assert statistics.patient_bootstrap(values[order], names[order], seed=1) == pytest.approx(first, abs=1e-12)
    assert statistics.patient_bootstrap(values, names, seed=2) != first


def test_pooled_score_is_a_ratio_of_sums():
    hits, sizes = np.array([8.0, 90.0, 0.0, 10.0]), np.array([10.0, 100.0, 10.0, 10.0])
    means = statistics.bootstrap_means(hits, list("abcd"), weights=sizes, resamples=300)
    draws = np.random.default_rng(0).multinomial(4, [0.25] * 4, 300)
    expected = [sum(np.repeat(hits, times)) / sum(np.repeat(sizes, times)) for times in draws]
    np.testing.assert_allclose(means, expected)


def test_missing_values_are_excluded():
    values, names = [0.1, math.nan, 0.5, 0.7, math.nan, 0.9], list("aabbcc")
    means = statistics.bootstrap_means(values, names)
    np.testing.assert_array_equal(means, statistics.bootstrap_means([0.1, 0.5, 0.7, 0.9], list("abbc")))
    nothing = statistics.patient_bootstrap([math.nan, math.nan], ["a", "b"])
    assert math.isnan(nothing.low) and math.isnan(nothing.high)
    assert math.isnan(statistics.patient_bootstrap([], []).low)


def test_paired_interval_is_narrower_and_incomplete_pairs_are_excluded():
    values, names = _cohort()
    better = values + 0.01 + 0.005 * np.random.default_rng(1).standard_normal(len(values))
    difference = statistics.paired_bootstrap_difference(better, values, names)
    assert difference.mean == pytest.approx((better - values).mean()) and difference.low > 0
    alone = statistics.patient_bootstrap(values, names)
    assert difference.high - difference.low < 0.2 * (alone.high - alone.low)
    subtracted = statistics.bootstrap_means(better, names) - statistics.bootstrap_means(values, names)
    assert difference[1:] == pytest.approx(tuple(np.quantile(subtracted, [0.025, 0.975])))
    better[0] = np.nan
    assert statistics.paired_bootstrap_difference(better, values, names).mean == pytest.approx(
        (better - values)[1:].mean())


def test_wilcoxon_is_exact_and_uses_one_mean_a_patient():
    first = [1.1, 0.9, 2.0, 3.5, 5.0, 7.0]  # patients a a b c d e: means 1, 2, 3.5, 5, 7, all above 0
    p = statistics.paired_wilcoxon(first, [0.0] * 6, list("aabcde"))
    assert p == pytest.approx(2 / 2**5)  # 5 patients, every sign positive: 2 of the 32 sign patterns are as extreme
    assert statistics.paired_wilcoxon([0.5, 0.6], [0.5, 0.6], ["a", "b"]) == 1


def test_holm_matches_values_computed_by_hand():
    # sorted: .01 x 4 = .04, .02 x 3 = .06, .03 x 2 = .06, .04 x 1 -> .06 (never below its predecessor)
    np.testing.assert_allclose(statistics.holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(statistics.holm([0.6, 0.7]), [1, 1])
    np.testing.assert_allclose(statistics.holm([0.02]), [0.02])


def test_different_lengths_are_rejected():
    with pytest.raises(ValueError, match="Received"):
        statistics.patient_bootstrap([0.1, 0.2], ["a"])
    with pytest.raises(ValueError, match="Received"):
        statistics.paired_wilcoxon([0.1, 0.2], [0.1, 0.2], ["a"])


def test_one_patient_has_no_interval():
    assert all(map(math.isnan, statistics.patient_bootstrap([0.5, 0.7], ["a", "a"])))
    difference = statistics.paired_bootstrap_difference([0.5, 0.7], [0.4, 0.4], ["a", "a"])
    assert difference.mean == pytest.approx(0.2) and math.isnan(difference.low) and math.isnan(difference.high)
