"""Several devices and workers give the same results as one device, also if a worker is killed."""

import csv
import time

import keras
import numpy as np
import pytest
import several_processes
import tensorflow as tf
import tiny

from tfrespam.core.errors import UserError
from tfrespam.training.distribution import distributed_fit as distribution
from tfrespam.training.distribution.devices import Devices
from tfrespam.training.objectives.adversarial import Adversarial
from tfrespam.training.runs import run_folder

# 18 training examples in steps of 6; 4 validation examples, a step padded with 2 black images on several devices
STEADY = {"model__name": "steady", "training__batch_size": 6, "training__tensorboard_curves": 10, "training__ema": 0.5,
          "training__clip_norm": 0.1, "data__fold": 1}  # fmt: skip
KINDS = {"mirrored": ({"strategy": "mirrored", "devices": 2}, 1), "multiworker": ({"strategy": "multiworker"}, 2)}


def run(experiment, workers=1):
    with several_processes.started(experiment, workers) as cluster:
        cluster.finish()
    return run_folder(experiment)


def weights(folder):
    return keras.saving.load_model(folder / "last.keras", compile=False).get_weights()


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def alone(data_dir, tmp_path_factory):
    """Train on one device."""
    return run(tiny.experiment(tmp_path_factory.mktemp("alone"), data_dir, **STEADY))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_several_devices_give_the_same_weights_and_scores_as_one(alone, data_dir, tmp_path, kind):
    """With batch normalisation, gradient clipping, weight averaging and a short last step of validation."""
    settings, workers = KINDS[kind]
    folder = run(tiny.experiment(tmp_path, data_dir, **STEADY, **settings), workers)
    assert folder.name == alone.name  # devices are not a setting: the run could be resumed on one
    for found, expected in zip(weights(folder), weights(alone), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    for found, expected in zip(history(folder), history(alone), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [
    {"model__options": {"side_outputs": True}, "training__side_weights": (0.5,)},
    {"training__loss": "box", "augment__rotation_degrees": 0.0},
])  # fmt: skip
def test_training_wrappers_work_on_several_devices(data_dir, tmp_path, settings):
    """Including the last step of validation, which is padded with images of weight 0."""
    folders = [run(tiny.experiment(tmp_path / name, data_dir, **STEADY, **settings, **place))
               for name, place in (("alone", {}), ("two", KINDS["mirrored"][0]))]  # fmt: skip
    for found, expected in zip(history(folders[1]), history(folders[0]), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_discriminator_is_rejected_on_several_devices(tmp_path):
    model = Adversarial(tiny.network((16, 16, 1)), tiny.discriminator((16, 16, 1)), 1.0)
    devices = Devices(strategy=tf.distribute.OneDeviceStrategy("/cpu:0"))
    with pytest.raises(UserError, match="`strategy` must be none for a network that trains against"):
        distribution.adapt(model, devices, tiny.experiment(tmp_path, tmp_path).training)


@pytest.mark.slow
def test_unsynchronized_statistics_give_different_weights(alone, data_dir, tmp_path):
    """Each device then normalises by its half of the step, a known effect of data parallelism and here an option."""
    settings = {**STEADY, **KINDS["mirrored"][0], "training__batch_statistics": "device"}
    folder = run(tiny.experiment(tmp_path, data_dir, **settings))
    assert max(np.abs(one - other).max() for one, other in zip(weights(folder), weights(alone), strict=True)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_worker_can_resume(data_dir, tmp_path, killed):
    """For the chief and another worker: the remaining one waits, and the history has each epoch once."""
    experiment = tiny.experiment(tmp_path, data_dir, **STEADY, strategy="multiworker", training__epochs=6)
    folder = run_folder(experiment)
    with several_processes.started(experiment, workers=2) as cluster:
        while not (folder / "state").exists():
            assert all(process.poll() is None for process in cluster.processes)
            time.sleep(0.02)
        cluster.processes[killed].kill()
        cluster.processes[killed].communicate()
        done = len(history(folder))
        cluster.start(killed)
        cluster.finish()
    assert done < 6 and [row["epoch"] for row in history(folder)] == [1, 2, 3, 4, 5, 6]
