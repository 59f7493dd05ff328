import errno
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from tfrespam.core.errors import UserError
from tfrespam.data.loading import protocols
from tfrespam.models.stored import load_network
from tfrespam.serving.inference.saved_model import network_file
from tfrespam.training.averaging import network_of
from tfrespam.training.runs import TrainingRun
from tfrespam.training.tuning import search_space

keras_tuner = pytest.importorskip("keras_tuner", reason="KerasTuner (extra [tune]) is not installed")
search = pytest.importorskip("tfrespam.training.tuning.search")


def test_the_objective_maximises_dice():
    """KerasTuner would interpret the name without direction as the loss `dice` and minimise the score."""
    assert search.objective().direction == "max" and search.objective().name == "val_dice"
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=search.objective(), max_trials=2)
    assert oracle.objective.better_than(0.9, 0.8)


@pytest.mark.parametrize("protocol", ["official", "folds"])
def test_trials_are_evaluated_on_separate_patients(prepared, tmp_path, protocol):
    experiment = tiny.experiment(tmp_path, tmp_path, data__protocol=protocol)
    inner = search.inner_splits(experiment, prepared)
    outer = protocols.splits(prepared.table, protocol)
    np.testing.assert_array_equal(inner["train"] | inner["validation"], outer["train"])
    parts = {**inner, "outer": ~outer["train"]}
    patients = {name: set(prepared.table["patient_id"][part]) for name, part in parts.items()}
    assert patients["train"] and patients["validation"]
    assert not patients["train"] & patients["validation"] and not patients["validation"] & patients["outer"]


@pytest.mark.parametrize("settings", [
    {}, {"augment__context_range": (1.0, 2.0), "augment__off_centre": 0.1, "augment__crop_shape": "any"},
])  # fmt: skip
def test_a_trial_trains_with_random_recropping(download, tmp_path, settings):
    """Training examples come from a data set of wider crops, validation examples do not."""
    from tfrespam.workflows.preparation import prepare_source
    for context, size in ((1.6, 32), (2.4, 48)):
        prepare_source(download, tmp_path, "tiny", "roi", context, size, workers=1)
    experiment = tiny.experiment(tmp_path, tmp_path, augment__recrop=1.5, training__epochs=1, **settings)
    trial = search.Trial(TrainingRun(experiment), ("learning_rate",))
    hp = keras_tuner.HyperParameters()
    assert 0 <= trial.fit(hp, trial.build(hp))[search.SCORE] <= 1


class Told(keras_tuner.HyperModel):
    """A tuner model whose training always fails with the given error."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def build(self, hp):
        hp.Float("x", 0, 1)
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def fit(self, *args, **kwargs):
        with search._fatal():
            raise self.error


@pytest.mark.parametrize(("error", "expected", "said"), [
    (UserError("the shards are damaged"), UserError, "^the shards are damaged$"),
    (OSError(errno.ENOSPC, "No space left on device"), OSError, "No space"),
    (ValueError("odd"), UserError, "several trials failed one after the other. The last error: trial 2: .*odd$"),
])  # fmt: skip
def test_errors_that_other_values_cannot_fix_end_the_search(tmp_path, error, expected, said):
    options = {"objective": search.objective(), "max_trials": 5, "directory": tmp_path, "project_name": "s"}
    tuner = keras_tuner.RandomSearch(Told(error), **options)
    with pytest.raises(expected, match=said):
        search.run(tuner)


def test_failed_trials_are_listed(tmp_path):
    options = {"objective": search.objective(), "max_trials": 2, "directory": tmp_path, "project_name": "s"}
    assert search.run(keras_tuner.RandomSearch(Told(ValueError("odd")), **options)) == [
        "trial 0: ValueError: odd", "trial 1: ValueError: odd"]  # fmt: skip


def test_trials_start_from_the_initial_weights(trained, data_dir, tmp_path, caplog):
    version = next(Path(trained[0].models_dir).glob("*/1"))
    experiment = tiny.experiment(tmp_path, data_dir, training__initial_weights=str(version))
    assert "width" not in search_space.names(experiment) and "learning_rate" in search_space.names(experiment)
    with caplog.at_level("WARNING", "tfrespam"):
        trial = search.Trial(TrainingRun(experiment), ("learning_rate",))
    assert "the scores of all trials are too high" in caplog.text
    model = trial.build(keras_tuner.HyperParameters())
    initial = load_network(network_file(version)).get_weights()
    for one, other in zip(network_of(model).get_weights(), initial, strict=True):
        np.testing.assert_array_equal(one, other)
