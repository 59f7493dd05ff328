import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.training.tensorboard.gradients import GradientNorms


def fitted(policy="float32", measured=True, clip=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, dtype=policy)])
    optimizer = keras.optimizers.SGD(0.1, global_clipnorm=clip)
    model.compile(keras.mixed_precision.LossScaleOptimizer(optimizer) if policy != "float32" else optimizer, "mse")
    norms = GradientNorms(model.optimizer) if measured else None
    pictures = np.random.default_rng(0).random((8, 3), np.float32)
    model.fit(pictures, np.ones((8, 1)), batch_size=4, epochs=1, shuffle=False, verbose=0)
    return model, norms, pictures


def expected(pictures):
    """Compute the norms of both steps with a gradient tape."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    optimizer, norms = keras.optimizers.SGD(0.1), []
    for batch in np.split(pictures, 2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(batch) - 1.0) ** 2)
        grads = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        norms.append(float(tf.linalg.global_norm(grads)))
        optimizer.apply(grads, model.trainable_weights)
    return norms


def test_mean_and_largest_norm_match_the_steps():
    _, norms, pictures = fitted()
    steps = expected(pictures)
    assert norms.result() == pytest.approx({"gradient_norm": np.mean(steps), "gradient_norm_max": max(steps)}, rel=1e-5)
    norms.reset()
    assert norms.result() == {}


def test_norms_are_measured_before_clipping():
    plain, _, _ = fitted(measured=False, clip=0.01)
    watched, norms, _ = fitted(clip=0.01)
    for first, second in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert norms.result()["gradient_norm"] > 0.01


def test_norms_exclude_the_loss_scale():
    _, norms, pictures = fitted("mixed_float16")
    assert norms.result()["gradient_norm"] == pytest.approx(np.mean(expected(pictures)), rel=0.02)
