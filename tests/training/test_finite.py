"""A NaN loss stops the training with an error that names the lesions; the last good epoch is kept."""

import csv
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfrespam.config import AugmentConfig
from tfrespam.core.errors import UserError
from tfrespam.core.files import check_seal
from tfrespam.data.loading import pipeline, protocols
from tfrespam.models.stored import load_network
from tfrespam.training.fit import fit
from tfrespam.training.recorder import RunRecorder


@pytest.fixture(scope="module")
def parts(prepared):
    return protocols.splits(prepared.table, "official")


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_lesions_of_a_step_match_the_data_pipeline(prepared, parts):
    """In the second and third epoch as well; images are identified by their pixels."""
    chosen, plain = parts["train"], AugmentConfig(rotation_degrees=0.0, flips=False)
    stored = {}
    for lesion, example in zip(prepared.table["lesion_id"][chosen], pipeline.encoded(prepared, chosen), strict=True):
        image, _ = pipeline.to_float(*pipeline.decode(example))
        stored[image.numpy().tobytes()] = str(lesion)
    steps = int(chosen.sum()) // 3
    tf.keras.utils.set_random_seed(5)
    stream = pipeline.training(prepared, chosen, plain, batch_size=3, seed=5)
    for step, (images, _) in enumerate(stream.take(3 * steps).as_numpy_iterator()):
        shown = [stored[image.tobytes()] for image in images]
        assert pipeline.step_lesions(prepared, chosen, 3, 5, step) == shown


class Spoils(keras.callbacks.Callback):
    """Set the weights to NaN after step `step` of epoch `epoch`, both counted from 0."""

    def __init__(self, epoch, step):
        super().__init__()
        self.when, self.epoch = (epoch, step), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.when:
            kernel = self.model.layers[1].kernel
            kernel.assign(np.nan * kernel)


def test_nan_loss_names_the_lesions_and_keeps_the_last_good_epoch(prepared, parts, data_dir, tmp_path,
                                                                        monkeypatch):  # fmt: skip
    experiment = tiny.experiment(tmp_path, data_dir)
    steps = int(parts["train"].sum()) // 3
    with monkeypatch.context() as patch:
        patch.setattr("tfrespam.training.fit.board", lambda *_: [Spoils(1, 1)])
        with pytest.raises(UserError, match=rf"nan in epoch 2, step 3 of {steps}.*Epoch 1, the last good") as lost:
            fit(tiny.run_of(experiment, prepared, parts, tmp_path))
    for step in (1, 2):
        for lesion in pipeline.step_lesions(prepared, parts["train"], 3, experiment.seed, steps + step):
            assert lesion in str(lost.value)
    check_seal(tmp_path / "state")
    assert len(history(tmp_path)) == 1 and np.isfinite(load_network(tmp_path / "best.keras").get_weights()[0]).all()
    fit(tiny.run_of(experiment, prepared, parts, tmp_path))  # resumes from there
    assert [row["epoch"] for row in history(tmp_path)] == ["1", "2"]


def test_nan_weights_after_the_last_step_are_not_kept(prepared, parts, data_dir, tmp_path, monkeypatch):
    """The loss of the epoch's last step is finite, but its update is not; only the validation detects this."""
    last = int(parts["train"].sum()) // 3 - 1
    monkeypatch.setattr("tfrespam.training.fit.board", lambda *_: [Spoils(0, last)])
    with pytest.raises(UserError, match="the validation loss became nan in epoch 1.*No epoch was finished before"):
        fit(tiny.run_of(tiny.experiment(tmp_path, data_dir), prepared, parts, tmp_path))
    assert not (tmp_path / "state").exists() and not (tmp_path / "best.keras").exists()


@pytest.fixture(scope="module")
def finished(prepared, parts, data_dir, tmp_path_factory):
    """Folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("finished")
    experiment = tiny.experiment(folder, data_dir, training__epochs=1, training__ema=0.9)
    fit(tiny.run_of(experiment, prepared, parts, folder))
    return folder


@pytest.mark.parametrize("name", ["state.json", "model.weights.h5", "average.npz", "sha256.json"])
def test_a_damaged_state_is_reported(finished, tmp_path, name):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "state" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 8
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"state is damaged .*best.keras.*train again"):
        RunRecorder(tmp_path, None).restore(None)
