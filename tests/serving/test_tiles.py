import numpy as np
import pytest
import tensorflow as tf

from tfrespam.serving.graph import tiles

SIDE = 8


def blend(network, picture, interest=None):
    interest = np.ones_like(picture) if interest is None else interest
    tensors = (tf.constant(each[..., None], tf.float32) for each in (picture, interest))
    graph = tf.function(lambda picture, interest: tiles.blend(network, picture, interest, SIDE))
    return graph(*tensors).numpy()[..., 0]


def test_tiling_does_not_change_a_pixelwise_network():
    picture = np.random.default_rng(0).random((40, 40))
    np.testing.assert_allclose(blend(tf.square, picture), picture**2, atol=1e-6)


def test_tiles_are_averaged_with_a_hann_window():
    """A network that gives each tile one value, against loops over tiles and pixels."""
    picture = np.random.default_rng(1).random((20, 20))
    rise = np.sin(np.pi * (np.arange(SIDE) + 0.5) / SIDE) ** 2
    sums, weights = np.zeros((20, 20)), np.zeros((20, 20))
    for y in range(0, 13, 2):
        for x in range(0, 13, 2):
            sums[y : y + 8, x : x + 8] += np.outer(rise, rise) * picture[y : y + 8, x : x + 8].mean()
            weights[y : y + 8, x : x + 8] += np.outer(rise, rise)
    np.testing.assert_allclose(weights[6:-6, 6:-6], 4, atol=1e-12)
    found = blend(lambda tile: tf.zeros_like(tile) + tf.reduce_mean(tile, axis=(1, 2), keepdims=True), picture)
    np.testing.assert_allclose(found, sums / weights, atol=1e-6)


def test_a_single_tile_gives_the_output_of_the_network():
    picture = np.random.default_rng(2).random((SIDE, SIDE))
    np.testing.assert_allclose(blend(lambda tile: tile / 3, picture), picture / 3, atol=1e-6)


def test_the_network_gets_at_most_a_chunk_of_tiles_in_the_region_of_interest():
    sizes = []

    def network(tile):
        tf.py_function(lambda count: sizes.append(int(count)), [tf.shape(tile)[0]], [])
        return tf.ones_like(tile)

    picture, interest = np.ones((80, 80)), np.zeros((80, 80))
    interest[:, :20] = 1
    found = blend(network, picture, interest)
    assert max(sizes) == tiles.CHUNK and sum(sizes) == 37 * 10  # of 37 x 37; the last ones begin at column 18
    np.testing.assert_array_equal(found[:, :20], 1)
    np.testing.assert_array_equal(found[:, 26:], 0)


@pytest.mark.parametrize(("share", "steps"), [(1.0, 4), (0.9, 4), (0.5, 8), (0.16, 25), (0.1, 40), (2.0, 4)])
def test_image_length_is_a_whole_number_of_steps(share, steps):
    assert tiles.length(share, SIDE) == steps * SIDE // tiles.STEPS
