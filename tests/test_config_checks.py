import dataclasses

import pytest

from tfrespam.config import AugmentConfig, DataConfig, Experiment, identity
from tfrespam.config_checks import check
from tfrespam.core.errors import UserError


@pytest.mark.parametrize("changes", [
    {"data.context": 0.5}, {"data.context": 0.0}, {"data.image_size": 100}, {"data.image_size": 0},
    {"data.image_size": 16}, {"data.fold": 5}, {"data.fold": -1}, {"augment.rotation_degrees": -1.0},
    {"augment.rotation_degrees": 181.0}, {"augment.scale": -0.1}, {"augment.shift": 1.0}, {"augment.shift": -0.1},
    {"augment.gamma": -0.1}, {"augment.contrast": 1.0}, {"augment.noise": -0.1}, {"model.width": 0.0},
    {"model.width": -1.0}, {"training.epochs": 0}, {"training.batch_size": 0}, {"training.batch_size": -8},
    {"training.learning_rate": 0.0}, {"training.learning_rate": -1e-3}, {"training.warmup_epochs": -1.0},
    {"training.weight_decay": -0.1}, {"training.clip_norm": -1.0}, {"training.ema": 1.0}, {"training.ema": -0.1},
    {"training.steps_per_execution": 0}, {"training.tensorboard_images": -1}, {"name": ""}, {"name": "a/b"},
    {"name": ".hidden"},
])  # fmt: skip
def test_invalid_values_are_named(changes):
    (field, value), = changes.items()
    made = Experiment()
    *parents, last = field.split(".")
    owner = getattr(made, parents[0]) if parents else made
    setattr(owner, last, value)
    with pytest.raises(UserError) as error:
        check(made)
    assert str(error.value).startswith(f"`{field}` must be ") and str(error.value).endswith(f"Received: {value!r}")


def test_contradictory_settings_are_named():
    made = Experiment()
    made.training.weight_decay = 0.01
    with pytest.raises(UserError, match="weight_decay` needs `training.optimizer` adamw.*0.01 with 'adam'"):
        check(made)
    made.training.optimizer = "adamw"
    check(made)
    made.training.warmup_epochs = 100
    with pytest.raises(UserError, match="warmup_epochs` must be below `training.epochs`. Received: 100 of 100"):
        check(made)
    made.training.warmup_epochs, made.training.jit = 5, "on"
    with pytest.raises(UserError, match="jit` on needs `training.deterministic` false"):
        check(made)
    made.training.deterministic = False
    check(made)


@pytest.mark.parametrize("settings", [{"view": "roi"}, {"view": "film", "protocol": "paper"}])
def test_rectangular_input_requires_whole_films(settings):
    made = Experiment(data=DataConfig(image_size=64, image_width=32, **settings))
    with pytest.raises(UserError, match="image_width` needs"):
        check(made)


def test_rectangular_input_excludes_quarter_turns_and_keeps_old_run_names():
    made = Experiment(data=DataConfig(view="film", image_size=64, image_width=32),
                      augment=AugmentConfig(quarter_turns=True))  # fmt: skip
    with pytest.raises(UserError, match="image_width"):
        check(made)
    check(dataclasses.replace(made, augment=AugmentConfig()))
    assert "image_width" not in identity(Experiment())["data"] and identity(made)["data"]["image_width"] == 32
