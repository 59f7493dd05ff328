import numpy as np
import tensorflow as tf

from tfrespam.data.loading.augment.transform import Geometric, Intensity, Transform


class Darker(Intensity):
    count = 2

    def apply(self, drawn, images):
        return images * (1.0 - 0.5 * tf.abs(drawn[:, :1, tf.newaxis, tf.newaxis]))


class Renamed(Geometric):
    name = "turned"


def test_the_default_name_is_that_of_the_class():
    assert (Darker.name, Renamed.name, type("Other", (Renamed,), {}).name) == ("darker", "turned", "other")
    assert (Transform.count, Darker.count) == (1, 2)


def test_random_numbers_are_used_directly_by_default():
    numbers = tf.constant([[0.5, 0.1], [-1.0, 0.2]])
    assert Darker().draw(numbers) is numbers
    changed = Darker().apply(numbers, tf.ones((2, 3, 3, 1)))
    np.testing.assert_allclose(changed[:, 0, 0, 0], [0.75, 0.5])
