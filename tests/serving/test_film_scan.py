"""Networks with a known formula on a synthetic film, to test cropping, scaling and pasting to the pixel."""

import functools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.data.geometry import breast, crop
from tfrespam.serving.graph import film_scan as film
from tfrespam.serving.graph import tiles

SIDE = 32


def drawn(height=480, width=300) -> np.ndarray:
    """Draw a half ellipse at the left edge with a bright mass, and a bright label on the right, uint16."""
    picture = np.full((height, width), 600, np.uint16)
    cv2.ellipse(picture, (0, height // 2), (width * 2 // 3, height // 3), 0, 0, 360, 25000, -1)
    cv2.circle(picture, (width // 4, height // 2), height // 20, 60000, -1)
    cv2.rectangle(picture, (width - 40, 10), (width - 10, 40), 65535, -1)
    return picture


@functools.cache
def graph(network, shares, blank, size):
    return tf.function(lambda picture: film.segment(network, picture, size, shares, blank),
                       input_signature=[tf.TensorSpec([None, None, 1])])  # fmt: skip


def segment(network, picture, shares=(1.0,), blank=True, size=SIDE):
    return graph(network, shares, blank, size)(tf.constant(picture[..., None] / np.float32(65535))).numpy()[..., 0]


def bright(tile):
    return tf.sigmoid((tile - 0.6) * 50)


@pytest.mark.parametrize("shape", [(480, 300), (300, 480), (131, 97)])
def test_a_rectangular_network_locates_the_mass(shape):
    picture = drawn(*shape)
    found = segment(bright, picture, size=(96, 64)) > 0.5
    mass = picture == 60000
    dice = 2 * np.count_nonzero(found & mass) / (np.count_nonzero(found) + np.count_nonzero(mass))
    assert dice > 0.8 and not found[picture == 65535].any()


@pytest.mark.parametrize("shape", [(480, 300), (300, 480), (131, 97)])
@pytest.mark.parametrize("shares", [(1.0,), (0.2,), (0.15, 0.3)])
def test_the_mass_is_located_and_the_label_ignored(shape, shares):
    picture = drawn(*shape)
    found = segment(bright, picture, shares) > 0.5
    mass = picture == 60000
    dice = 2 * np.count_nonzero(found & mass) / (np.count_nonzero(found) + np.count_nonzero(mass))
    assert dice > (0.9 if max(shares) < 0.5 else 0.6)  # at a share of 1 the mass is three pixels wide
    assert not found[picture == 65535].any()


@pytest.mark.parametrize("size", [SIDE, (64, 32), (32, 64)])
def test_the_network_gets_the_image_that_prepare_stores(size):
    picture = drawn()
    seen = []

    def network(tile):
        tf.py_function(lambda tile: seen.append(tile.numpy()), [tile], [])
        return tile

    segment(network, picture, size=size)
    cells = breast.region(picture)
    blanked = np.where(breast.pixels(cells, picture.shape), picture, 0)
    place = crop.frame_around(breast.box(cells, picture.shape), size)
    expected = crop.resize_image(crop.cut(blanked, place), size) / 65535
    assert len(seen) == 1 and seen[0].shape == (1, *crop.sides(size), 1)
    sent, shifts = seen[0][0, :, :, 0], ((0, 0), (1, 0), (0, 1))
    errors = [np.abs(np.roll(sent, shift, (0, 1)) - expected).mean() for shift in shifts]
    assert errors[0] < 0.008 and 4 * errors[0] < min(errors[1:])  # a triangle, no area average; but no shift


def test_tiles_cover_a_fixed_share_of_the_breast_at_any_resolution():
    counts = []

    def network(tile):
        tf.py_function(lambda count: counts.append(int(count)), [tf.shape(tile)[0]], [])
        return tile

    totals = []
    for factor in (1, 2):
        counts.clear()
        segment(network, drawn(480 * factor, 300 * factor), (0.1,), blank=False)
        totals.append(sum(counts))
    across = tiles.length(0.1, SIDE) * tiles.STEPS // SIDE - tiles.STEPS + 1
    assert totals[0] == pytest.approx(totals[1], rel=0.02) and max(totals) < across**2


def test_several_scales_are_averaged():
    picture = drawn()
    alone = [segment(bright, picture, (share,)) for share in (0.2, 0.4)]
    both = segment(bright, picture, (0.2, 0.4))
    assert np.abs(both - (alone[0] + alone[1]) / 2).mean() < 0.01


def test_a_breast_that_fills_its_film_reaches_the_edges():
    picture = np.random.default_rng(0).integers(20000, 40000, (60, 100)).astype(np.uint16)
    np.testing.assert_allclose(segment(tf.ones_like, picture), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (70, 3)])
def test_very_small_images_are_supported(shape):
    assert segment(tf.ones_like, np.zeros(shape, np.uint16), (0.3,)).shape == shape


def test_tile_sizes_and_threshold_follow_the_training():
    assert film.tile_shares("film", 1.6) == (1.0,) and film.film_threshold("film", 0.4) == 0.4
    narrow, wide = film.tile_shares("roi", 1.2), film.tile_shares("roi", 2.4)
    assert wide == pytest.approx([2 * share for share in narrow], abs=1e-3) and len(narrow) == 2
    assert film.tile_shares("roi", 50) == (1.0, 1.0)
    assert film.film_threshold("roi", 0.5) == film.CROP_THRESHOLD and film.film_threshold("roi", 0.95) == 0.95


def test_calibration_does_not_change_the_marked_pixels_of_a_film():
    plain = film.film_threshold("roi", 0.5)
    calibrated = film.film_threshold("roi", 0.5, 1.4)
    assert np.log(calibrated / (1 - calibrated)) * 1.4 == pytest.approx(np.log(plain / (1 - plain)))
    assert film.film_threshold("film", 0.5, 1.4) == 0.5
