import dataclasses

import cv2
import numpy as np
import pytest

from tfrespam.data.phantom_anatomy import draw_anatomy
from tfrespam.data.phantom_film import draw_film
from tfrespam.data.phantom_lesions import ANGLES, add_masses, outline
from tfrespam.data.phantom_patient import PhantomBreast, PhantomMass

MASS = PhantomMass(1, "OVAL", "CIRCUMSCRIBED", 4, "BENIGN", 5, length=60.0, aspect=0.7, depth=0.5)


def rng():
    return np.random.default_rng(7)


def anatomy(view="CC"):
    return draw_anatomy((800, 500), view, 0.7, 2, rng())


def box_sides(radius):
    return np.ptp(radius * np.cos(ANGLES)), np.ptp(radius * np.sin(ANGLES))


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_breast_hangs_from_the_chest_wall_on_black(view):
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


@pytest.mark.parametrize("shape", ["ROUND", "OVAL", "LOBULATED", "IRREGULAR"])
def test_outline_has_longest_box_side_one(shape):
    radius, spicules = outline(dataclasses.replace(MASS, shape=shape), rng())
    assert max(box_sides(radius)) == pytest.approx(1, abs=1e-6)
    assert radius.min() > 0.03
    assert len(spicules) == 0


def test_round_outline_is_rounder_than_oval():
    def roundness(shape, aspect):
        radius, _ = outline(dataclasses.replace(MASS, shape=shape, aspect=aspect), rng())
        return radius.min() / radius.max()

    assert roundness("ROUND", 0.95) > 0.9
    assert roundness("OVAL", 0.5) == pytest.approx(0.5, abs=0.01)


def test_spicules_start_at_the_boundary_and_leave_it():
    mass = dataclasses.replace(MASS, shape="IRREGULAR", margins="SPICULATED")
    radius, spicules = outline(mass, rng())
    assert len(spicules) >= 9
    boundary = np.interp(spicules[:, 0], ANGLES, radius, period=2 * np.pi)
    assert (spicules[:, 1] < boundary).all()
    assert (spicules[:, 2] > boundary).all()


def test_mask_lies_in_the_breast_where_the_brightness_rose():
    breast = anatomy()
    brightness, (mask,) = add_masses(breast, (MASS,), rng())
    added = brightness - breast.brightness
    assert breast.depth[mask].min() > 0
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    assert 52 <= max(width, height) <= 68
    visible = added > added.max() / 3  # the edge's half height, below a dome
    assert 2 * (visible & mask).sum() / (visible.sum() + mask.sum()) > 0.95


def test_obvious_masses_are_brighter_than_subtle_ones():
    breast, peaks = anatomy(), []
    for subtlety in (1, 2, 3, 4, 5):
        brightness, _ = add_masses(breast, (dataclasses.replace(MASS, subtlety=subtlety),), rng())
        peaks.append((brightness - breast.brightness).max())
    assert peaks == sorted(peaks)
    assert peaks[4] > 2 * peaks[0]


def test_several_masses_lie_apart():
    masses = tuple(dataclasses.replace(MASS, number=number) for number in (1, 2, 3))
    _, masks = add_masses(anatomy(), masses, rng())
    assert np.sum(masks, axis=0).max() == 1


def test_a_right_breast_mirrors_a_left_one():
    left, right = (draw_film(PhantomBreast(side, 0.7, (MASS,)), 2, "CC", rng()) for side in ("LEFT", "RIGHT"))
    assert (left[1][0] == right[1][0][:, ::-1]).all()
    assert left[0][300:500, 10:60].mean() > 5 * left[0][300:500, -60:-10].mean()
    assert right[0][300:500, -60:-10].mean() > 5 * right[0][300:500, 10:60].mean()


def test_film_is_16_bit_and_uses_the_range():
    film, masks = draw_film(PhantomBreast("LEFT", 0.7, (MASS,)), 2, "MLO", rng())
    assert film.dtype == np.uint16
    assert film.shape == masks[0].shape
    assert film.shape[0] == 800
    assert 450 <= film.shape[1] <= 600
    assert len(np.unique(film)) > 5000
    assert film.max() > 30000
