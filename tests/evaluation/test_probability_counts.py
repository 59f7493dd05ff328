import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrespam.core.files import write_csv
from tfrespam.evaluation.probability_counts import ProbabilityCounts


def count(reference, probability, bins=100):
    counts = ProbabilityCounts(bins)
    counts.add(np.asarray(reference), np.asarray(probability))
    return counts


def test_four_pixels_computed_by_hand():
    counts = count([[0, 1], [1, 1]], [[0.05, 0.25], [0.95, 1.0]], bins=10)
    assert counts.pixels.tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 2] and counts.mass.tolist()[-1] == 2
    tp, fp, tn, fn = counts.confusion()
    assert (tp[0], fp[0], tn[0], fn[0]) == (3, 1, 0, 0) and (tp[5], fp[5], tn[5], fn[5]) == (2, 0, 1, 1)
    precision, recall = counts.precision_recall()
    assert precision[0] == 0.75 and recall[5] == pytest.approx(2 / 3) and precision[3] == 1
    assert counts.expected_calibration_error() == pytest.approx((0.05 + 0.75 + 2 * 0.025) / 4)


def test_calibrated_probabilities_have_no_error():
    generator = np.random.default_rng(0)
    probability = generator.random((400, 400))
    counts = count(generator.random((400, 400)) < probability, probability)
    assert counts.expected_calibration_error() < 0.01
    assert count(np.zeros((9, 9)), np.full((9, 9), 0.8)).expected_calibration_error() == pytest.approx(0.8)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
def test_curves_match_counts_at_each_threshold(pixels):
    reference, probability = map(np.array, zip(*pixels, strict=True))
    probability = np.round(probability, 3)
    counts = count(reference, probability, bins=8)
    tp, fp, tn, fn = counts.confusion()
    for place in range(8):
        found = probability >= place / 8
        assert (tp[place], fp[place]) == ((found & reference).sum(), (found & ~reference).sum())
    assert (tp + fp + tn + fn == len(pixels)).all()


def test_watch_yields_its_input_and_counts_are_restored_from_rows(tmp_path):
    pairs = [(np.eye(3), np.full((3, 3), value)) for value in (0.1, 0.7)]
    counts = ProbabilityCounts(20)
    assert list(counts.watch(pairs)) == pairs and counts.pixels.sum() == 18
    write_csv(tmp_path / "calibration.csv", counts.rows())
    with open(tmp_path / "calibration.csv", newline="") as file:
        again = ProbabilityCounts.from_rows(list(csv.DictReader(file)))
    for name in ("pixels", "mass", "total"):
        np.testing.assert_array_equal(getattr(again, name), getattr(counts, name))


def test_without_pixels_the_error_is_nan():
    assert np.isnan(ProbabilityCounts().expected_calibration_error())
    assert ProbabilityCounts().precision_recall()[0].tolist() == [1] * 100
