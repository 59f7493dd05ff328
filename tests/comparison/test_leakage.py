import numpy as np
import pytest

from tfrespam.studies.comparison.collect import Scores
from tfrespam.studies.comparison.leakage import paper_minus_honest


def scores(values, patients) -> Scores:
    names = np.array([f"{number:04d} 0" for number in range(len(values))])
    return Scores(names, np.array(patients), {"dice": np.array(values), "miou": np.array(values) / 2})


def test_cost_is_the_difference_of_means():
    cost = paper_minus_honest(scores([0.9, 1.0], ["a", "b"]), scores([0.5, 0.6, 0.7], ["a", "c", "d"]))
    assert cost.mean == pytest.approx(0.35)
    assert cost.low < cost.mean < cost.high
    of_miou = paper_minus_honest(scores([0.9, 0.9], ["a", "b"]), scores([0.5, 0.5], ["a", "b"]), "miou")
    assert of_miou == pytest.approx((0.2, 0.2, 0.2))


def test_interval_is_that_of_two_independent_means():
    random = np.random.default_rng(0)
    patients = [f"p{number}" for number in range(400)]
    paper, honest = random.normal(0.9, 0.04, 400), random.normal(0.8, 0.03, 400)
    cost = paper_minus_honest(scores(paper, patients), scores(honest, patients))
    half = 1.96 * np.hypot(0.04, 0.03) / np.sqrt(400)
    assert (cost.high - cost.low) / 2 == pytest.approx(half, rel=0.12)


def test_images_of_one_patient_are_not_independent():
    values = np.repeat(np.linspace(0.6, 1.0, 20), 10)
    honest = scores([0.5, 0.5], ["x", "y"])
    together = paper_minus_honest(scores(values, np.repeat(np.arange(20), 10).astype(str)), honest)
    apart = paper_minus_honest(scores(values, np.arange(200).astype(str)), honest)
    assert together.high - together.low > 2 * (apart.high - apart.low)
