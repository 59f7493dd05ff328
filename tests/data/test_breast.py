import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrespam.data.geometry import breast, crop
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient


def phantom_film(index, view):
    rng = np.random.default_rng([0, index])
    patient = draw_patient(index, rng)
    return draw_film(patient.breasts[0], patient.density, view, rng)


@pytest.mark.parametrize(("index", "view"), [(0, "MLO"), (3, "CC")])
def test_breast_box_contains_the_masses(index, view):
    film, masses = phantom_film(index, view)
    y0, x0, y1, x1 = breast.box(breast.region(film), film.shape)
    for mass in masses:
        top, left, bottom, right = crop.bounding_box(mass)
        assert top >= y0 and left >= x0 and bottom <= y1 and right <= x1
    share = (y1 - y0) * (x1 - x0) / film.size
    assert 0.1 < share < 0.95


@pytest.mark.parametrize("side", ["left", "right"])
def test_breast_box_of_a_known_shape(side):
    film = np.full((1600, 1200), 900, np.uint16)  # fog of the film
    centre = 0 if side == "left" else 1199
    cv2.ellipse(film, (centre, 800), (700, 600), 0, 0, 360, 30000, -1)
    expected = crop.bounding_box(film > 20000)
    label = film.copy()
    cv2.rectangle(label, (1000 - centre * 9 // 10, 60), (1100 - centre * 9 // 10, 160), 60000, -1)
    for picture in (film, label):
        found = breast.box(breast.region(picture), picture.shape)
        np.testing.assert_allclose(found, expected, atol=45)  # a cell has 12.5 pixels


@pytest.mark.parametrize(("index", "view"), [(0, "MLO"), (3, "CC")])
def test_region_contains_the_masses_but_not_the_label(index, view):
    film, masses = phantom_film(index, view)
    inside = breast.pixels(breast.region(film), film.shape)
    assert all(inside[mass].all() for mass in masses)
    outside = film[~inside]
    assert outside.size > 0.1 * film.size and outside.max() > 30000  # where the label is


def test_cells_are_independent_of_the_resolution():
    film, _ = phantom_film(1, "CC")
    half = cv2.resize(film, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    first, second = breast.region(film), breast.region(half)
    assert first.shape == second.shape and max(first.shape) == breast.CELLS
    assert np.mean(first != second) < 0.01


def test_a_blank_film_is_all_breast():
    blank = np.zeros((160, 240), np.uint16)
    assert breast.region(blank).all() and breast.box(breast.region(blank), blank.shape) == (0, 0, 160, 240)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_box_is_the_tightest_around_the_cells(height, width, data):
    rows, columns = breast.grid((height, width))
    assert max(rows, columns) == breast.CELLS
    assert rows * width == pytest.approx(columns * height, abs=max(height, width))
    cells = np.zeros((rows, columns), bool)
    cells[data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))] = True
    y0, x0, y1, x1 = breast.box(cells, (height, width))
    assert 0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width
    pixels = breast.pixels(cells, (height, width))
    assert pixels.shape == (height, width)
    if pixels.any():
        top, left, bottom, right = crop.bounding_box(pixels)
        assert abs(np.array([top - y0, left - x0, y1 - bottom, x1 - right])).max() <= 1
