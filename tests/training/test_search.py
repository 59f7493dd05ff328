import dataclasses
import errno
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from tfrespam import cli
from tfrespam.config import Experiment, check
from tfrespam.data import protocols
from tfrespam.data.prepared import find
from tfrespam.errors import UserError
from tfrespam.training import search_space

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
keras_tuner = pytest.importorskip("keras_tuner", reason="KerasTuner (extra [tune]) is not installed")
search = pytest.importorskip("tfrespam.training.search")


def respam(tmp_path):
    made = tiny.experiment(tmp_path, tmp_path)
    return dataclasses.replace(made, model=dataclasses.replace(made.model, name="respam_unet", width=0.25))


def test_the_highest_dice_is_best():
    """KerasTuner takes the bare name for the loss `dice`, and would search the worst network."""
    assert search.objective().direction == "max" and search.objective().name == "val_dice"
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=search.objective(), max_trials=2)
    assert oracle.objective.better_than(0.9, 0.8)


@pytest.mark.parametrize("protocol", ["official", "folds"])
def test_judges_of_a_search_judge_nothing_else(prepared, tmp_path, protocol):
    experiment = tiny.experiment(tmp_path, tmp_path, data__protocol=protocol)
    inner = search.inner_parts(experiment, prepared)
    outer = protocols.parts(prepared.table, protocol)
    np.testing.assert_array_equal(inner["train"] | inner["validation"], outer["train"])
    parts = {**inner, "outer": ~outer["train"]}
    patients = {name: set(prepared.table["patient_id"][part]) for name, part in parts.items()}
    assert patients["train"] and patients["validation"]
    assert not patients["train"] & patients["validation"] and not patients["validation"] & patients["outer"]


def test_what_is_drawn_is_in_the_experiment(tmp_path):
    experiment = respam(tmp_path)
    names = search_space.names(experiment)
    assert names == ("width", "reduction", "fusion", "loss_weight", "learning_rate", "augmentation")
    values = {"width": 0.5, "reduction": 4, "fusion": "concat", "loss_weight": 2.5, "learning_rate": 3e-3,
              "augmentation": 0.5}  # fmt: skip
    found = search_space.apply(experiment, values)
    check(found)
    assert (found.model.width, found.model.options) == (0.5, {"reduction": 4, "fusion": "concat"})
    assert (found.training.loss, found.training.loss_options) == ("bce_dice", {"dice_weight": 2.5})
    assert found.training.learning_rate == 3e-3 and found.augment.rotation_degrees == 15 and found.augment.flips
    assert experiment == respam(tmp_path)  # untouched


@pytest.mark.parametrize("file", ["phantom", "respam_real", "weak_boxes"])
def test_whatever_is_drawn_can_be_trained(file):
    """Crops cut anew bear no shift, boxes no turn, and a loss that is not BCE + Dice no weight of Dice."""
    base = Experiment(**cli.parse(Experiment, ["--config", str(EXPERIMENTS / f"{file}.yaml")])[1])
    names = search_space.names(base)
    hp = keras_tuner.HyperParameters()
    search_space.draw(hp, base, names)
    for each in hp.space:
        extremes = getattr(each, "values", None) or (each.min_value, each.max_value)
        for value in extremes:
            found = search_space.apply(base, {each.name: value})
            check(found)
            assert found.training.loss == base.training.loss
    assert search_space.apply(base, {"augmentation": 1.0}).augment.gamma == 0.3


def test_a_trial_learns_from_crops_cut_anew(download, tmp_path):
    """They come from a data set of wider crops; those that judge do not."""
    from tfrespam.prepare import prepare_source
    for context, size in ((1.6, 32), (2.4, 48)):
        prepare_source(download, tmp_path, "tiny", "roi", context, size, workers=1)
    experiment = tiny.experiment(tmp_path, tmp_path, augment__recrop=1.5, training__epochs=1)
    trial = search.Trial(experiment, find(tmp_path, experiment.data), ("learning_rate",))
    hp = keras_tuner.HyperParameters()
    assert 0 <= trial.fit(hp, trial.build(hp))[search.SCORE] <= 1


def test_draws_are_near_the_experiment_and_repeatable(tmp_path):
    experiment = respam(tmp_path)
    hp = keras_tuner.HyperParameters()
    default = search_space.draw(hp, experiment, search_space.names(experiment))
    assert default["width"] == 0.25 and default["learning_rate"] == experiment.training.learning_rate
    assert {each.name for each in hp.space} == set(search_space.names(experiment))


def test_other_networks_have_no_reading_of_pam(tmp_path):
    assert search_space.names(tiny.experiment(tmp_path, tmp_path)) == (
        "width", "loss_weight", "learning_rate", "augmentation")  # fmt: skip


class Told(keras_tuner.HyperModel):
    """A network that every fit fails with an error."""

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
    (ValueError("odd"), UserError, "several trials failed one after the other, the last one with: trial 2: .*odd$"),
])  # fmt: skip
def test_what_no_other_values_would_mend_ends_a_search(tmp_path, error, expected, said):
    options = {"objective": search.objective(), "max_trials": 5, "directory": tmp_path, "project_name": "s"}
    tuner = keras_tuner.RandomSearch(Told(error), **options)
    with pytest.raises(expected, match=said):
        search.run(tuner)


def test_trials_that_failed_are_told(tmp_path):
    options = {"objective": search.objective(), "max_trials": 2, "directory": tmp_path, "project_name": "s"}
    assert search.run(keras_tuner.RandomSearch(Told(ValueError("odd")), **options)) == [
        "trial 0: ValueError: odd", "trial 1: ValueError: odd"]  # fmt: skip
