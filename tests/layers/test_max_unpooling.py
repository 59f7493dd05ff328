"""Argmax pooling and max-unpooling as a pair."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.layers import ArgmaxPooling2D, MaxUnpooling2D


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")


def pool_and_unpool(shape):
    image = keras.Input(shape)
    pooled, places = ArgmaxPooling2D(name="pool")(image)
    return keras.Model(image, MaxUnpooling2D(name="unpool")(pooled, places))


def windows(image):
    """Rearrange (N, H, W, C) into 2x2 windows, (N, H / 2, W / 2, C, 4)."""
    count, height, width, channels = image.shape
    split = image.reshape(count, height // 2, 2, width // 2, 2, channels)
    return split.transpose(0, 1, 3, 5, 2, 4).reshape(count, height // 2, width // 2, channels, 4)


def test_unpooling_restores_every_value_to_its_pixel(features):
    back = pool_and_unpool((8, 6, 3)).predict_on_batch(features)
    kept = back != 0
    np.testing.assert_array_equal(back[kept], features[kept])
    np.testing.assert_array_equal(windows(kept).sum(axis=-1), 1)
    np.testing.assert_array_equal(windows(back).sum(axis=-1), windows(features).max(axis=-1))


def test_pooling_an_unpooled_map_gives_the_same_maxima(features):
    pooled, places = ArgmaxPooling2D()(np.abs(features))
    again, same_places = ArgmaxPooling2D()(MaxUnpooling2D()(pooled, places))
    np.testing.assert_array_equal(again, pooled)
    np.testing.assert_array_equal(same_places, places)


def test_gradient_flows_only_to_the_first_of_equal_values():
    inputs = tf.ones((1, 4, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        pooled = ArgmaxPooling2D()(inputs)[0]
    np.testing.assert_array_equal(windows(tape.gradient(pooled, inputs).numpy()), [[[[[1, 0, 0, 0]]] * 2] * 2])


def test_saved_pair_keeps_names_and_results(features, tmp_path):
    model = pool_and_unpool((8, 6, 3))
    model.save(tmp_path / "pair.keras")
    loaded = keras.models.load_model(tmp_path / "pair.keras")
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(loaded(features), model(features))


def test_any_even_size_and_unknown_sizes(features):
    model = pool_and_unpool((None, None, 3))
    assert model.output_shape == (None, None, None, 3)
    for image in (features, features[:, :4, :2]):
        assert model(image).shape == image.shape
    with pytest.raises(ValueError, match="must be even"):
        ArgmaxPooling2D()(features[:, :7])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_keeps_the_indices(features, policy):
    features = features.astype("float16").astype("float32")
    pooled, places = ArgmaxPooling2D(dtype=policy)(features)
    assert pooled.dtype.name == policy.removeprefix("mixed_")
    assert places.dtype == "int32"
    assert MaxUnpooling2D(dtype=policy)(pooled, places).dtype == pooled.dtype
    if policy == "mixed_float16":
        np.testing.assert_array_equal(places, ArgmaxPooling2D()(features)[1])


def test_xla_compiles_the_pair(features):
    model = pool_and_unpool((8, 6, 3))
    compiled = tf.function(model, jit_compile=True)
    np.testing.assert_array_equal(compiled(features), model(features))
