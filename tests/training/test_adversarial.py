"""Alternate training of a network and a discriminator on four images."""

import keras
import numpy as np
import pytest
import tiny
from keras import layers, ops

from tfrespam.losses import get_loss
from tfrespam.metrics import default_metrics
from tfrespam.training.objectives.adversarial import Adversarial

RNG = np.random.default_rng(0)
IMAGES = ops.convert_to_tensor(RNG.random((4, 16, 16, 1), np.float32))
MASKS = ops.pad(ops.ones((4, 10, 8, 1)), ((0, 0), (3, 3), (4, 4), (0, 0)))


def judge():
    inputs = [keras.Input((16, 16, 1)) for _ in range(2)]
    features = layers.Conv2D(4, 4, 4, activation="relu")(layers.Concatenate()(inputs))
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(features))


def adversarial(loss_weight=150.0, dropout=0.0, rate=0.01):
    keras.utils.set_random_seed(0)
    model = Adversarial(tiny.network((16, 16, 1), dropout=dropout), judge(), loss_weight)
    model.compile(keras.optimizers.Adam(rate), optimizer=keras.optimizers.Adam(rate), loss=get_loss("dice"),
                  metrics=default_metrics(), run_eagerly=True)  # fmt: skip
    return model


def cross_entropy(truth, verdict):
    verdict = np.array(verdict, "float64")
    return float(-np.mean(truth * np.log(verdict) + (1 - truth) * np.log(1 - verdict)))


def test_validation_reports_both_losses():
    model = adversarial()
    found = model.evaluate(IMAGES, MASKS, verbose=0, return_dict=True)
    generated = model.network(IMAGES)
    verdict = model.discriminator([IMAGES, generated])
    dice = float(get_loss("dice")(MASKS, generated))
    assert found["loss"] == pytest.approx(150 * dice + cross_entropy(1, verdict), rel=1e-5)
    expected = (cross_entropy(1, model.discriminator([IMAGES, MASKS])) + cross_entropy(0, verdict)) / 2
    assert found["discriminator_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_step_updates_both_networks_by_separate_optimizers():
    model = adversarial()
    before = [np.array(weight) for weight in model.weights]
    found = model.train_on_batch(IMAGES, MASKS, return_dict=True)
    assert set(found) == {"loss", "discriminator_loss", "dice", "iou", "miou"}
    moved = {weight.path for weight, old in zip(model.weights, before, strict=True) if np.any(np.array(weight) != old)}
    trained = {w.path for w in (*model.network.trainable_weights, *model.discriminator.trainable_weights)}
    # a bias before batch normalisation has no gradient
    assert len(trained - moved) <= 1 and moved & {w.path for w in model.discriminator.trainable_weights}
    for optimizer, network in ((model.optimizer, model.network), (model.discriminator_optimizer, model.discriminator)):
        assert int(optimizer.iterations) == 1
        assert len(optimizer.variables) == 2 + 2 * len(network.trainable_weights)


def test_without_a_loss_the_network_learns_to_fool_the_discriminator():
    model = adversarial(loss_weight=0.0)
    frozen = [np.array(weight) for weight in model.discriminator.trainable_weights]
    verdict = float(np.mean(model.discriminator([IMAGES, model.network(IMAGES)])))
    model._train_discriminator = lambda *_: None
    for _ in range(30):
        model.train_on_batch(IMAGES, MASKS)
    assert all(np.all(np.array(w) == old) for w, old in zip(model.discriminator.trainable_weights, frozen, strict=True))
    assert float(np.mean(model.discriminator([IMAGES, model.network(IMAGES)]))) > verdict


def test_the_discriminator_learns_to_distinguish_masks():
    model = adversarial(loss_weight=0.0)
    generated = model.network(IMAGES)
    losses = []
    for _ in range(30):
        model._train_discriminator(IMAGES, MASKS, generated)
        losses.append(float(model._discriminator_loss(IMAGES, MASKS, generated, training=True)))
    assert losses[-1] < 0.8 * losses[0]


def test_weight_file_contains_both_networks(tmp_path):
    model = adversarial(dropout=0.5)
    for _ in range(3):
        model.train_on_batch(IMAGES, MASKS)
    model.save_weights(tmp_path / "model.weights.h5")
    other = adversarial(dropout=0.5)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "model.weights.h5")
    for found, expected in ((other.weights, model.weights), (other.optimizer.variables, model.optimizer.variables),
                            (other.discriminator_optimizer.variables, model.discriminator_optimizer.variables)):
        assert len(found) > 4
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(np.array(a), np.array(b))
