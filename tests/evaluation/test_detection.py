import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.evaluation.detection import Candidate, Finding, candidate_rows, detection_scores, find


def picture(*boxes):
    """(30, 40) with a value in each box (y0, x0, y1, x1, value)."""
    drawn = np.zeros((30, 40))
    for y0, x0, y1, x1, value in boxes:
        drawn[y0:y1, x0:x1] = value
    return drawn


def candidate(score, *ious):
    return Candidate(score, 10, (score, score), ious)


def sensitivity(result, criterion=0.5):
    return {rate: row["value"] for rate, row in result[f"iou_{criterion:g}"]["sensitivity"].items()}


def test_candidates_are_the_connected_parts_with_their_scores_and_overlaps():
    reference = picture((0, 0, 10, 10, 1), (20, 20, 30, 30, 1))
    probability = picture((0, 5, 10, 15, 0.6), (2, 8, 4, 10, 0.9), (20, 0, 25, 4, 0.7), (0, 30, 5, 35, 0.4))
    finding = find(reference, probability)
    assert finding.lesions == 2 and [each.score for each in finding.candidates] == [0.9, 0.7]
    first, second = finding.candidates
    assert (first.area_px, second.area_px) == (100, 20)
    assert first.ious == (50 / 150, 0) and second.ious == (0, 0)
    assert first.centre == (4.5, 9.5)
    by_mean = find(reference, probability, score="mean").candidates
    assert [each.score for each in by_mean] == pytest.approx([0.7, (96 * 0.6 + 4 * 0.9) / 100])
    assert len(find(reference, probability, threshold=0.3).candidates) == 3


def test_parts_that_touch_at_a_corner_are_one():
    corner = picture((0, 0, 5, 5, 1), (5, 5, 10, 10, 1))
    finding = find(corner, corner)
    assert finding.lesions == 1 and finding.candidates[0].ious == (1.0,)


def test_empty_pictures_hold_nothing():
    empty, full = np.zeros((4, 4)), np.ones((4, 4))
    assert find(empty, empty) == Finding(0, ())
    assert find(full, empty) == Finding(1, ())
    assert find(empty, full).candidates[0].ious == () and find(full, full).candidates[0].ious == (1.0,)


def test_a_curve_made_by_hand():
    """Two images, three lesions. Downwards: hit, false, false, hit, a second hit of the first lesion, hit."""
    findings = [Finding(2, (candidate(0.9, 0.6, 0), candidate(0.7, 0, 0.1), candidate(0.5, 0.5, 0))),
                Finding(1, (candidate(0.8, 0.2), candidate(0.6, 0.8)))]  # fmt: skip
    result = detection_scores(findings, ["a", "b"], resamples=20)
    assert result["n_lesions"] == 3 and result["n_candidates"] == 5
    assert sensitivity(result) == {"fp_0.5": 1 / 3, "fp_1": 2 / 3, "fp_2": 2 / 3}
    assert result["iou_0.5"]["sensitivity"]["fp_0.5"]["score"] == 0.8  # one false positive in two images is 0.5
    assert result["iou_0.5"]["all_candidates"] == {"sensitivity": 2 / 3, "fp_per_image": 1.0}
    assert sensitivity(result, 0.1) == {"fp_0.5": 1, "fp_1": 1, "fp_2": 1}
    assert result["iou_0.1"]["all_candidates"] == {"sensitivity": 1.0, "fp_per_image": 0.0}


def test_one_candidate_may_hit_two_lesions_and_no_lesion_counts_twice():
    findings = [Finding(2, (candidate(0.9, 0.4, 0.4), candidate(0.8, 0.3, 0.2)))]
    result = detection_scores(findings, ["a"], resamples=5)
    assert sensitivity(result, 0.1)["fp_0.5"] == 1 and result["iou_0.1"]["all_candidates"]["fp_per_image"] == 0


def test_equal_scores_count_together():
    findings = [Finding(1, (candidate(0.9, 0.0), candidate(0.9, 1.0)))]
    result = detection_scores(findings, ["a"], resamples=5)
    assert sensitivity(result) == {"fp_0.5": 0, "fp_1": 1, "fp_2": 1}
    assert result["iou_0.5"]["sensitivity"]["fp_0.5"]["score"] is None


def test_without_lesions_or_candidates_nothing_is_made_up():
    none = detection_scores([Finding(0, (candidate(0.9),))], ["a"], resamples=5)
    assert np.isnan(sensitivity(none)["fp_1"]) and np.isnan(none["iou_0.5"]["sensitivity"]["fp_1"]["ci95"]).all()
    missed = detection_scores([Finding(2, ())], ["a"], resamples=5)
    assert sensitivity(missed)["fp_2"] == 0 and missed["iou_0.5"]["sensitivity"]["fp_2"]["ci95"] == [0, 0]


def test_images_and_patients_must_be_equally_many():
    with pytest.raises(ValueError, match="Received: 1 findings, 2 patients"):
        detection_scores([Finding(0, ())], ["a", "b"])


def restated(findings, criterion, rate):
    """Every score is tried as the least one that counts."""
    best, least = 0.0, None
    lesions = sum(finding.lesions for finding in findings)
    for level in {each.score for finding in findings for each in finding.candidates}:
        found, false = set(), 0
        for number, finding in enumerate(findings):
            for each in finding.candidates:
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
def test_agrees_with_a_second_statement(findings):
    result = detection_scores(findings, list("aabbccdd")[: len(findings)], resamples=3)
    for criterion, rate in itertools.product((0.1, 0.5), (0.5, 1, 2)):
        row = result[f"iou_{criterion:g}"]["sensitivity"][f"fp_{rate:g}"]
        assert (row["value"], row["score"]) == pytest.approx(restated(findings, criterion, rate))


def test_the_interval_resamples_patients_with_all_their_images():
    """Patient a: 4 lesions found, b: 4 missed. Resamples are aa, ab, ba or bb."""
    found, missed = Finding(2, (candidate(0.9, 1.0, 1.0),)), Finding(2, ())
    result = detection_scores([found, missed, found, missed], ["a", "b", "a", "b"], resamples=400)
    row = result["iou_0.5"]["sensitivity"]["fp_1"]
    assert row["value"] == 0.5 and row["ci95"] == [0, 1]
    same = detection_scores([found, found], ["a", "b"], resamples=50)
    assert same["iou_0.5"]["sensitivity"]["fp_1"]["ci95"] == [1, 1]


def test_the_interval_is_that_of_resamples_drawn_one_by_one():
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


def test_rows_say_where_each_candidate_is():
    finding = find(picture((0, 0, 10, 10, 1)), picture((0, 0, 10, 10, 0.8), (20, 20, 22, 24, 0.6)))
    rows = candidate_rows(["film"], [finding])
    assert rows[0] == {"film_id": "film", "score": 0.8, "area_px": 100, "row": 4.5, "column": 4.5, "best_iou": 1.0}
    assert rows[1]["best_iou"] == 0 and (rows[1]["row"], rows[1]["column"]) == (20.5, 21.5)
