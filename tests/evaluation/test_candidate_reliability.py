import numpy as np
import pytest

from tfrespam.evaluation.candidate_reliability import candidate_counts, platt_scaling, reliability_facts


def row(score, iou):
    """Make a row of candidates.csv."""
    return {"score": str(score), "best_iou": str(iou)}


def test_bins_and_calibration_error_computed_by_hand():
    """Two candidates of mean score 0.8, one of them a mass, and a false one of 0.3: (2 * 0.3 + 0.3) / 3."""
    rows = [row(0.82, 0.1), row(0.84, 0.09), row(0.3, 0.0)]
    facts = reliability_facts(rows)
    assert facts["iou"] == 0.1 and facts["expected_calibration_error"] == pytest.approx((2 * 0.33 + 0.3) / 3)
    filled = [each for each in facts["bins"] if each["candidates"]]
    assert [(each["from"], each["to"], each["candidates"], each["hits"]) for each in filled] == [
        (0.3, 0.4, 1, 0), (0.8, 0.9, 2, 1)]  # fmt: skip
    assert filled[1]["score"] == pytest.approx(0.83) and facts["bins"][0]["score"] is None
    assert len(facts["bins"]) == 10 and sum(each["candidates"] for each in facts["bins"]) == 3


def test_calibration_error_matches_an_independent_implementation():
    rng = np.random.default_rng(0)
    rows = [row(score, iou) for score, iou in zip(rng.random(300), rng.random(300) * 0.3, strict=True)]
    error = 0.0
    for low in range(10):
        inside = [each for each in rows if low <= 10 * float(each["score"]) < low + 1]
        if inside:
            hits = np.mean([float(each["best_iou"]) >= 0.1 for each in inside])
            error += len(inside) / 300 * abs(hits - np.mean([float(each["score"]) for each in inside]))
    assert candidate_counts(rows).expected_calibration_error() == pytest.approx(error)


def test_scaled_scores_are_calibrated():
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.2, 0.999, 4000)
    rows = [row(score, 0.5 * (rng.random() < score**3)) for score in scores]
    scaled = platt_scaling(rows).apply(scores)
    again = [{**each, "score": score} for each, score in zip(rows, scaled, strict=True)]
    before, after = (reliability_facts(each)["expected_calibration_error"] for each in (rows, again))
    assert before > 0.2 and after < 0.04


@pytest.mark.parametrize("rows", [[], [row(0.5, 0.9)], [row(0.5, 0.0)]])
def test_without_both_hits_and_misses_no_scaling_is_fitted(rows):
    facts = reliability_facts(rows)
    assert facts["slope"] is None and facts["intercept"] is None and platt_scaling(rows) is None
    assert np.isnan(facts["expected_calibration_error"]) == (not rows)
