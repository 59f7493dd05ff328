
import numpy as np

from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import PhantomBreast, PhantomMass

MASS = PhantomMass(1, "OVAL", "CIRCUMSCRIBED", 4, "BENIGN", 5, length=60.0, aspect=0.7, depth=0.5)


def rng():
    return np.random.default_rng(7)


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
