import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfrespam.config import TrainingConfig
from tfrespam.config_checks import check
from tfrespam.core.errors import UserError
from tfrespam.training.distribution import devices
from tfrespam.training.distribution.devices import Devices
from tfrespam.training.runs import run_folder

FOUR = Devices(types.SimpleNamespace(num_replicas_in_sync=4))


def test_batch_size_is_shared_or_multiplied():
    assert Devices().step_examples(TrainingConfig(batch_size=7)) == 7
    assert FOUR.step_examples(TrainingConfig(batch_size=8)) == 8
    assert FOUR.step_examples(TrainingConfig(batch_size=7, batch_per="device")) == 28
    with pytest.raises(UserError, match="must be a multiple of the 4 devices.*Received: 6.*batch_per` to device"):
        FOUR.step_examples(TrainingConfig(batch_size=6))


@pytest.mark.parametrize(("scaling", "factor"), [("none", 1), ("linear", 4), ("sqrt", 2)])
def test_learning_rate_scaling(scaling, factor):
    training = TrainingConfig(learning_rate=0.1, batch_per="device", rate_scaling=scaling)
    assert FOUR.scaled(training).learning_rate == pytest.approx(0.1 * factor)
    assert Devices().scaled(training).learning_rate == pytest.approx(0.1)


@pytest.mark.parametrize(("settings", "message"), [
    ({"devices": 2}, "`devices` needs `strategy` mirrored"),
    ({"devices": -1}, "`devices` must be 0 or more"),
    ({"training__rate_scaling": "linear"}, "rate_scaling` needs `training.batch_per` device"),
    ({"strategy": "mirrored", "training__steps_per_execution": 2}, "steps_per_execution` must be 1"),
    ({"strategy": "multiworker", "training__jit": "on", "training__deterministic": False}, "jit` on needs `strategy`"),
])  # fmt: skip
def test_unsupported_combinations_are_rejected(tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        check(tiny.experiment(tmp_path, tmp_path, **settings))


def test_a_run_can_be_resumed_on_other_devices_with_equal_steps(tmp_path):
    one = tiny.experiment(tmp_path, tmp_path)
    assert run_folder(dataclasses.replace(one, strategy="mirrored", devices=2)) == run_folder(one)
    larger = tiny.experiment(tmp_path, tmp_path, training__batch_per="device")
    assert run_folder(dataclasses.replace(larger, strategy="mirrored")) != run_folder(larger)


def test_a_missing_tpu_is_reported(tmp_path, monkeypatch):
    def connect(name):
        raise ValueError("Please provide a TPU Name to connect to.")

    monkeypatch.setattr(tf.distribute.cluster_resolver.TPUClusterResolver, "connect", connect)
    with pytest.raises(UserError, match="found no TPU .Please provide.*TPU_NAME"):
        devices.start(tiny.experiment(tmp_path, tmp_path, strategy="tpu"))


def test_batches_are_prefetched_to_the_gpu(monkeypatch):
    """The processor is used in place of the GPU."""
    batches = tf.data.Dataset.range(6).batch(2)
    assert Devices().staged(batches) is batches
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [types.SimpleNamespace(name="/CPU:0")])
    staged = Devices().staged(batches)
    assert staged is not batches and [batch.numpy().tolist() for batch in staged] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_gradient_of_the_whole_step_is_clipped(wrap):
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    optimizer._all_reduce_sum_gradients = lambda pairs: [(4 * gradient, variable) for gradient, variable in pairs]
    devices.clip_the_sum(wrap(optimizer))
    clipped = optimizer._clip_gradients([tf.constant([0.15, 0.2])])  # 4 devices: norm 1.0; each alone 0.25
    np.testing.assert_allclose(clipped[0], [0.6, 0.8], rtol=1e-6)
    assert optimizer._all_reduce_sum_gradients([(1, 2)]) == [(1, 2)]
