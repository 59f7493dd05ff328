import keras
import numpy as np
import pytest

from tfrespam.config import TrainingConfig
from tfrespam.training.optimizer import build_once, learning_rate, optimizer


def rates(**settings):
    """Return the learning rate at each of 10 epochs x 5 steps, and at the step after the last."""
    rate = learning_rate(TrainingConfig(epochs=10, learning_rate=0.4, **settings), 5)
    return np.array([float(rate(step)) if callable(rate) else rate for step in range(51)])


def test_constant_schedule():
    np.testing.assert_array_equal(rates(), np.full(51, 0.4))


def test_cosine_falls_to_zero():
    np.testing.assert_allclose(rates(schedule="cosine"), 0.2 * (1 + np.cos(np.pi * np.arange(51) / 50)), atol=1e-6)


def test_warm_up_rises_from_zero_to_a_constant():
    found = rates(warmup_epochs=2)
    np.testing.assert_allclose(found[:11], 0.4 * np.arange(11) / 10, atol=1e-6)
    np.testing.assert_allclose(found[10:], 0.4, atol=1e-6)


def test_warm_up_and_cosine_cover_the_whole_training():
    found = rates(schedule="cosine", warmup_epochs=1)
    np.testing.assert_allclose(found[:6], 0.4 * np.arange(6) / 5, atol=1e-6)
    np.testing.assert_allclose(found[5:], 0.2 * (1 + np.cos(np.pi * np.arange(46) / 45)), atol=1e-6)


@pytest.mark.parametrize("fraction", [0.5, 0.25])
def test_warm_up_can_be_a_fraction_of_an_epoch(fraction):
    found = rates(warmup_epochs=fraction)
    assert found[0] == 0 and found[round(5 * fraction)] == pytest.approx(0.4)


def test_optimizers_match_the_settings():
    adam = optimizer(TrainingConfig(), 5)
    assert type(adam) is keras.optimizers.Adam and adam.global_clipnorm is None
    assert float(adam.learning_rate) == pytest.approx(1e-3) and adam.weight_decay is None
    adamw = optimizer(TrainingConfig(optimizer="adamw", weight_decay=0.01, clip_norm=2.0), 5)
    assert type(adamw) is keras.optimizers.AdamW and adamw.weight_decay == 0.01 and adamw.global_clipnorm == 2.0


@pytest.mark.parametrize("name, momentum", [("adam", "beta_1"), ("adamw", "beta_1"), ("sgd", "momentum")])
def test_momentum_is_applied_for_each_optimizer(name, momentum):
    assert getattr(optimizer(TrainingConfig(optimizer=name), 5), momentum) == 0.9
    made = optimizer(TrainingConfig(optimizer=name, momentum=0.5, learning_rate=0.2), 5)
    assert getattr(made, momentum) == 0.5 and float(made.learning_rate) == pytest.approx(0.2)


def test_building_again_keeps_the_loss_scale():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
    build_once(model)
    model.optimizer.dynamic_scale.assign(8.0)
    variables = len(model.optimizer.variables)
    build_once(model)
    assert len(model.optimizer.variables) == variables and float(model.optimizer.dynamic_scale) == 8.0
