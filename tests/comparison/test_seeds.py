import math

import pytest
from fake_runs import write_run

from tfrespam.studies.comparison import seeds
from tfrespam.training.run_results import RunResults

FULL, HALF, MISSED = (40, 0, 0), (20, 20, 20), (0, 0, 40)  # Dice 1, 0.5, 0


@pytest.fixture
def run(tmp_path):
    def made(images, seed) -> RunResults:
        return RunResults.read(write_run(tmp_path / f"{len(list(tmp_path.iterdir()))}", images, seed=seed))

    return made


def test_spread_by_hand(run):
    """Fold 0 has three seeds, fold 1 one: only fold 0 contributes to the spread."""
    runs = [run({"a 1": FULL, "b 1": HALF}, 0), run({"c 1": MISSED}, 0), run({"a 1": HALF, "b 1": HALF}, 1),
            run({"a 1": FULL, "b 1": FULL}, 2)]  # fmt: skip
    found = seeds.spread(runs, ["a_1 0", "b_1 0", "c_1 0"])
    assert found.means == {0: 0.75, 1: 0.5, 2: 1.0} and found.sd == pytest.approx(0.25)


def test_one_seed_has_no_spread(run):
    found = seeds.spread([run({"a 1": FULL}, 4)], ["a_1 0"])
    assert found.means == {4: 1.0} and math.isnan(found.sd)


def test_difference_smaller_than_the_spread_of_seeds(run):
    first = [run({"a 1": FULL}, 0), run({"a 1": HALF}, 1)]
    second = [run({"a 1": HALF}, 0), run({"a 1": HALF}, 1), run({"a 1": FULL}, 2)]  # which the first has not
    found = seeds.difference(first, second, ["a_1 0"])
    assert found.values == {0: 0.5, 1: 0.0} and found.sd == pytest.approx(0.5 / math.sqrt(2))
    assert found.within_seeds is True  # 0.25 on average, 0.35 between seeds


def test_difference_larger_than_the_spread_of_seeds(run):
    first = [run({"a 1": FULL, "b 1": FULL}, 0), run({"a 1": FULL, "b 1": HALF}, 1)]
    second = [run({"a 1": MISSED, "b 1": MISSED}, seed) for seed in (0, 1)]
    found = seeds.difference(first, second, ["a_1 0", "b_1 0"])
    assert found.values == {0: 1.0, 1: 0.75} and found.within_seeds is False


def test_one_common_seed_gives_no_spread(run):
    found = seeds.difference([run({"a 1": FULL}, 0)], [run({"a 1": HALF}, 0), run({"a 1": HALF}, 1)], ["a_1 0"])
    assert found.values == {0: 0.5} and found.within_seeds is None
