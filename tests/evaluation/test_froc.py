import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.evaluation.average_precision import average_precision
from tfrespam.evaluation.candidates import Candidate
from tfrespam.evaluation.detection import Finding, Match
from tfrespam.evaluation.froc import COLUMNS, curve_rows, detection_scores, operating_point


def candidate(score, *ious):
    return Match(Candidate(score, (0, 0, 2, 5), (score, score), 10, 5.0), ious)


def sensitivity(result, criterion=0.5):
    return {rate: row["value"] for rate, row in result[f"iou_{criterion:g}"]["sensitivity"].items()}


def test_curve_matches_values_computed_by_hand():
    """Two images, three lesions. By descending score: hit, false, false, hit, second hit of the first lesion, hit."""
    findings = [Finding(2, (candidate(0.9, 0.6, 0), candidate(0.7, 0, 0.1), candidate(0.5, 0.5, 0))),
                Finding(1, (candidate(0.8, 0.2), candidate(0.6, 0.8)))]  # fmt: skip
    result = detection_scores(findings, ["a", "b"], resamples=20)
    assert result["n_lesions"] == 3 and result["n_candidates"] == 5
    assert sensitivity(result) == {"fp_0.25": 1 / 3, "fp_0.5": 1 / 3, "fp_1": 2 / 3, "fp_2": 2 / 3}
    assert result["iou_0.5"]["sensitivity"]["fp_0.5"]["score"] == 0.8  # one false positive in two images is 0.5
    assert result["iou_0.5"]["all_candidates"] == {"sensitivity": 2 / 3, "fp_per_image": 1.0}
    assert set(sensitivity(result, 0.1).values()) == {1}
    assert result["iou_0.1"]["all_candidates"] == {"sensitivity": 1.0, "fp_per_image": 0.0}


def test_one_candidate_can_hit_two_lesions_and_each_lesion_counts_once():
    findings = [Finding(2, (candidate(0.9, 0.4, 0.4), candidate(0.8, 0.3, 0.2)))]
    result = detection_scores(findings, ["a"], resamples=5)
    assert sensitivity(result, 0.1)["fp_0.5"] == 1 and result["iou_0.1"]["all_candidates"]["fp_per_image"] == 0


def test_equal_scores_count_together():
    findings = [Finding(1, (candidate(0.9, 0.0), candidate(0.9, 1.0)))]
    result = detection_scores(findings, ["a"], resamples=5)
    assert sensitivity(result) == {"fp_0.25": 0, "fp_0.5": 0, "fp_1": 1, "fp_2": 1}
    assert result["iou_0.5"]["sensitivity"]["fp_0.5"]["score"] is None


def test_sensitivity_is_nan_without_lesions_and_zero_without_candidates():
    none = detection_scores([Finding(0, (candidate(0.9),))], ["a"], resamples=5)
    assert np.isnan(sensitivity(none)["fp_1"]) and np.isnan(none["iou_0.5"]["sensitivity"]["fp_1"]["ci95"]).all()
    missed = detection_scores([Finding(2, ()), Finding(2, ())], ["a", "b"], resamples=5)
    assert sensitivity(missed)["fp_2"] == 0 and missed["iou_0.5"]["sensitivity"]["fp_2"]["ci95"] == [0, 0]


def test_different_numbers_of_images_and_patients_are_rejected():
    with pytest.raises(ValueError, match="Received: 1 findings, 2 patients"):
        detection_scores([Finding(0, ())], ["a", "b"])


def restated(findings, criterion, rate):
    """Compute the sensitivity by trying every score as the threshold."""
    best, least = 0.0, None
    lesions = sum(finding.lesions for finding in findings)
    for level in {each.score for finding in findings for each in finding.matches}:
        found, false = set(), 0
        for number, finding in enumerate(findings):
            for each in finding.matches:
                if each.score >= level:
                    hits = {(number, lesion) for lesion, iou in enumerate(each.ious) if iou >= criterion}
                    found |= hits
                    false += not hits
        if false <= rate * len(findings) and (least is None or level < least):
            best, least = len(found) / lesions, level
    return best, least


@st.composite
def images(draw):
    lesions = draw(st.integers(0, 3))
    shares = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9])
    scores = draw(st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), max_size=6))
    found = [candidate(score, *draw(st.lists(shares, min_size=lesions, max_size=lesions))) for score in scores]
    return Finding(lesions, tuple(sorted(found, key=lambda each: -each.score)))


@given(st.lists(images(), min_size=1, max_size=8).filter(lambda drawn: sum(each.lesions for each in drawn)))
@settings(max_examples=150)
def test_sensitivity_matches_an_independent_implementation(findings):
    result = detection_scores(findings, list("aabbccdd")[: len(findings)], resamples=3)
    for criterion, rate in itertools.product((0.1, 0.5), (0.25, 0.5, 1, 2)):
        row = result[f"iou_{criterion:g}"]["sensitivity"][f"fp_{rate:g}"]
        assert (row["value"], row["score"]) == pytest.approx(restated(findings, criterion, rate))


def test_interval_resamples_patients_with_all_their_images():
    """Patient a: 4 lesions found, b: 4 missed. Resamples are aa, ab, ba or bb."""
    found, missed = Finding(2, (candidate(0.9, 1.0, 1.0),)), Finding(2, ())
    result = detection_scores([found, missed, found, missed], ["a", "b", "a", "b"], resamples=400)
    row = result["iou_0.5"]["sensitivity"]["fp_1"]
    assert row["value"] == 0.5 and row["ci95"] == [0, 1]
    same = detection_scores([found, found], ["a", "b"], resamples=50)
    assert same["iou_0.5"]["sensitivity"]["fp_1"]["ci95"] == [1, 1]


def test_interval_matches_resamples_computed_one_by_one():
    rng = np.random.default_rng(5)
    patients = [f"p{number}" for number in range(6) for _ in range(2)]
    findings = []
    for _ in patients:
        found = [candidate(score, float(rng.random() < 0.5)) for score in rng.random(3).round(2)]
        findings.append(Finding(1, tuple(sorted(found, key=lambda each: -each.score))))
    row = detection_scores(findings, patients, resamples=300, seed=7)["iou_0.5"]["sensitivity"]["fp_0.5"]
    draws = np.random.default_rng(7).multinomial(6, np.full(6, 1 / 6), 300)
    values = []
    for draw in draws:
        chosen = [findings[2 * patient + view] for patient in range(6) for _ in range(draw[patient]) for view in (0, 1)]
        values.append(restated(chosen, 0.5, 0.5)[0])
    np.testing.assert_allclose(row["ci95"], np.quantile(values, [0.025, 0.975]), atol=1e-12)


def test_curve_has_a_row_for_each_score_in_descending_order():
    findings = [Finding(1, (candidate(0.9, 0.6), candidate(0.4, 0.0))), Finding(1, (candidate(0.8, 0.2),)),
                Finding(2, (candidate(0.7, 0.0, 0.0),))]  # fmt: skip
    curve = curve_rows(findings, ["a", "b", "c"], resamples=5)
    assert [tuple(row) for row in curve] == [COLUMNS] * 4 and [row["score"] for row in curve] == [0.9, 0.8, 0.7, 0.4]
    assert [row["fp_per_image"] for row in curve] == [0, 0, 1 / 3, 2 / 3]
    assert [row["sensitivity_iou_0.1"] for row in curve] == [1 / 4, 1 / 2, 1 / 2, 1 / 2]
    assert [row["fp_per_image_iou_0.5"] for row in curve] == [0, 1 / 3, 2 / 3, 1]
    assert curve[-1]["sensitivity_iou_0.5"] == 1 / 4
    assert curve_rows([Finding(1, ())], ["a"], resamples=5) == []


def test_intervals_of_the_curve_match_those_of_detection_scores():
    rng = np.random.default_rng(3)
    patients = [f"p{number // 2}" for number in range(14)]
    findings = [Finding(1, tuple(candidate(score, float(rng.random())) for score in sorted(rng.random(3))[::-1]))
                for _ in patients]  # fmt: skip
    curve = curve_rows(findings, patients, resamples=200, seed=2)
    for row in curve[::7]:
        for criterion, name in ((0.1, "fp_per_image"), (0.5, "fp_per_image_iou_0.5")):
            rate = row[name] + 1e-12  # of whole counts, which the row's rate has rounded
            expected = detection_scores(findings, patients, 200, 2, rates=[rate])[f"iou_{criterion:g}"]["sensitivity"]
            (cell,) = expected.values()
            found = row[f"low_iou_{criterion:g}"], row[f"high_iou_{criterion:g}"]
            assert found == pytest.approx(cell["ci95"]) and cell["value"] >= row[f"sensitivity_iou_{criterion:g}"]


@given(st.lists(images(), min_size=1, max_size=8).filter(lambda drawn: sum(each.lesions for each in drawn)),
       st.sampled_from([0.5, 0.75, 0.9, 1.5]))
@settings(max_examples=60)
def test_operating_point_counts_candidates_at_or_above_its_score(findings, score):
    point = operating_point(findings, list("aabbccdd")[: len(findings)], score, resamples=3)
    for criterion in (0.1, 0.5):
        found, false = set(), 0
        for number, finding in enumerate(findings):
            for each in finding.matches:
                hits = {(number, lesion) for lesion, iou in enumerate(each.ious) if iou >= criterion}
                found |= hits if each.score >= score else set()
                false += each.score >= score and not hits
        cell = point[f"iou_{criterion:g}"]
        assert cell["sensitivity"]["value"] == pytest.approx(len(found) / sum(each.lesions for each in findings))
        assert cell["fp_per_image"]["value"] == pytest.approx(false / len(findings))


def test_intervals_of_the_operating_point_resample_patients():
    """Patient a: found, and a false positive; b: missed, and none. Resamples are aa, ab, ba or bb."""
    findings = [Finding(1, (candidate(0.9, 1.0), candidate(0.8, 0.0))), Finding(1, ())]
    point = operating_point(findings, ["a", "b"], 0.5, resamples=400)["iou_0.5"]
    assert point["sensitivity"] == {"value": 0.5, "ci95": [0, 1]} == point["fp_per_image"]


def test_one_patient_has_no_interval():
    """As means over images; nor has average precision, nor the operating point."""
    findings = [Finding(1, (candidate(0.9, 0.6),)), Finding(1, ())]
    scores = detection_scores(findings, ["a", "a"], resamples=5)["iou_0.1"]["sensitivity"]["fp_1"]
    point = operating_point(findings, ["a", "a"], 0.5, resamples=5)["iou_0.1"]["sensitivity"]
    precision = average_precision(findings, ["a", "a"], resamples=5)
    for score in (scores, point, precision):
        assert np.isfinite(score["value"]) and np.isnan(score["ci95"]).all()
