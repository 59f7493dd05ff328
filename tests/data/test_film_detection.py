import numpy as np
import pytest

from tfrespam.data.geometry import crop, film_detection
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient


@pytest.fixture(scope="module")
def phantom():
    rng = np.random.default_rng([0, 0])
    patient = draw_patient(0, rng)
    return draw_film(patient.breasts[0], patient.density, "MLO", rng)


def test_films_are_recognised_and_crops_around_masses_are_not(phantom):
    film, masses = phantom
    assert film_detection.looks_like_film(film)
    for depth in ((film >> 8).astype(np.uint8), film >> 4):
        assert film_detection.looks_like_film(depth)
    for number, mass in enumerate(masses):
        piece = crop.cut(film, crop.roi_box(mass, str(number), 1.6))
        assert not film_detection.looks_like_film(crop.resize_image(piece, 2 * film_detection.FILM_SIDE))


def test_small_images_are_not_films():
    dark = np.zeros((film_detection.FILM_SIDE, 40), np.uint8)
    dark[:50] = 200
    assert film_detection.looks_like_film(dark) and not film_detection.looks_like_film(dark[1:])


def test_a_constant_image_is_not_a_film():
    assert not film_detection.looks_like_film(np.zeros((600, 600), np.uint16))


def test_a_film_and_its_negative_are_distinguished(phantom):
    film, masses = phantom
    for pixels in (film, (film >> 8).astype(np.uint8), film >> 4):
        assert film_detection.negative(pixels) == "no"
        assert film_detection.negative(film_detection.inverted(pixels)) == "yes"
    for number, mass in enumerate(masses):
        piece = crop.cut(film, crop.roi_box(mass, str(number), 1.6))
        assert film_detection.negative(crop.resize_image(piece, 2 * film_detection.FILM_SIDE)) == "no"


def test_bright_background_away_from_the_edges_is_perhaps_inverted():
    pixels = np.full((600, 600), 90, np.uint8)
    pixels[:, 200:400] = 255
    assert film_detection.negative(pixels) == "perhaps"
    assert film_detection.negative(pixels[:500, :500]) == "no"


def test_inverting_makes_the_brightest_grey_black():
    """A negative's background is black then, also if no tissue was black in it."""
    pixels = np.random.default_rng(0).integers(300, 9000, (8, 9)).astype(np.uint16)
    turned = film_detection.inverted(pixels)
    assert turned.dtype == np.uint16 and (turned.min(), turned.max()) == (0, np.ptp(pixels))
    np.testing.assert_array_equal(film_detection.inverted(turned), pixels - pixels.min())
    assert (np.diff(turned.ravel()[np.argsort(pixels.ravel())].astype(int)) <= 0).all()
