"""Training: identical weights after an interruption, and every setting."""

import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from same_bits import RIVAL, SIDES, assert_same_bits, fitted, history, slow, weights

from tfrespam.core.errors import UserError
from tfrespam.training.progress import EpochLines
from tfrespam.training.runs import run_folder

pytestmark = pytest.mark.usefixtures("switches")


@pytest.mark.parametrize("network", ["tiny", slow("respam_unet")])
def test_tensorboard_settings_do_not_change_the_weights(prepared, data_dir, tmp_path, network):
    everything = {"training__tensorboard_images": 3, "training__tensorboard_curves": 1,
                  "training__tensorboard_histograms": 1, "training__tensorboard_profile": (1, 2)}  # fmt: skip
    nothing = {"training__tensorboard_gradients": False}
    made = [tiny.experiment(tmp_path, data_dir, model__name=network, model__width=0.03125, training__ema=0.9, **shown)
            for shown in (everything, nothing)]  # fmt: skip
    alike = dataclasses.replace(made[1].training, tensorboard_images=3)
    assert run_folder(made[0]) == run_folder(dataclasses.replace(made[1], training=alike))
    first, second = (fitted(each, prepared, tmp_path / str(place)) for place, each in enumerate(made))
    assert_same_bits(first.get_weights(), second.get_weights())
    assert list((tmp_path / "0" / "tensorboard").rglob("*.xplane.pb"))


FORECAST = r"{epochs} epochs of \d+ steps at \S+ s \(measured on 3\): about .*; memory about .*, disk \d+ MB"
AVERAGED = {"training__ema": 0.9, "training__schedule": "cosine", "training__warmup_epochs": 0.5}
HALF = {"training__ema": 0.9, "training__precision": "mixed_float16", "training__optimizer": "adamw",
        "training__weight_decay": 0.01}  # fmt: skip


@pytest.mark.parametrize("settings", [
    AVERAGED, slow(RIVAL), slow(SIDES), slow({}), slow(HALF), slow({**RIVAL, **HALF}), slow({**SIDES, **AVERAGED}),
])  # fmt: skip
def test_a_resumed_run_ends_with_identical_weights(prepared, data_dir, tmp_path, monkeypatch, capsys, settings):
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=4, augment__noise=0.02, **settings)
    whole = fitted(experiment, prepared, tmp_path / "whole").get_weights()
    assert re.search(FORECAST.format(epochs=4), capsys.readouterr().out)
    batches = []

    def stop(self, batch, logs=None):
        batches.append(batch)
        if len(batches) == 2 * self.steps + 2:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(EpochLines, "on_train_batch_end", stop)
        with pytest.raises(InterruptedError):
            fitted(experiment, prepared, tmp_path / "cut")
    assert len(history(tmp_path / "cut")) == 2
    capsys.readouterr()
    assert_same_bits(fitted(experiment, prepared, tmp_path / "cut").get_weights(), whole)
    assert re.search(FORECAST.format(epochs=2), capsys.readouterr().out)
    for cut, uncut in zip(history(tmp_path / "cut"), history(tmp_path / "whole"), strict=True):
        # this one sum has once been seen to differ in its last bit; all else is the same to the bit
        assert cut.pop("val_loss") == pytest.approx(uncut.pop("val_loss"), rel=1e-6)
        assert cut == uncut
    assert_same_bits(weights(tmp_path / "cut" / "best.keras"), weights(tmp_path / "whole" / "best.keras"))
    # killed after the last epoch, before last.keras was written
    assert_same_bits(fitted(experiment, prepared, tmp_path / "cut").get_weights(), whole)


@pytest.mark.parametrize("settings", [
    {"training__steps_per_execution": 2, "training__clip_norm": 1.0, "training__loss": "dice"},
    slow({"training__precision": "mixed_float16"}),
    slow({"training__precision": "mixed_bfloat16"}),
    slow({"training__jit": "on", "training__deterministic": False}),
    slow({"training__deterministic": False, "training__loss": "bce", "augment__quarter_turns": True}),
])  # fmt: skip
def test_every_training_setting_works(prepared, data_dir, tmp_path, settings, capsys):
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, **settings)
    model = fitted(experiment, prepared, tmp_path / "run")
    assert np.isfinite(model.get_weights()[0]).all() and np.isfinite(history(tmp_path / "run")[0]["val_loss"])
    assert model.output.dtype == "float32" and model.jit_compile == (experiment.training.jit == "on")
    assert "epoch   1/1  loss " in capsys.readouterr().out


def test_steps_per_execution_must_divide_the_steps_of_an_epoch(prepared, data_dir, tmp_path):
    """Keras rounds an epoch up to whole groups of steps, so a resumed run would differ."""
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__steps_per_execution=1000)
    with pytest.raises(UserError, match="must divide the .* steps of an epoch: 1, .*Received: 1000"):
        fitted(experiment, prepared, tmp_path / "run")


def test_running_out_of_memory_is_reported(prepared, data_dir, tmp_path, monkeypatch):
    def fails(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[8,64,224,224]")

    monkeypatch.setattr(keras.Model, "fit", fails)
    with pytest.raises(UserError, match="not enough memory for a training step. Make `training.batch_size`"):
        fitted(tiny.experiment(tmp_path, data_dir), prepared, tmp_path / "run")
