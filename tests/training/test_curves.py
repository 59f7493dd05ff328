import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfrespam.training.averaging import WeightAverage
from tfrespam.training.tensorboard.curves import ValidationCurves


def tags(folder):
    """Tags of all events, by step."""
    found = {}
    for file in folder.glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found.setdefault(event.step, set()).add(value.tag)
    return found


@pytest.mark.parametrize(("every", "steps"), [(2, {1, 2}), (5, {2})])
def test_curves_are_written_every_few_epochs_and_after_the_last(tmp_path, every, steps):
    images = np.random.default_rng(0).random((3, tiny.SIZE, tiny.SIZE, 1)).astype(np.float32)
    validation = tf.data.Dataset.from_tensor_slices((images, images > 0.5)).batch(2)
    model, average = tiny.network((tiny.SIZE, tiny.SIZE, 1)), WeightAverage(0.0)
    curves = ValidationCurves(tf.summary.create_file_writer(str(tmp_path)), validation, average, every, epochs=3)
    for callback in (average, curves):
        callback.set_model(model)
    for epoch in range(3):
        curves.on_epoch_end(epoch)
    found = tags(tmp_path)
    assert found.keys() - {0} == steps
    assert {"calibration/expected_calibration_error", "calibration/reliability"} <= found[2]
