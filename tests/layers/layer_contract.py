"""Contract test for the layers of tfrespam.layers."""

import inspect
import os

import keras
import numpy as np


def check_layer(layer_class, config, input_shape, output_shape, weights, trainable, tmp_path):
    """Check one layer built with the constructor arguments `config`.

    Args:
        input_shape, output_shape: (H, W, C) of one example.
        weights, trainable: Expected number of weight tensors, all and trainable ones.
        tmp_path: Folder for the saved model.
    """
    _check_config(layer_class, config)
    model = _tiny_model(layer_class, config, input_shape)
    _randomize(model)
    layer = model.get_layer("given_name")
    assert len(layer.weights) == weights
    assert len(layer.trainable_weights) == trainable
    assert model.output_shape == (None, *output_shape)
    assert layer.compute_output_shape((None, *input_shape)) == (None, *output_shape)
    inputs = np.random.default_rng(0).random((2, *input_shape), dtype="float32")
    eager = layer(inputs)
    assert eager.shape == (2, *output_shape)
    np.testing.assert_allclose(model.predict_on_batch(inputs), eager, rtol=1e-4, atol=1e-5)
    _check_saved(model, inputs, tmp_path)
    if trainable:
        _check_training_step(model, inputs, output_shape)
    _check_any_size(layer_class, config, input_shape, output_shape)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        _check_precision(layer_class, config, inputs, policy)


def untested_arguments(layer_class, configs):
    """Return the layer's arguments that have their default value in all of `configs`."""
    if "__init__" not in vars(layer_class):
        return set()
    parameters = inspect.signature(layer_class.__init__).parameters.values()
    own = {p.name: p.default for p in parameters if p.name not in ("self", "kwargs")}
    return {name for name, default in own.items() if all(config.get(name, default) == default for config in configs)}


def _check_config(layer_class, config):
    layer = layer_class(name="given_name", **config)
    for again in (layer_class.from_config(layer.get_config()), keras.layers.deserialize(keras.layers.serialize(layer))):
        assert again.get_config() == layer.get_config()
        assert again.name == "given_name"
        for name, value in config.items():
            assert getattr(again, name) == value


def _tiny_model(layer_class, config, input_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layer_class(name="given_name", **config)(inputs))


def _randomize(model):
    """Set every weight to values that no initialiser produces, so that a weight missing from a file is detected."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.01, 0.1, weight.shape) for weight in model.get_weights()])


def _check_saved(model, inputs, tmp_path):
    file = os.path.join(tmp_path, "layer.keras")
    model.save(file)
    loaded = keras.models.load_model(file)
    assert [w.path for w in loaded.weights] == [w.path for w in model.weights]
    assert loaded.get_layer("given_name").get_config() == model.get_layer("given_name").get_config()
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def _check_training_step(model, inputs, output_shape):
    before = [np.array(weight) for weight in model.trainable_weights]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    loss = model.train_on_batch(inputs, np.random.default_rng(2).random((len(inputs), *output_shape)))
    assert np.isfinite(loss)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.all(np.isfinite(weight)), weight.path
        assert np.any(np.array(weight) != old), f"{weight.path} had no gradient"


def _check_any_size(layer_class, config, input_shape, output_shape):
    model = _tiny_model(layer_class, config, (None, None, input_shape[-1]))
    assert model.output_shape == (None, None, None, output_shape[-1]) or None not in model.output_shape[1:3]
    layer = model.get_layer("given_name")
    for side in (8, 11):
        shape = (1, side, side + 3, input_shape[-1])
        assert model(np.zeros(shape, "float32")).shape == layer.compute_output_shape(shape)


def _check_precision(layer_class, config, inputs, policy):
    layer = layer_class(dtype=policy, **config)
    outputs = layer(inputs)
    assert outputs.dtype.name == layer.compute_dtype == policy.removeprefix("mixed_")
    assert all(weight.dtype == "float32" for weight in layer.weights)
    assert np.all(np.isfinite(np.array(outputs, "float32")))
