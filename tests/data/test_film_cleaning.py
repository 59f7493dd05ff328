import cv2
import numpy as np
import pytest

from tfrespam.data.preparing.film_cleaning import clean, without_borders


def film(border: int = 0, label: bool = False, height: int = 400, width: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Return a film with a breast at the left edge, (H, W) uint16, and the mask of the breast."""
    breast = cv2.ellipse(np.zeros((height, width), np.uint8), (border, height // 2), (180, 150), 0, 0, 360, 1, -1) > 0
    image = np.where(breast, 30000, 900).astype(np.uint16)
    image += np.random.default_rng(0).integers(0, 500, image.shape).astype(np.uint16)
    if label:
        image[20:50, 220:280] = 65535
    if border:
        image[:border], image[-border:], image[:, :border], image[:, -border:] = (65535,) * 4
        breast[:border], breast[-border:], breast[:, :border], breast[:, -border:] = (False,) * 4
    return image, breast


@pytest.mark.parametrize("border", [0, 4, 12])
@pytest.mark.parametrize("label", [False, True])
def test_cleaning_keeps_only_the_breast(border, label):
    image, breast = film(border, label)
    cleaned = clean(image)
    assert cleaned.dtype == image.dtype and cleaned.shape == image.shape
    np.testing.assert_array_equal(cleaned[breast], image[breast])
    assert cleaned.max() < 32000 and (cleaned[~breast] > 2000).mean() == 0


def test_a_film_without_borders_is_unchanged():
    image, _ = film(label=True)
    assert without_borders(image) is image


def test_a_breast_that_fills_an_edge_is_not_removed_as_a_border():
    image = np.full((200, 100), 40000, np.uint16)
    image[:, 60:] = 500
    image[100, 30] = 65535  # a marker
    np.testing.assert_array_equal(without_borders(image), image)


def test_a_border_behind_a_dark_margin_is_removed():
    image, _ = film()
    image[:, -10:-5] = 65535
    assert not without_borders(image)[:, -10:].any()
