import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.data.geometry import breast as in_python
from tfrespam.data.geometry import graph_breast as breast
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient

REGION = tf.function(breast.region, input_signature=[tf.TensorSpec([None, None, 1])])
COMPONENTS = tf.function(breast._components, input_signature=[tf.TensorSpec([None, None])])


def in_graph(film: np.ndarray) -> np.ndarray:
    return REGION(tf.constant(film[..., None].astype(np.float32) / np.float32(65535))).numpy()


@pytest.mark.parametrize(("index", "view"), [(0, "MLO"), (1, "CC"), (2, "MLO")])
def test_region_matches_the_numpy_implementation(index, view):
    rng = np.random.default_rng([0, index])
    patient = draw_patient(index, rng)
    film, _ = draw_film(patient.breasts[0], patient.density, view, rng)
    for picture in (film, cv2.resize(film, (555, 777), interpolation=cv2.INTER_AREA)):
        expected, found = in_python.region(picture), in_graph(picture)
        assert expected.shape == found.shape and 0.1 < expected.mean() < 0.9
        assert np.count_nonzero(expected & found) / np.count_nonzero(expected | found) > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (300, 2), (64, 64)])
def test_a_blank_film_of_any_shape_is_all_breast(shape):
    found = in_graph(np.zeros(shape, np.uint16))
    assert found.all() and found.shape == in_python.grid(shape)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
@settings(max_examples=30)
def test_components_match_opencv(seed, density):
    bright = (np.random.default_rng(seed).random((23, 31)) < density).astype(np.uint8)
    count, expected = cv2.connectedComponents(bright)
    labels = COMPONENTS(tf.constant(bright, tf.float32)).numpy()
    assert len(np.unique(labels[bright > 0])) == count - 1 and not labels[bright == 0].any()
    assert len({*zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True)}) == len(np.unique(labels))


def test_a_spiral_is_one_component():
    """A spiral one cell wide is the longest path along which a label must spread."""
    spiral = np.zeros((21, 21), np.float32)
    y, x, step, turns = 0, 0, (0, 1), 0
    spiral[0, 0] = 1
    while turns < 2:
        ahead, beyond = (y + step[0], x + step[1]), (y + 2 * step[0], x + 2 * step[1])
        free = all(0 <= place < 21 for place in ahead) and not spiral[ahead]
        if free and not (all(0 <= place < 21 for place in beyond) and spiral[beyond]):
            (y, x), turns = ahead, 0
            spiral[y, x] = 1
        else:
            step, turns = (step[1], -step[0]), turns + 1
    labels = COMPONENTS(tf.constant(spiral)).numpy()
    assert spiral.sum() > 200 and len(np.unique(labels)) == 2


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_otsu_threshold_matches_opencv(seed):
    rng = np.random.default_rng(seed)
    two_kinds = np.concatenate([rng.normal(30, 9, 300), rng.normal(150, 30, 100 + seed % 500)])
    grey = np.clip(two_kinds, 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(grey[None], 0, 255, cv2.THRESH_OTSU)
    assert breast._otsu(tf.constant(grey, tf.int32)).numpy() == level


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_boxes_and_pixels_match_the_numpy_implementation(height, width, seed):
    cells = np.random.default_rng(seed).random(in_python.grid((height, width))) < 0.001
    cells[0, 0] |= not cells.any()
    size = tf.constant([height, width])
    assert tuple(breast.box(tf.constant(cells), size).numpy()) == in_python.box(cells, (height, width))
    expected = in_python.pixels(cells, (height, width))
    np.testing.assert_array_equal(breast.pixels(tf.constant(cells), size)[..., 0], expected)
