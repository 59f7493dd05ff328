import numpy as np
import pytest

from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.detection import Finding, candidate_rows, find


def picture(*boxes):
    """Make a map (30, 40) from boxes (y0, x0, y1, x1, value)."""
    drawn = np.zeros((30, 40))
    for y0, x0, y1, x1, value in boxes:
        drawn[y0:y1, x0:x1] = value
    return drawn


def test_candidates_are_connected_components_with_scores_and_ious():
    reference = picture((0, 0, 10, 10, 1), (20, 20, 30, 30, 1))
    probability = picture((0, 5, 10, 15, 0.6), (2, 8, 4, 10, 0.9), (20, 0, 25, 4, 0.7), (0, 30, 5, 35, 0.4))
    finding = find(reference, probability)
    assert finding.lesions == 2 and [each.score for each in finding.matches] == pytest.approx([0.9, 0.7])
    assert finding.diameters == pytest.approx((1 + 9 * 2**0.5,) * 2)
    first, second = finding.matches
    assert (first.candidate.area_px, second.candidate.area_px) == (100, 20)
    assert first.ious == (50 / 150, 0) and second.ious == (0, 0)
    assert first.box_ious == (50 / 150, 0) and second.box_ious == (0, 0)
    assert first.candidate.centre == (4.5, 9.5)
    assert len(find(reference, probability, CandidateRule(0.3)).matches) == 3


def test_components_that_touch_at_a_corner_are_joined():
    corner = picture((0, 0, 5, 5, 1), (5, 5, 10, 10, 1))
    finding = find(corner, corner)
    assert finding.lesions == 1 and finding.matches[0].ious == (1.0,)


def test_empty_masks_have_no_lesion_and_no_candidate():
    empty, full = np.zeros((4, 4)), np.ones((4, 4))
    assert find(empty, empty) == Finding(0, ())
    assert find(full, empty)[:2] == (1, ())
    assert find(empty, full).matches[0].ious == () and find(full, full).matches[0].ious == (1.0,)


def test_rows_contain_the_position_of_each_candidate():
    finding = find(picture((0, 0, 10, 10, 1)), picture((0, 0, 10, 10, 0.8), (20, 20, 22, 24, 0.6)))
    rows = candidate_rows(["film"], [finding])
    assert [row["score"] for row in rows] == pytest.approx([0.8, 0.6])
    assert {key: rows[0][key] for key in ("film_id", "area_px", "row", "column", "best_iou", "best_box_iou")} == {
        "film_id": "film", "area_px": 100, "row": 4.5, "column": 4.5, "best_iou": 1.0, "best_box_iou": 1.0}  # fmt: skip
    assert rows[1]["best_iou"] == 0 and (rows[1]["row"], rows[1]["column"]) == (20.5, 21.5)
    assert [rows[1][key] for key in ("y0", "x0", "y1", "x1")] == [20, 20, 22, 24]
    assert rows[1]["longest_diameter_px"] == pytest.approx(1 + 10**0.5, abs=0.05)
