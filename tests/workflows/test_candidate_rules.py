import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.evaluation.candidates import FILM_RULE, CandidateRule
from tfrespam.workflows.candidate_rules import check_candidates, rule_of, validated


def detection(candidates=80, slope=0.7, score=0.4870234):
    """Detection scores of an evaluation of validation films."""
    return {"n_candidates": candidates, "iou_0.1": {"sensitivity": {"fp_0.5": {"score": score}}},
            "reliability": {"slope": slope, "intercept": -1.5}}  # fmt: skip


def test_validation_films_give_operating_point_and_scaling():
    rule = validated(FILM_RULE, detection())
    assert (rule.threshold, rule.least_area, rule.score_slope, rule.score_intercept) == (0.2, 2e-4, 0.7, -1.5)
    scaled = 1 / (1 + np.exp(1.5) * (1 / 0.4870234 - 1) ** 0.7)
    assert scaled - 1.1e-6 < rule.least_score < scaled  # the candidate there is kept, in float32 too
    assert rule.least_score < rule.scaling.apply(0.4870234)


@pytest.mark.parametrize("found", [detection(candidates=49), detection(slope=None)])
def test_few_or_one_sided_candidates_give_only_the_operating_point(found):
    assert validated(FILM_RULE, found) == CandidateRule(0.2, 0.4870234, 2e-4)


def test_without_an_operating_point_all_candidates_are_kept():
    assert validated(FILM_RULE, detection(score=None)).least_score == 0


def test_recorded_candidate_settings_override_the_default_rule():
    assert rule_of("film", {"least_score": 0.3, "score_slope": 0.5}, 0.9) == CandidateRule(
        0.2, 0.3, 2e-4, score_slope=0.5)  # fmt: skip
    assert rule_of("roi", None, 0.9) == CandidateRule(0.9)


@pytest.mark.parametrize("candidates", [{"treshold": 0.2}, {"threshold": 1.5}, {"score_slope": 0}])
def test_unknown_fields_and_invalid_values_are_rejected(candidates):
    with pytest.raises(UserError, match="numbers from 0 to 1 under threshold.*from 0.05 to 20 under score_slope"):
        check_candidates(candidates)
    check_candidates({"score_intercept": -1.5, "score_slope": 0.7, "least_score": 0.2})
