import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.layers import ArgmaxPooling2D


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")


def test_maxima_match_max_pooling(features):
    np.testing.assert_array_equal(ArgmaxPooling2D()(features)[0], keras.ops.max_pool(features, 2))


def test_indices_match_tensorflow(features):
    """TensorFlow's index is (y W + x) C + c in the image. Among equal values (zeros after ReLU) both take the first."""
    features = np.maximum(features, 0)
    _, flat = tf.nn.max_pool_with_argmax(features, 2, 2, "VALID")
    channel = np.arange(3)
    y, x = np.divmod((flat.numpy() - channel) // 3, 6)
    np.testing.assert_array_equal(ArgmaxPooling2D()(features)[1], 2 * (y % 2) + x % 2)


def test_maxima_and_their_positions_in_each_window():
    image = np.array([[1, 2, 7, 7], [4, 3, 0, 7]], "float32").reshape(1, 2, 4, 1)
    maxima, places = ArgmaxPooling2D()(image)
    np.testing.assert_array_equal(np.asarray(maxima)[0, ..., 0], [[4, 7]])
    np.testing.assert_array_equal(np.asarray(places)[0, ..., 0], [[2, 0]])  # of equal values the first


def test_odd_sides_are_refused():
    with pytest.raises(ValueError, match="must be even"):
        ArgmaxPooling2D()(np.zeros((1, 3, 4, 1), "float32"))
