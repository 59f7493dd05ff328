"""Keras metrics against the NumPy evaluation."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tfrespam import metrics
from tfrespam.evaluation import confusion

_SCORES = {"dice": confusion.dice, "iou": confusion.iou, "miou": confusion.miou}


def _examples(count, side=16, seed=0):
    """Return masks and probabilities of all kinds: empty, full, false negative, false positive, in between."""
    random = np.random.default_rng(seed)
    masks = random.random((count, side, side, 1)) < random.random((count, 1, 1, 1))
    probabilities = random.random((count, side, side, 1), dtype="float32")
    masks[0] = masks[1] = False
    masks[2] = True
    probabilities[0] = probabilities[3] = 0
    probabilities[2] = 1
    return masks.astype("float32"), probabilities


def _expected(masks, probabilities, threshold=0.5):
    counts = confusion.count_pixels(masks, confusion.binarise(probabilities, threshold))
    return {name: score(counts) for name, score in _SCORES.items()}


@pytest.mark.parametrize("batch", [1, 4, 7, 23])
def test_metrics_equal_the_evaluation_for_any_batch_size(batch):
    masks, probabilities = _examples(23)
    expected = _expected(masks, probabilities)
    for metric in metrics.default_metrics():
        for start in range(0, 23, batch):
            metric.update_state(masks[start : start + batch], probabilities[start : start + batch])
        assert float(metric.result()) == pytest.approx(expected[metric.name].mean(), abs=1e-12)
        metric.reset_state()
        assert float(metric.result()) == 0


def test_threshold_and_sample_weight():
    masks, probabilities = _examples(9)
    weights = np.array([0, 1, 0, 2, 1, 1, 0, 0.5, 1], "float32")
    expected = _expected(masks, probabilities, 0.3)
    for metric in metrics.default_metrics(threshold=0.3):
        metric.update_state(masks, probabilities, sample_weight=weights)
        assert float(metric.result()) == pytest.approx(np.average(expected[metric.name], weights=weights), abs=1e-12)


def test_empty_masks_and_probabilities_at_the_threshold():
    empty, full = np.zeros((1, 4, 4, 1), "float32"), np.ones((1, 4, 4, 1), "float32")
    for metric in metrics.default_metrics():
        metric.update_state(empty, empty)
        assert float(metric.result()) == 1
        metric.reset_state()
        metric.update_state(full, 0.5 * full)
        assert float(metric.result()) == 1
        metric.update_state(np.zeros((0, 4, 4, 1), "float32"), np.zeros((0, 4, 4, 1), "float32"))  # an idle replica
        assert float(metric.result()) == 1


def test_a_large_float16_image_is_counted_exactly():
    mask = np.ones((1, 600, 600, 1), "float16")
    probability = mask.copy()
    probability[0, 0, 0] = 0
    metric = metrics.IoU()
    metric.update_state(mask, probability)
    assert float(metric.result()) == pytest.approx(1 - 1 / 360000, abs=1e-9)


def test_sums_stay_exact_over_many_batches():
    mask = np.ones((1, 3, 1, 1), "float32")
    probability = np.array([1, 1, 0], "float32").reshape(1, 3, 1, 1)
    metric = metrics.IoU()
    metric.total.assign(2e4 / 3)
    metric.count.assign(1e4)
    metric.update_state(mask, probability)
    assert float(metric.result()) == pytest.approx(2 / 3, abs=1e-12)


def test_serialisation_round_trip():
    for metric in metrics.default_metrics(threshold=0.4):
        again = keras.metrics.deserialize(keras.metrics.serialize(metric))
        assert type(again) is type(metric) and (again.name, again.threshold) == (metric.name, 0.4)


def _evaluated(jit=False):
    """Compile a model that returns its input as the probability."""
    image = keras.Input((16, 16, 1), name="image")
    model = keras.Model(image, keras.layers.Activation("linear", dtype="float32", name="probability")(image))
    model.compile(loss="mse", metrics=metrics.default_metrics(), jit_compile=jit)
    return model


@pytest.mark.parametrize("jit", [False, True])
def test_evaluate_with_a_short_last_batch_with_and_without_xla(jit):
    masks, probabilities = _examples(11)
    measured = _evaluated(jit).evaluate(probabilities, masks, batch_size=4, return_dict=True, verbose=0)
    for name, scores in _expected(masks, probabilities).items():
        assert measured[name] == pytest.approx(scores.mean(), abs=1e-6)


def test_evaluate_under_mixed_precision():
    masks, probabilities = _examples(11)
    probabilities = probabilities.astype("float16").astype("float32")
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        measured = _evaluated().evaluate(probabilities, masks, batch_size=4, return_dict=True, verbose=0)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    for name, scores in _expected(masks, probabilities).items():
        assert measured[name] == pytest.approx(scores.mean(), abs=1e-6)


_TWO_REPLICAS = """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import test_metrics
masks, probabilities = test_metrics._examples(17)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = test_metrics._evaluated(jit=False)
measured = model.evaluate(probabilities, masks, batch_size=8, return_dict=True, verbose=0)
for name, scores in test_metrics._expected(masks, probabilities).items():
    assert abs(measured[name] - scores.mean()) < 1e-6, (name, measured[name], scores.mean())
print("equal")
"""


def test_evaluate_on_two_replicas_with_one_idle_in_the_last_batch():
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    answer = subprocess.run([sys.executable, "-c", _TWO_REPLICAS], env={**os.environ, "PYTHONPATH": path},
                            capture_output=True, text=True, timeout=300)
    assert "equal" in answer.stdout, answer.stderr[-3000:]
