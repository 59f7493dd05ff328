import numpy as np
import pytest

from tfrespam.evaluation.candidates import CandidateRule, find_candidates


def drawn(*boxes, shape=(40, 60)):
    """Make a probability map (H, W) from boxes (y0, x0, y1, x1, probability)."""
    picture = np.zeros(shape, np.float32)
    for y0, x0, y1, x1, value in boxes:
        picture[y0:y1, x0:x1] = value
    return picture


def test_candidates_are_sorted_by_score_and_measured():
    probability = drawn((2, 3, 6, 13, 0.6), (20, 30, 26, 33, 0.75), (22, 31, 23, 32, 0.875))
    labels, found = find_candidates(probability)
    assert [candidate.score for candidate in found] == pytest.approx([0.875, 0.6])
    assert found[0].box == (20, 30, 26, 33) and found[1].box == (2, 3, 6, 13)
    assert [candidate.area_px for candidate in found] == [18, 40]
    assert found[1].centre == (3.5, 7.5)
    assert found[1].longest_diameter_px == pytest.approx(1 + np.hypot(3, 9))
    assert (labels[20:26, 30:33] == 1).all() and (labels[2:6, 3:13] == 2).all() and np.count_nonzero(labels) == 58


@pytest.mark.parametrize("value", [0.0, 0.4999])
def test_low_probabilities_give_no_candidate(value):
    labels, found = find_candidates(np.full((30, 20), value))
    assert found == [] and labels.shape == (30, 20) and not labels.any()


def test_a_mass_that_fills_the_image_is_one_candidate():
    labels, (only,) = find_candidates(np.ones((30, 20)))
    assert only.area_px == 600 and only.box == (0, 0, 30, 20) and (labels == 1).all()


def test_candidates_below_the_operating_point_or_least_area_are_omitted():
    probability = drawn((0, 0, 10, 10, 0.9), (20, 0, 30, 10, 0.6), (20, 40, 22, 42, 0.8))
    assert len(find_candidates(probability, CandidateRule(0.5))[1]) == 3
    assert [c.area_px for c in find_candidates(probability, CandidateRule(0.5, least_score=0.7))[1]] == [100, 4]
    labels, found = find_candidates(probability, CandidateRule(0.5, least_area=5 / 2400))
    assert [c.area_px for c in found] == [100, 100] and not labels[20:22, 40:42].any()


@pytest.mark.parametrize(("gap", "count"), [(2, 1), (8, 2)])
def test_components_closer_than_the_join_distance_are_joined(gap, count):
    """5 % of 60 pixels: 3."""
    probability = drawn((10, 10, 20, 20, 0.9), (10, 20 + gap, 20, 30 + gap, 0.6))
    labels, found = find_candidates(probability, CandidateRule(0.5, join=0.05))
    assert len(found) == count and len(find_candidates(probability)[1]) == 2
    assert np.count_nonzero(labels) == 200  # nothing is added between the parts
    if count == 1:
        assert found[0].box == (10, 10, 20, 32) and found[0].area_px == 200


def test_rule_is_read_from_metadata():
    assert CandidateRule.of({"threshold": 0.2, "least_score": 0.4, "later": 1}) == CandidateRule(0.2, 0.4)
    assert CandidateRule.of(None) == CandidateRule()


@pytest.mark.parametrize("scaling", [(1.0, 0.0), (0.8, -1.5)])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_the_rule_at_a_temperature_finds_the_same_candidates(scaling, temperature):
    probability = np.random.default_rng(0).random((40, 60)).astype(np.float32) ** 4
    every = find_candidates(probability, CandidateRule(0.3, 0, 0, 0, *scaling))[1]
    operating_point = (every[9].score + every[10].score) / 2
    rule = CandidateRule(0.3, operating_point, 0, 0, *scaling)
    odds = np.log(probability / (1 - probability)) / temperature
    labels, found = find_candidates(probability, rule)
    again, scaled = find_candidates(1 / (1 + np.exp(-odds)), rule.at_temperature(temperature))
    np.testing.assert_array_equal(again, labels)
    assert len(found) == 10
    if scaling != (1, 0):
        assert [each.score for each in scaled] == pytest.approx([each.score for each in found], abs=1e-4)
