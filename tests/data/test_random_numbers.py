import numpy as np
import pytest
import tensorflow as tf

from tfrespam.data.loading.augment import random_numbers

SEEDS = np.stack([np.zeros(20000, np.int64), np.arange(20000)], 1)


@pytest.mark.parametrize("draw", [random_numbers.uniform, tf.function(random_numbers.uniform)])
def test_recorded_numbers_are_reproduced(draw):
    """Recorded values: runs are reproducible only as long as they do not change."""
    found = draw(tf.constant([[5, 7], [5, 8], [-1, 0]]), {"rotation": 1, "flip": 2})
    np.testing.assert_array_equal(found["rotation"], np.float32([[-0.30905783], [-0.37760544], [-0.53930044]]))
    np.testing.assert_array_equal(found["flip"], np.float32([[0.24315643, 0.7552104], [-0.7151247, 0.3202293],
                                                             [0.2563604, -0.3340454]]))  # fmt: skip


def test_streams_are_independent_of_each_other():
    alone = random_numbers.uniform(SEEDS, {"rotation": 1})
    together = random_numbers.uniform(SEEDS, {"flip": 2, "rotation": 3, "zoom": 1})
    np.testing.assert_array_equal(alone["rotation"], together["rotation"][:, :1])


def test_numbers_are_uniform_and_independent():
    found = random_numbers.uniform(SEEDS, {"rotation": 2, "zoom": 1})
    columns = np.concatenate([each.numpy() for each in found.values()], 1)
    columns = np.concatenate([columns, np.roll(columns, 1, 0)], 1)  # the neighbours' numbers too
    assert columns.min() >= -1 and columns.max() < 1
    for column in columns.T:
        counts, _ = np.histogram(column, 20, (-1, 1))
        assert np.square((counts - 1000) / np.sqrt(1000 * 0.95)).sum() < 50  # chi-squared, 19 degrees of freedom
    assert np.abs(np.corrcoef(columns.T) - np.eye(6)).max() < 0.03
    assert len(np.unique(columns[:, 0])) > 19950


@pytest.mark.parametrize("other", [[[0, 1], [1, 0]], [[0, 1], [0, 1 << 40]], [[0, 1], [0, -1]]])
def test_other_seeds_give_other_numbers(other):
    first, second = random_numbers.uniform(tf.constant(other, tf.int64), {"rotation": 3})["rotation"].numpy()
    assert (first != second).all()
