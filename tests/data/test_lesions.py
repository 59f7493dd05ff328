import dataclasses

import cv2
import numpy as np
import pytest

from tfrespam.data.phantom.anatomy import draw_anatomy
from tfrespam.data.phantom.lesions import ANGLES, add_masses, outline
from tfrespam.data.phantom.patient import PhantomMass

MASS = PhantomMass(1, "OVAL", "CIRCUMSCRIBED", 4, "BENIGN", 5, length=60.0, aspect=0.7, depth=0.5)


def rng():
    return np.random.default_rng(7)


def anatomy(view="CC"):
    return draw_anatomy((800, 500), view, 0.7, 2, rng())


def box_sides(radius):
    return np.ptp(radius * np.cos(ANGLES)), np.ptp(radius * np.sin(ANGLES))


@pytest.mark.parametrize("shape", ["ROUND", "OVAL", "LOBULATED", "IRREGULAR"])
def test_longest_side_of_the_outline_is_one(shape):
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


def test_spicules_start_at_the_boundary_and_point_outwards():
    mass = dataclasses.replace(MASS, shape="IRREGULAR", margins="SPICULATED")
    radius, spicules = outline(mass, rng())
    assert len(spicules) >= 9
    boundary = np.interp(spicules[:, 0], ANGLES, radius, period=2 * np.pi)
    assert (spicules[:, 1] < boundary).all()
    assert (spicules[:, 2] > boundary).all()


def test_mask_is_in_the_breast_and_covers_the_added_brightness():
    breast = anatomy()
    brightness, (mask,) = add_masses(breast, (MASS,), rng())
    added = brightness - breast.brightness
    assert breast.depth[mask].min() > 0
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    assert 52 <= max(width, height) <= 68
    visible = added > added.max() / 3  # half the height of the edge, below a dome
    assert 2 * (visible & mask).sum() / (visible.sum() + mask.sum()) > 0.95


def test_obvious_masses_are_brighter_than_subtle_ones():
    breast, peaks = anatomy(), []
    for subtlety in (1, 2, 3, 4, 5):
        brightness, _ = add_masses(breast, (dataclasses.replace(MASS, subtlety=subtlety),), rng())
        peaks.append((brightness - breast.brightness).max())
    assert peaks == sorted(peaks)
    assert peaks[4] > 2 * peaks[0]


def test_masses_do_not_overlap():
    masses = tuple(dataclasses.replace(MASS, number=number) for number in (1, 2, 3))
    _, masks = add_masses(anatomy(), masses, rng())
    assert np.sum(masks, axis=0).max() == 1
