"""Initial weights from another network, an export or a .keras file."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

import tfrespam as tr
from tfrespam.core.errors import UserError
from tfrespam.training.initial_weights import load_initial_weights, trained_before
from tfrespam.training.runs import TrainingRun
from tfrespam.workflows.training import train


def test_weights_of_the_same_network_all_fit(tmp_path):
    keras.utils.set_random_seed(0)
    source, target = (tr.build_model("respam_unet", (32, 32, 1), width=0.125) for _ in range(2))
    source.save(tmp_path / "source.keras")
    assert load_initial_weights(target, tmp_path / "source.keras") == len(source.weights)
    for one, other in zip(source.get_weights(), target.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_that_do_not_fit_are_reported(tmp_path, capsys):
    keras.utils.set_random_seed(0)
    tiny.network((32, 32, 1)).save(tmp_path / "source.keras")
    image = keras.Input((32, 32, 1))
    features = keras.layers.Conv2D(4, 3, padding="same", name="conv")(image)
    target = keras.Model(image, keras.layers.Conv2D(1, 5, padding="same", name="head")(features))
    assert load_initial_weights(target, tmp_path / "source.keras") == 3  # the kernel and two biases
    said = capsys.readouterr().out
    assert "initial weights: 3 of 4 weights" in said and "no weights match: head" in said and "not used: 5" in said
    with pytest.raises(UserError, match="none of the .* weights of .* matches"):
        load_initial_weights(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, use_bias=False)]),
                             tmp_path / "source.keras")  # fmt: skip


def test_fine_tuning_starts_at_the_scores_of_the_initial_weights(trained, data_dir, tmp_path):
    """From an export; the learning rate is too small to change the weights."""
    experiment, folder = trained
    version = next(Path(experiment.models_dir).glob("*/1"))
    tuned = tiny.experiment(tmp_path, data_dir, training__initial_weights=str(version), training__epochs=1,
                            training__learning_rate=1e-12, training__select="last")  # fmt: skip
    run = train(tuned)
    before, after = (json.loads((path / "validation" / "summary.json").read_text()) for path in (folder, run.folder))
    assert after["metrics"]["dice"]["image"] == pytest.approx(before["metrics"]["dice"]["image"], abs=0.02)
    assert run.trained_on == TrainingRun(experiment).trained_on == trained_before(version)


def test_initial_weights_trained_on_held_out_patients_are_rejected(trained, data_dir, tmp_path):
    experiment, _ = trained
    version = next(Path(experiment.models_dir).glob("*/1"))
    tuned = tiny.experiment(tmp_path, data_dir, training__initial_weights=str(version), data__fold=1)
    with pytest.raises(UserError, match="`training.initial_weights`: .* was trained on patients of the validation"):
        train(tuned)
