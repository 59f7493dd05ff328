import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfrespam.config import TrainingConfig, check
from tfrespam.errors import UserError
from tfrespam.train import run_folder
from tfrespam.training import devices, keras_multiworker
from tfrespam.training.devices import Devices

FOUR = Devices(types.SimpleNamespace(num_replicas_in_sync=4))


def test_a_step_is_shared_or_multiplied():
    assert Devices().step_examples(TrainingConfig(batch_size=7)) == 7
    assert FOUR.step_examples(TrainingConfig(batch_size=8)) == 8
    assert FOUR.step_examples(TrainingConfig(batch_size=7, batch_per="device")) == 28
    with pytest.raises(UserError, match="must be a multiple of the 4 devices.*Received: 6.*batch_per device"):
        FOUR.step_examples(TrainingConfig(batch_size=6))


@pytest.mark.parametrize(("scaling", "factor"), [("none", 1), ("linear", 4), ("sqrt", 2)])
def test_the_learning_rate_is_scaled_as_asked(scaling, factor):
    training = TrainingConfig(learning_rate=0.1, batch_per="device", rate_scaling=scaling)
    assert FOUR.scaled(training).learning_rate == pytest.approx(0.1 * factor)
    assert Devices().scaled(training).learning_rate == pytest.approx(0.1)


@pytest.mark.parametrize(("settings", "message"), [
    ({"devices": 2}, "--devices needs --strategy mirrored"),
    ({"devices": -1}, "--devices must be 0 or more"),
    ({"training__rate_scaling": "linear"}, "rate_scaling needs --training.batch_per device"),
    ({"strategy": "mirrored", "training__steps_per_execution": 2}, "steps_per_execution must be 1"),
    ({"strategy": "multiworker", "training__jit": "on", "training__deterministic": False}, "jit on needs --strategy"),
])  # fmt: skip
def test_what_cannot_be_distributed_is_refused(tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        check(tiny.experiment(tmp_path, tmp_path, **settings))


def test_a_run_may_go_on_with_other_devices_while_its_steps_are_the_same(tmp_path):
    one = tiny.experiment(tmp_path, tmp_path)
    assert run_folder(dataclasses.replace(one, strategy="mirrored", devices=2)) == run_folder(one)
    larger = tiny.experiment(tmp_path, tmp_path, training__batch_per="device")
    assert run_folder(dataclasses.replace(larger, strategy="mirrored")) != run_folder(larger)


def test_without_a_tpu_the_strategy_says_so(tmp_path, monkeypatch):
    def connect(name):
        raise ValueError("Please provide a TPU Name to connect to.")

    monkeypatch.setattr(tf.distribute.cluster_resolver.TPUClusterResolver, "connect", connect)
    with pytest.raises(UserError, match="found no TPU .Please provide.*TPU_NAME"):
        devices.start(tiny.experiment(tmp_path, tmp_path, strategy="tpu"))


def test_batches_are_staged_on_the_one_gpu(monkeypatch):
    """The processor stands for the GPU."""
    batches = tf.data.Dataset.range(6).batch(2)
    assert Devices().staged(batches) is batches
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [types.SimpleNamespace(name="/CPU:0")])
    staged = Devices().staged(batches)
    assert staged is not batches and [batch.numpy().tolist() for batch in staged] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_the_whole_steps_gradient_is_clipped(wrap):
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1.0)
    optimizer._all_reduce_sum_gradients = lambda pairs: [(4 * gradient, variable) for gradient, variable in pairs]
    devices.clip_the_sum(wrap(optimizer))
    clipped = optimizer._clip_gradients([tf.constant([0.15, 0.2])])  # 4 devices: norm 1.0; each alone 0.25
    np.testing.assert_allclose(clipped[0], [0.6, 0.8], rtol=1e-6)
    assert optimizer._all_reduce_sum_gradients([(1, 2)]) == [(1, 2)]


def test_a_newer_keras_is_left_alone(monkeypatch, capsys):
    before = keras_multiworker.trainer.reduce_per_replica
    monkeypatch.setattr(keras, "__version__", "3.16.0")
    keras_multiworker.mend()
    assert keras_multiworker.trainer.reduce_per_replica is before
    assert "Keras 3.16.0 is newer than 3.15" in capsys.readouterr().out
