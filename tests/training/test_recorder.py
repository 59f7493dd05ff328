import csv
import json
import os

import keras
import numpy as np
import pytest
import tiny

from tfrespam.training.averaging import WeightAverage
from tfrespam.training.recorder import RunRecorder, save_model


@pytest.fixture
def model():
    keras.utils.set_random_seed(2)
    made = tiny.network((8, 8, 1), dropout=0.5)
    made.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    return made


DATA = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)


def run(model, recorder, epochs, first=0):
    model.fit(DATA, DATA, batch_size=3, shuffle=False, verbose=0, initial_epoch=first, epochs=epochs,
              validation_data=(DATA, DATA), callbacks=[recorder.average, recorder])  # fmt: skip


def recorder(folder, model):
    average = WeightAverage(0.9)
    average.set_model(model)
    return RunRecorder(folder, average, monitor="val_loss")


def test_every_epoch_is_saved(model, tmp_path):
    run(model, recorder(tmp_path, model), 3)
    assert sorted(os.listdir(tmp_path)) == ["best.keras", "history.csv", "state"]
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "seconds"]
    known = json.loads((tmp_path / "state" / "state.json").read_text())["history"]
    assert [[float(value) for value in row.values()] for row in rows] == [list(row.values()) for row in known]


def test_a_restored_model_equals_the_saved_one(model, tmp_path):
    run(model, recorder(tmp_path, model), 2)
    keras.utils.set_random_seed(99)
    other = tiny.network((8, 8, 1), dropout=0.5)
    other.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    again = recorder(tmp_path, other)
    assert again.restore(other) == 2 and [row["epoch"] for row in again.history] == [1, 2]
    assert again.average.steps == 4
    for found, expected in zip(again.average.average, model.get_weights(), strict=True):  # fit ended with the average
        np.testing.assert_array_equal(found, expected)
    known = json.loads((tmp_path / "state" / "state.json").read_text())
    assert [variable.numpy().tolist() for variable in other.non_trainable_variables
            if variable.path.endswith("seed_generator_state")] == known["random_states"] != []  # fmt: skip
    assert int(other.optimizer.iterations) == 4


def test_a_new_run_starts_at_epoch_zero(model, tmp_path):
    assert recorder(tmp_path, model).restore(model) == 0


def test_best_epoch_is_the_earliest_with_the_highest_score(tmp_path):
    made = RunRecorder(tmp_path, WeightAverage(0.0), "x")
    assert made.best is None
    made.history = [{"epoch": epoch, "x": x} for epoch, x in enumerate((0.2, 0.7, 0.3, 0.7), 1)]
    assert made.best["epoch"] == 2


def test_best_weights_are_averaged(model, tmp_path):
    run(model, recorder(tmp_path, model), 1)
    best = keras.saving.load_model(tmp_path / "best.keras", compile=False)
    # fit ends with the average in place
    for found, expected in zip(best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_models_are_written_atomically(model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "a.keras")
    before = (tmp_path / "a.keras").read_bytes()

    def broken(path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(model, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        save_model(model, tmp_path / "a.keras")
    assert (tmp_path / "a.keras").read_bytes() == before and os.listdir(tmp_path) == ["a.keras"]
