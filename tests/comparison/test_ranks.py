import math

import numpy as np
import pytest

from tfrespam.evaluation.statistics import paired_wilcoxon
from tfrespam.studies.comparison.collect import Scores
from tfrespam.studies.comparison.ranks import rank_shares, standings


def scores(dice, names=None) -> Scores:
    names = np.array(names or [f"l{number:02d} 0" for number in range(len(dice))])
    return Scores(names, np.array([f"p{name}" for name in names]), {"dice": np.array(dice, float)})


def test_a_clear_winner_is_first_in_every_resample():
    base = np.linspace(0.5, 0.8, 20)
    found = standings({"low": scores(base - 0.2), "best": scores(base), "middle": scores(base - 0.1)})
    assert found["best"].ranks == (1, 0, 0) and found["middle"].ranks == (0, 1, 0) and found["low"].ranks == (0, 0, 1)
    assert found["best"].behind == (0, 0, 0) and math.isnan(found["best"].p)
    assert found["middle"].behind == pytest.approx((-0.1, -0.1, -0.1))
    assert found["low"].dice == pytest.approx(base.mean() - 0.2)


def test_p_values_are_from_wilcoxon_tests_with_holm_correction():
    random = np.random.default_rng(1)
    best, other = random.uniform(0.7, 0.9, 15), random.uniform(0.6, 0.85, 15)
    third = best - random.uniform(-0.02, 0.03, 15)
    found = standings({"best": scores(best), "other": scores(other), "third": scores(third)})
    p = {name: paired_wilcoxon(values, best, np.arange(15)) for name, values in (("other", other), ("third", third))}
    small, large = sorted(p, key=p.get)
    assert {name: found[name].p for name in p} == pytest.approx(p)
    assert found[small].p_holm == pytest.approx(min(2 * p[small], 1))
    assert found[large].p_holm == pytest.approx(min(max(2 * p[small], p[large]), 1))


def test_identical_networks_share_the_ranks():
    random = np.random.default_rng(2)
    first, second = random.uniform(0.5, 0.9, 40), random.uniform(0.5, 0.9, 40)
    second += first.mean() - second.mean()
    found = standings({"first": scores(first), "second": scores(second)})
    assert 0.35 < found["first"].ranks[0] < 0.65
    assert found["first"].ranks[0] + found["second"].ranks[0] == pytest.approx(1)


def test_networks_with_the_same_scores_share_each_rank():
    found = standings({"first": scores(np.zeros(9)), "second": scores(np.zeros(9)), "best": scores(np.ones(9))})
    assert found["first"].ranks == found["second"].ranks == (0, 0.5, 0.5) and found["best"].ranks == (1, 0, 0)


def test_ranks_use_only_shared_images():
    names = ["a 0", "b 0", "c 0"]
    found = standings({"all": scores([0.5, 0.6, 1.0], names), "two": scores([0.6, 0.7], names[:2])})
    assert found["all"].n_images == 2 and found["all"].dice == pytest.approx(0.55)
    assert found["two"].behind[0] == 0  # the best, though "all" has the higher mean over all its images


def test_no_standings_without_shared_images():
    assert standings({"alone": scores([0.5, 0.6])}) == {}
    assert standings({"first": scores([0.5], ["a 0"]), "second": scores([0.5], ["b 0"])}) == {}


def test_rank_shares_by_hand():
    values = np.array([[1.0, 0.0], [0.0, 0.6]])  # patients drawn (1,1): first wins; (2,2): second; (1,2): 0.5 over 0.3
    shares = rank_shares(values, np.array(["1", "2"]), resamples=4000)
    assert shares == pytest.approx(np.array([[0.75, 0.25], [0.25, 0.75]]), abs=0.03)
