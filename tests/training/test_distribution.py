"""Several devices and several workers give what one device gives, and a worker may be killed."""

import csv
import time

import keras
import numpy as np
import pytest
import several_processes
import tensorflow as tf
import tiny

from tfrespam.errors import UserError
from tfrespam.train import run_folder
from tfrespam.training import distribution
from tfrespam.training.adversarial import Adversarial
from tfrespam.training.devices import Devices

# 18 training examples in steps of 4, 4 to 8 validation examples with a short last step of 3 under fold 1
STEADY = {"model__name": "steady", "training__batch_size": 4, "training__tensorboard_images": 0, "training__ema": 0.5,
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
    """The run on one device."""
    return run(tiny.experiment(tmp_path_factory.mktemp("alone"), data_dir, **STEADY))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_several_devices_give_the_weights_and_the_scores_of_one(alone, data_dir, tmp_path, kind):
    """Batch normalisation included, gradients clipped, weights averaged, the last step of validation short."""
    settings, workers = KINDS[kind]
    folder = run(tiny.experiment(tmp_path, data_dir, **STEADY, **settings), workers)
    assert folder.name == alone.name  # the devices are no setting: the run could go on with one
    for found, expected in zip(weights(folder), weights(alone), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    for found, expected in zip(history(folder), history(alone), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [
    {"model__options": {"side_outputs": True}, "training__side_weights": (0.5,)},
    {"training__loss": "box", "augment__rotation_degrees": 0.0},
])  # fmt: skip
def test_what_learns_inside_another_model_does_so_on_several_devices(data_dir, tmp_path, settings):
    """The last step of validation, filled up with pictures of weight 0, included."""
    folders = [run(tiny.experiment(tmp_path / name, data_dir, **STEADY, **settings, **place))
               for name, place in (("alone", {}), ("two", KINDS["mirrored"][0]))]  # fmt: skip
    for found, expected in zip(history(folders[1]), history(folders[0]), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_discriminator_is_refused_on_several_devices(tmp_path):
    model = Adversarial(tiny.network((16, 16, 1)), tiny.discriminator((16, 16, 1)), 1.0)
    devices = Devices(strategy=tf.distribute.OneDeviceStrategy("/cpu:0"))
    with pytest.raises(UserError, match="--strategy none is the only one under which a network trains against"):
        distribution.adapt(model, devices, tiny.experiment(tmp_path, tmp_path).training)


@pytest.mark.slow
def test_without_synchronized_statistics_other_weights_come_out(alone, data_dir, tmp_path):
    """Each device then normalises by its own half of the step: a caveat of data parallelism, and here a choice."""
    settings = {**STEADY, **KINDS["mirrored"][0], "training__batch_statistics": "device"}
    folder = run(tiny.experiment(tmp_path, data_dir, **settings))
    assert max(np.abs(one - other).max() for one, other in zip(weights(folder), weights(alone), strict=True)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_worker_that_comes_back_goes_on(data_dir, tmp_path, killed):
    """Whether chief or not; the other one waits for it, and the history has each epoch once."""
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
