"""Fixtures of this folder."""

import pytest
from fake_runs import write_run

from tfrespam.config import Experiment
from tfrespam.studies.comparison import results
from tfrespam.studies.comparison.plan import Comparison, Network, OwnRecipe, trainings
from tfrespam.training.run_results import RunResults


@pytest.fixture
def comparison():
    own = OwnRecipe(training={"loss": "bce"}, departures=["Adam for SGD."])
    models = [Network("unet", own=own), Network("segnet", label="Seg_Net | 50 % longer", own=own)]
    return Comparison(name="made", base=Experiment(name="b"), recipes=["controlled", "own"], models=models)


@pytest.fixture
def rows(comparison, tmp_path):
    finished = {}
    planned = trainings(comparison)
    for position, training in enumerate(planned):
        tp = 35 - position - (0 if training.protocol == "paper" else 4)
        images = {f"p{number} 1": (tp - number, number, 5) for number in range(6)}
        finished[position] = RunResults.read(write_run(tmp_path / str(position), images, protocol=training.protocol,
                                                dataset="phantom"))  # fmt: skip
    return results.rows(planned, finished)
