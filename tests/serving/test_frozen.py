"""The exported network with constant weights computes the same function with another graph."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_model import SIZE, small_model

from tfrespam.models import build_model
from tfrespam.serving.graph import frozen
from tfrespam.serving.graph.signatures import export_archive

SPEC = tf.TensorSpec([None, 32, 32, 1], tf.float32)
IMAGES = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)


@pytest.fixture(scope="module")
def model():
    """A model as after training: no statistic and no bias is 0 or 1."""
    network, random = build_model("respam_unet", (32, 32, 1), 0.0625), np.random.default_rng(1)
    network.set_weights([weight + random.uniform(0.02, 0.3, weight.shape) if weight.ndim == 1 else weight
                         for weight in network.get_weights()])  # fmt: skip
    return network


def test_freezing_keeps_the_function_and_the_model(model):
    expected = model(IMAGES, training=False)
    call = frozen.freeze(model, functools.partial(model, training=False), SPEC)
    np.testing.assert_allclose(call(tf.constant(IMAGES)), expected, rtol=0, atol=2e-6)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    np.testing.assert_array_equal(model(IMAGES, training=False), expected)


def test_later_changes_of_the_model_do_not_affect_the_frozen_function(model):
    call = frozen.freeze(model, functools.partial(model, training=False), SPEC)
    before, weights = call(tf.constant(IMAGES)).numpy(), model.get_weights()
    model.set_weights([0 * weight for weight in weights])
    np.testing.assert_array_equal(call(tf.constant(IMAGES)), before)
    model.set_weights(weights)


@pytest.mark.parametrize("options", [{"axis": 1}, {"scale": False}, {"center": False}])
def test_unsupported_batch_normalisation_is_not_folded(options):
    image = keras.Input((32, 32, 1))
    layer = keras.layers.BatchNormalization(moving_mean_initializer="random_normal", **options)
    model = keras.Model(image, layer(image))
    call = frozen.freeze(model, functools.partial(model, training=False), SPEC)
    np.testing.assert_allclose(call(tf.constant(IMAGES)), model(IMAGES), rtol=0, atol=1e-6)


def test_normalisation_and_bias_are_folded_into_every_convolution(model):
    """Checked in the graph that TensorFlow optimises for running."""
    call = tf.function(frozen.freeze(model, functools.partial(model, training=False), SPEC), input_signature=[SPEC])
    kinds = [node.op for node in optimized(call.get_concrete_function()).node]
    assert kinds.count("Conv2D") == 4  # spatial attention has no bias
    assert sum("FusedConv2D" in kind for kind in kinds) > 60
    assert not {"BiasAdd", "VarHandleOp", "ReadVariableOp", "Rsqrt"} & set(kinds)


def optimized(function):
    from tensorflow.python.eager import context

    context.enable_run_metadata()
    try:
        function(tf.constant(IMAGES))
        return context.export_run_metadata().function_graphs[0].post_optimization_graph
    finally:
        context.disable_run_metadata()


@pytest.mark.parametrize("limit", [0, frozen.MAX_BYTES])
def test_large_networks_are_exported_with_variables(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(frozen, "MAX_BYTES", limit)
    model = small_model()
    export_archive(model, tmp_path, SIZE)
    loaded = tf.saved_model.load(tmp_path)
    answer = loaded.signatures["serving_default"]
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 1), np.float32)
    np.testing.assert_allclose(answer(image=tf.constant(images))["probability"], model(images), rtol=0, atol=1e-6)
    assert len(answer.variables) == (len(model.weights) if limit == 0 else 0)
    stored = next(tmp_path.glob("variables/*.data-*")).stat().st_size
    assert stored < frozen.weight_bytes(model) + 1800  # once, and what tells of them


def test_float16_kernels_give_a_smaller_file_and_the_same_network(tmp_path):
    model = build_model("unet", (32, 32, 1), 0.125, batch_normalization=True)
    frozen.round_kernels(model)
    sizes = {}
    for half in (False, True):
        export_archive(model, tmp_path / str(half), 32, half=half)
        answer = tf.saved_model.load(tmp_path / str(half)).signatures["serving_default"]
        np.testing.assert_allclose(answer(image=tf.constant(IMAGES))["probability"], model(IMAGES), rtol=0, atol=1e-6)
        sizes[half] = (tmp_path / str(half) / "saved_model.pb").stat().st_size
    kernels = sum(weight.numpy().nbytes for weight in model.weights if len(weight.shape) > 1)
    assert sizes[False] - sizes[True] == pytest.approx(0.5 * kernels, rel=0.02)


def test_float16_kernels_are_constants_in_large_networks_too(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "MAX_BYTES", 0)
    model = small_model()
    frozen.round_kernels(model)
    export_archive(model, tmp_path, SIZE, half=True)
    answer = tf.saved_model.load(tmp_path).signatures["serving_default"]
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 1), np.float32)
    np.testing.assert_allclose(answer(image=tf.constant(images))["probability"], model(images), rtol=0, atol=1e-6)
    assert not answer.variables


def test_rounding_changes_kernels_slightly_and_biases_not():
    model = small_model()
    model.set_weights([weight + 0.1234567 for weight in model.get_weights()])
    before = model.get_weights()
    frozen.round_kernels(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, rtol=2**-11 if old.ndim > 1 else 0)
        assert (old.ndim > 1) == bool((new != old).any())
