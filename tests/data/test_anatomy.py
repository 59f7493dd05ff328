import cv2
import numpy as np
import pytest

from tfrespam.data.phantom.anatomy import draw_anatomy


def rng():
    return np.random.default_rng(7)


def anatomy(view="CC"):
    return draw_anatomy((800, 500), view, 0.7, 2, rng())


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_breast_touches_the_chest_wall_on_a_dark_background(view):
    breast = anatomy(view)
    inside = breast.depth > 0
    assert 0.2 < inside.mean() < 0.75
    assert inside[:, 0].mean() > 0.5
    assert not inside[:, -1].any()
    assert breast.brightness[~inside].max() == 0
    assert breast.brightness[breast.depth > 40].min() > 0.1
    y, x = breast.nipple
    assert breast.depth[round(y), round(x) - 20] > 0
    assert cv2.connectedComponents(inside.astype(np.uint8))[0] == 2


def test_only_mlo_shows_the_pectoral_muscle():
    assert anatomy("CC").pectoral.max() == 0
    muscle = anatomy("MLO").pectoral
    assert muscle[20, 20] > 0.9
    assert muscle[-20:].max() == 0


def test_denser_breasts_have_more_gland():
    share = [draw_anatomy((800, 500), "CC", 0.7, density, rng()).gland.mean() for density in (1, 2, 3, 4)]
    assert share == sorted(share)
    assert share[3] > 2 * share[0]


def test_the_same_seed_draws_the_same_breast_and_size_is_respected():
    small, again, large = (draw_anatomy((320, 256), "CC", size, 2, rng()) for size in (0.0, 0.0, 1.0))
    np.testing.assert_array_equal(small.brightness, again.brightness)
    assert (large.depth > 0).sum() > 1.3 * (small.depth > 0).sum()
