import numpy as np
import pytest

from tfrespam.evaluation.candidates import Candidate
from tfrespam.evaluation.detection import Finding, Match
from tfrespam.evaluation.detection_groups import group_rows
from tfrespam.evaluation.froc import detection_scores


def match(score, *ious):
    return Match(Candidate(score, (0, 0, 1, 1), (0.0, 0.0), 1, 1.0), ious)


FINDINGS = [Finding(1, (match(0.9, 0.6), match(0.4, 0.0)), (4.0,)), Finding(1, (match(0.8, 0.2),), (9.0,)),
            Finding(2, (match(0.7, 0.0, 0.0),), (20.0, 4.0))]  # fmt: skip
TABLE = {"view": np.array(["CC", "MLO", "CC"]), "subtlety": np.array([3, 5, 5])}


@pytest.fixture
def rows():
    scores = detection_scores(FINDINGS, ["a", "b", "c"], resamples=3)
    return {(row["group"], row["value"], row["iou"], row["fp_per_image_of_all"]): row
            for row in group_rows(FINDINGS, TABLE, scores, 100)}  # fmt: skip


def test_groups_use_the_score_threshold_of_all_films(rows):
    """At most 0.25 false positives per film, so none: the score threshold is 0.8."""
    cc, mlo = rows["view", "CC", 0.1, "0.25"], rows["view", "MLO", 0.1, "0.25"]
    assert (cc["films"], cc["lesions"], cc["found"], cc["fp_per_image"]) == (2, 3, 1 / 3, 0)
    assert (mlo["films"], mlo["lesions"], mlo["found"], mlo["fp_per_image"]) == (1, 1, 1, 0)
    assert rows["view", "CC", 0.1, "1"]["fp_per_image"] == 1 and rows["view", "MLO", 0.5, "1"]["found"] == 0
    assert rows["subtlety", 5, 0.1, "1"]["lesions"] == 3


def test_size_groups_count_lesions_of_that_size(rows):
    found = {value: row["found"] for (group, value, iou, rate), row in rows.items()
             if group == "diameter_over_height" and iou == 0.1 and rate == "1"}  # fmt: skip
    assert found == {"0 to 0.05": 1 / 2, "0.05 to 0.08": pytest.approx(np.nan, nan_ok=True), "0.08 and more": 1 / 2}
