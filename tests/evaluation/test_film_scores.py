import numpy as np
import pytest

from tfrespam.evaluation.candidate_reliability import reliability_facts
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.detection import find
from tfrespam.evaluation.film_scores import TABLES, film_scores
from tfrespam.evaluation.froc import curve_rows, detection_scores, operating_point

RULE = CandidateRule(0.5)
PATIENTS, FILMS = np.array(list("aab")), np.array(["f1", "f2", "f3"])


def findings():
    """Two films whose mass is detected, at 0.9 and 0.7; one with a false positive, at 0.8, and a missed mass."""
    made = []
    for score, found in ((0.9, True), (0.8, False), (0.7, True)):
        reference, probability = np.zeros((2, 40, 40))
        reference[5:15, 5:15] = 1
        probability[5:15, (5 if found else 25) : (15 if found else 35)] = score
        made.append(find(reference, probability, RULE))
    return made


def scored(stored=None):
    table = {"patient_id": PATIENTS, "film_id": FILMS, "view": np.array(["CC", "MLO", "CC"])}
    return film_scores(findings(), table, [0.9, 0.1, 0.6], RULE, stored, 40)


def test_film_scores_contain_detection_operating_point_and_groups():
    result, tables = scored()
    assert result.items() >= detection_scores(findings(), PATIENTS).items() and tuple(tables) == TABLES
    assert result["dice_of_found"] == pytest.approx(0.75)
    assert result["ap50_mask"]["value"] == pytest.approx((34 + 33 * 2 / 3) / 101) == result["ap50_box"]["value"]
    candidates, curve, groups = (tables[name][0] for name in TABLES)
    assert [row["film_id"] for row in candidates] == ["f1", "f2", "f3"]
    assert curve == curve_rows(findings(), PATIENTS) and result["reliability"] == reliability_facts(candidates)
    assert {row["value"] for row in groups if row["group"] == "view"} == {"CC", "MLO"}
    assert "IoU of the masks is at least 0.1" in result["matching"] and result["rule"]["threshold"] == 0.5


def test_operating_point_is_the_stored_one_or_else_chosen_on_these_films():
    own, stored = scored()[0]["operating_point"], scored(0.85)[0]["operating_point"]
    assert own == {"chosen_on": "these films", **operating_point(findings(), PATIENTS, float(np.float32(0.7)))}
    assert own["iou_0.1"]["sensitivity"]["value"] == pytest.approx(2 / 3)  # one false positive in three films
    assert stored["chosen_on"] == "the model's validation films" and stored["score"] == 0.85
    assert stored["iou_0.1"]["fp_per_image"]["value"] == 0


def test_without_a_hit_dice_of_found_and_operating_point_are_none():
    empty = [find(np.ones((4, 4)), np.zeros((4, 4)), RULE)] * 2
    result, _ = film_scores(empty, {"patient_id": ["a", "b"], "film_id": ["1", "2"]}, [0, 0], RULE, None, 4)
    assert result["dice_of_found"] is None and result["operating_point"] is None
