import cv2
import numpy as np
import pytest

from tfrespam.data.geometry.plausibility import implausible
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient


def page(size: float) -> np.ndarray:
    white = np.full((900, 700), 255, np.uint8)
    for line in range(int(40 / size)):
        cv2.putText(white, "The quick brown fox jumps over the lazy dog", (20, int(20 + 44 * size * line)),
                    cv2.FONT_HERSHEY_SIMPLEX, size, 0, 1)  # fmt: skip
    return white


@pytest.mark.parametrize("pixels", [np.random.default_rng(0).integers(0, 255, (800, 600), dtype=np.uint8),
                                    np.random.default_rng(0).integers(0, 65535, (90, 90), dtype=np.uint16),
                                    page(0.5), 255 - page(0.5), page(1.0)])  # fmt: skip
def test_noise_and_text_are_implausible(pixels):
    assert "this is not a mammogram" in implausible(pixels, film=False)


def test_films_and_crops_are_plausible():
    rng = np.random.default_rng([0, 0])
    patient = draw_patient(0, rng)
    film, masses = draw_film(patient.breasts[0], patient.density, "MLO", rng)
    assert implausible(film, film=True) == ""
    y, x = map(int, np.argwhere(masses[0]).mean(axis=0))
    assert implausible(film[max(y - 60, 0) : y + 60, max(x - 60, 0) : x + 60], film=False) == ""


def test_very_small_images_are_not_checked():
    assert implausible(np.random.default_rng(0).integers(0, 255, (20, 20), dtype=np.uint8), film=False) == ""
