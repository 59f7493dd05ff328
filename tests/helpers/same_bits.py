"""Train a tiny network and compare runs bit by bit."""

import csv

import keras
import pytest
import tiny

from tfrespam.core import runtime
from tfrespam.data.loading import protocols
from tfrespam.training.fit import fit


def fitted(experiment, prepared, folder):
    """Train as the stage does."""
    training = experiment.training
    folder.mkdir(exist_ok=True)
    runtime.start(experiment.seed, deterministic=training.deterministic, precision=training.precision)
    splits = protocols.splits(prepared.table, experiment.data.protocol, experiment.data.fold)
    return fit(tiny.run_of(experiment, prepared, splits, folder))


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


def weights(path):
    return keras.saving.load_model(path, compile=False).get_weights()


def assert_same_bits(found, expected):
    assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


SIDES = {"model__options": {"side_outputs": True}, "training__side_weights": (0.5, 0.25),
         "training__side_decay_epochs": 3.0, "training__optimizer": "sgd"}  # fmt: skip
RIVAL = {"model__name": "tiny_rival", "training__ema": 0.9, "training__momentum": 0.5}
