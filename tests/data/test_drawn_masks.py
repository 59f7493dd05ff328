import cv2
import numpy as np
import pytest

from tfrespam.data.readers.drawn_masks import ellipse, polygon, read_drawn
from tfrespam.data.readers.records import Action, Film, Lesion


def test_an_ellipse_contains_the_pixels_whose_centres_lie_inside():
    found = ellipse((2, 3), (1, 2), (7, 5))
    assert {(y, x) for y, x in zip(*np.nonzero(found), strict=True)} == {
        (1, 2), (2, 2), (3, 1), (3, 2), (3, 3), (4, 2), (5, 2)}  # fmt: skip
    np.testing.assert_array_equal(ellipse((2, 3), (2, 1), (7, 5), np.pi / 2), found)
    assert not ellipse((2, 3), (0, 2), (7, 5)).any() and not ellipse((-9, 3), (2, 2), (7, 5)).any()


def test_a_polygon_contains_its_interior_and_outline():
    found = polygon([(1, 1), (4, 1), (4, 3), (1, 3)], (6, 6))
    expected = np.zeros((6, 6), bool)
    expected[1:4, 1:5] = True
    np.testing.assert_array_equal(found, expected)
    assert not polygon([(1, 1), (4, 4)], (6, 6)).any()


@pytest.fixture
def film(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.arange(64, dtype=np.uint8).reshape(8, 8))
    return Film("a", (Lesion("a_1", "a", "p", "train", "s"), Lesion("a_2", "a", "p", "train", "s")), None)


def test_film_is_read_with_the_masks_that_can_be_used(film, tmp_path):
    mask = polygon([(1, 1), (4, 1), (4, 3)], (8, 8))
    pixels = read_drawn(film, str(tmp_path), "a.png", "list.csv", lambda size: [(mask, "polygon"), (None, "beyond")])
    assert pixels.image.shape == (8, 8) and pixels.image.dtype == np.uint16
    assert [lesion.lesion_id for lesion, _ in pixels.masks] == ["a_1"]
    np.testing.assert_array_equal(pixels.masks[0][1], mask)
    assert [row.action for row in pixels.ledger] == [Action.USED, Action.SKIPPED_AMBIGUOUS]


@pytest.mark.parametrize(("fill", "action"), [(False, Action.SKIPPED_EMPTY), (True, Action.SKIPPED_AMBIGUOUS)])
def test_film_without_a_usable_mask_has_no_image(film, tmp_path, fill, action):
    pixels = read_drawn(film, str(tmp_path), "a.png", "list.csv", lambda size: [(np.full(size, fill), "")] * 2)
    assert pixels.image is None and {row.action for row in pixels.ledger} == {action}


def test_an_unreadable_film_is_recorded_in_the_ledger(film, tmp_path):
    pixels = read_drawn(film, str(tmp_path), "missing.png", "list.csv", lambda size: [])
    assert {row.action for row in pixels.ledger} == {Action.SKIPPED_UNREADABLE} and len(pixels.ledger) == 2
