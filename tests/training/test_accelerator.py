"""Training without tf.data, on Keras' TensorFlow backend and, if installed, on JAX."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import yaml
from packed_runs import packed_for
from same_steps import steps

from tfrespam.evaluation.headline import interval
from tfrespam.training.accelerator import run

# A Python with JAX and without TensorFlow, where this one has none.
JAX_PYTHON = os.environ.get("TFRESPAM_JAX_PYTHON") or (sys.executable if importlib.util.find_spec("jax") else "")


@pytest.mark.skipif(not JAX_PYTHON, reason="JAX is not installed, nor TFRESPAM_JAX_PYTHON named")
@pytest.mark.parametrize(("name", "options"), [
    ("unet", {"normalization": "standardize"}),
    ("respam_unet", {"normalization": "local_contrast", "fusion": "add_and_restore"}),
])  # fmt: skip
def test_jax_matches_tensorflow(data_dir, tmp_path, switches, name, options):
    """Same weights: same probabilities to 1e-4 and same scores; for U-Net also after an epoch on the same examples.

    By SGD: Adam's first steps are the signs of gradients, and gradients near zero have no sign that rounding leaves.
    ResPAM's deepest maps have one pixel here, and normalising four values magnifies rounding from 1e-6 to a hundredth
    of a gradient in one step, so its weights part ways on any two ways to compute.
    """
    experiment = tiny.experiment(
        tmp_path, data_dir, model__name=name, model__width=0.0625, training__ema=0.9, training__batch_size=4,
        model__options=options, augment__gamma=0.2,
        training__select="last", training__learning_rate=1e-2, training__optimizer="sgd")  # fmt: skip
    packed_for(experiment, tmp_path)
    config = tmp_path / "experiment.yaml"
    config.write_text(yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(experiment)))))
    arguments = [config, tmp_path / "arrays.npz", tmp_path / "weights.npz"]
    steps(*arguments, tmp_path / "tensorflow.npz")
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(run.__file__).parents[3])}
    script = Path(__file__).with_name("same_steps.py")
    subprocess.run([JAX_PYTHON, str(script), *map(str, arguments), str(tmp_path / "jax.npz")], check=True,
                   env=environment)  # fmt: skip
    with np.load(tmp_path / "tensorflow.npz") as first, np.load(tmp_path / "jax.npz") as second:
        np.testing.assert_array_equal(second["masks"], first["masks"])
        np.testing.assert_allclose(second["before"], first["before"], atol=1e-4)
        np.testing.assert_allclose(second["scores"], first["scores"], atol=1e-4)
        if name == "unet":
            np.testing.assert_allclose(second["after"], first["after"], atol=1e-4)
            np.testing.assert_allclose(second["scores_after"], first["scores_after"], atol=1e-4)
            assert float(second["loss"]) == pytest.approx(float(first["loss"]), abs=1e-4)


@pytest.mark.skipif(not JAX_PYTHON, reason="JAX is not installed, nor TFRESPAM_JAX_PYTHON named")
def test_the_script_trains_on_jax_and_leaves_a_run_to_export(data_dir, tmp_path):
    from tfrespam.serving.inference import saved_model
    from tfrespam.workflows.export_runs import export_runs

    experiment = tiny.experiment(tmp_path, data_dir, model__name="unet", model__width=0.0625, training__select="last",
                                 training__batch_size=4, training__epochs=1)  # fmt: skip
    packed_for(experiment, tmp_path)
    config = tmp_path / "experiment.yaml"
    config.write_text(yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(experiment)))))
    root = Path(run.__file__).parents[3]
    words = [JAX_PYTHON, root / "experiments" / "on_accelerator.py", "--config", config, "--data",
             tmp_path / "arrays.npz", "--minutes", "5", "--output", tmp_path / "run"]  # fmt: skip
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600,
                          env=os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(root)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    dice = summary["metrics"]["dice"]
    assert f"Dice {dice['image']:.4f} ({interval(dice['image_ci95'])})" in done.stdout
    exported = export_runs([str(tmp_path / "run")], models_dir=str(tmp_path / "models"))
    probability = saved_model.load(exported).predict_images(np.full((1, 96, 96, 1), 0.5, np.float32))
    assert np.isfinite(probability).all()
