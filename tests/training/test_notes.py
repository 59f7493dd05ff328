import dataclasses

from tfrespam.config import Experiment, ModelConfig, TrainingConfig
from tfrespam.training.tensorboard.notes import LAYOUT, flat


def test_settings_are_flattened_without_tensorboard_settings():
    experiment = Experiment(model=ModelConfig("unet", 0.5, {"normalization": "none"}), seed=3)
    found = flat(experiment)
    assert found["seed"] == 3 and found["model.width"] == 0.5
    assert found["model.options"] == '{"normalization": "none"}'
    assert not any(".tensorboard" in name for name in found)
    assert all(isinstance(value, (bool, int, float, str)) for value in found.values())


def test_paths_and_tensorboard_settings_are_not_recorded():
    training = dataclasses.replace(TrainingConfig(), tensorboard_images=7)
    assert flat(Experiment(training=training, runs_dir="elsewhere")) == flat(Experiment())


def test_tags_of_charts_are_unique():
    tags = [tag for charts in LAYOUT.values() for several in charts.values() for tag in several]
    assert len(tags) == len(set(tags))
