import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.models import build_model
from tfrespam.training.kernels.fused_normalization import fuse

X = np.random.default_rng(0).normal(2, 3, (3, 8, 6, 4)).astype(np.float32)


def layer(fused, **options):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 6, 4), dtype="float32")
    made = keras.layers.BatchNormalization(momentum=0.7, epsilon=1e-3, gamma_initializer="random_normal", **options)
    model = keras.Model(inputs, made(inputs))
    if fused:
        fuse(model)
    return model


def step(model):
    """Return output, gradients and weights after one training step."""
    with tf.GradientTape() as tape:
        x = tf.constant(X)
        tape.watch(x)
        output = tf.cast(model(x, training=True), tf.float32)
        loss = tf.reduce_sum(output * tf.constant(X[::-1]) ** 2)
    return [output, *tape.gradient(loss, [x, *model.trainable_variables]), *model.get_weights()]


def test_a_training_step_matches_keras():
    for fused, unfused in zip(step(layer(True)), step(layer(False)), strict=True):
        np.testing.assert_allclose(fused, unfused, rtol=2e-5, atol=2e-5 * np.abs(unfused).max())


def test_bfloat16_is_as_accurate_as_keras():
    exact, fused, unfused = (step(layer(*options, dtype=policy)) for *options, policy in (
        (True, "float32"), (True, "mixed_bfloat16"), (False, "mixed_bfloat16")))  # fmt: skip
    for truth, ours, keras_own in zip(exact, fused, unfused, strict=True):
        ours, keras_own = (np.asarray(each, np.float32) for each in (ours, keras_own))
        scale = np.abs(truth).max()
        assert np.abs(ours - truth).max() <= max(1.5 * np.abs(keras_own - truth).max(), 0.01 * scale)
        assert np.abs(ours - truth).max() <= 0.03 * scale


def test_inference_and_frozen_layers_are_unchanged():
    models = [layer(fused) for fused in (True, False)]
    np.testing.assert_array_equal(*(model(X, training=False) for model in models))
    for model in models:
        model.layers[-1].trainable = False
    np.testing.assert_array_equal(*(model(X, training=True) for model in models))


@pytest.mark.parametrize("options", [{"synchronized": True}, {"axis": 1}, {"scale": False}])
def test_unsupported_options_use_keras(options):
    model = layer(True, **options)
    np.testing.assert_array_equal(model(X, training=True), layer(False, **options)(X, training=True))


def test_all_layers_are_fused_and_the_saved_file_is_unchanged(tmp_path):
    model = build_model("respam_unet", (32, 32, 1), 0.03125)
    fuse(model)
    found = [each for each in model._flatten_layers() if isinstance(each, keras.layers.BatchNormalization)]
    assert len(found) > 30 and all("call" in vars(each) for each in found)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not any("call" in vars(each) for each in again._flatten_layers())
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
