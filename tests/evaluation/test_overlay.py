import numpy as np

from tfrespam.evaluation.overlay import PREDICTION, draw_contour, grey_to_rgb


def test_greys_of_any_bit_depth_are_stretched_to_the_full_range():
    for dtype in (np.uint8, np.uint16):
        shown = grey_to_rgb(np.array([[10, 60], [30, 10]], dtype))
        assert shown.shape == (2, 2, 3) and shown.dtype == np.uint8
        np.testing.assert_array_equal(shown[..., 0], [[0, 255], [102, 0]])
    np.testing.assert_array_equal(grey_to_rgb(np.full((2, 2), 7, np.uint16)), 0)


def test_only_the_outline_of_a_copy_is_changed():
    image = np.zeros((40, 50, 3), np.uint8)
    mask = np.zeros((40, 50), bool)
    mask[10:20, 15:30] = True
    overlay = draw_contour(image, mask)
    coloured = (overlay == PREDICTION).all(axis=-1)
    inside = np.zeros_like(mask)
    inside[11:19, 16:29] = True
    np.testing.assert_array_equal(coloured, mask & ~inside)
    assert not overlay[~coloured].any() and not image.any()
