import numpy as np
import pytest

from tfrespam.evaluation.average_precision import average_precision
from tfrespam.evaluation.candidates import Candidate
from tfrespam.evaluation.detection import Finding, Match


def match(score, *ious, boxes=None):
    return Match(Candidate(score, (0, 0, 1, 1), (0.0, 0.0), 1, 1.0), ious, ious if boxes is None else boxes)


def value(findings, **options):
    return average_precision(findings, [str(n) for n in range(len(findings))], resamples=3, **options)["value"]


def test_average_precision_computed_by_hand():
    """TP, FP, TP for three lesions: precision 1 up to a recall of 1/3, then 2/3 up to 2/3, then 0."""
    findings = [Finding(2, (match(0.9, 0.6, 0.0), match(0.7, 0.0, 0.5))), Finding(1, (match(0.8, 0.4),))]
    assert value(findings) == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)  # recalls 0 to 0.33, and 0.34 to 0.66


def test_perfect_detection_is_one_and_no_detection_is_zero():
    assert value([Finding(1, (match(0.9, 0.7),))] * 3) == pytest.approx(1)
    assert value([Finding(1, ())]) == 0 and value([Finding(1, (match(0.9, 0.4),))]) == 0


def test_a_second_match_of_a_lesion_is_a_false_positive():
    twice = Finding(1, (match(0.9, 0.8), match(0.8, 0.6)))
    one = Finding(1, (match(0.5, 0.8),))
    assert value([twice, one]) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_candidate_matches_the_unmatched_lesion_with_the_largest_iou():
    findings = [Finding(2, (match(0.9, 0.6, 0.7), match(0.8, 0.55, 0.9)))]
    assert value(findings) == pytest.approx(1)


def test_boxes_and_masks_are_evaluated_separately():
    findings = [Finding(1, (match(0.9, 0.4, boxes=(0.6,)),))]
    assert value(findings) == 0 and value(findings, overlap="box") == pytest.approx(1)
    assert value(findings, criterion=0.3) == pytest.approx(1)


def test_without_lesions_the_value_is_nan():
    result = average_precision([Finding(0, (match(0.9),))], ["a"], resamples=5)
    assert np.isnan(result["value"]) and np.isnan(result["ci95"]).all()


def test_interval_resamples_patients():
    found, missed = Finding(1, (match(0.9, 0.8),)), Finding(1, ())
    result = average_precision([found, missed], ["a", "b"], resamples=400)
    assert result["ci95"] == pytest.approx([0, 1])
    assert average_precision([found, found], ["a", "b"], resamples=50)["ci95"] == pytest.approx([1, 1])
