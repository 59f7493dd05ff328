import dataclasses
from pathlib import Path

import pytest
import tiny

from tfrespam.config import Experiment
from tfrespam.config_checks import check
from tfrespam.core.arguments import parse
from tfrespam.training.tuning import search_space

keras_tuner = pytest.importorskip("keras_tuner", reason="KerasTuner (extra [tune]) is not installed")
search = pytest.importorskip("tfrespam.training.tuning.search")


EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def respam(tmp_path):
    made = tiny.experiment(tmp_path, tmp_path)
    return dataclasses.replace(made, model=dataclasses.replace(made.model, name="respam_unet", width=0.25))


def test_drawn_values_are_set_in_the_experiment(tmp_path):
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
def test_extreme_values_give_valid_experiments(file):
    """Random recropping excludes shifts, box supervision excludes rotation, and only BCE + Dice has a Dice weight."""
    base = Experiment(**parse(Experiment, ["--config", str(EXPERIMENTS / f"{file}.yaml")])[1])
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


def test_default_draw_equals_the_experiment(tmp_path):
    experiment = respam(tmp_path)
    hp = keras_tuner.HyperParameters()
    default = search_space.draw(hp, experiment, search_space.names(experiment))
    assert default["width"] == 0.25 and default["learning_rate"] == experiment.training.learning_rate
    assert {each.name for each in hp.space} == set(search_space.names(experiment))


def test_options_of_pam_are_searched_only_for_respam_unet(tmp_path):
    assert search_space.names(tiny.experiment(tmp_path, tmp_path)) == (
        "width", "loss_weight", "learning_rate", "augmentation")  # fmt: skip
