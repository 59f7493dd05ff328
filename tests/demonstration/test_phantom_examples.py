import numpy as np

from tfrespam.studies.demonstration.phantom_examples import examples


def test_examples_show_a_mass_and_a_film():
    crop, film = examples().values()
    assert crop.pixels.shape[0] == crop.pixels.shape[1] < film.pixels.shape[0] == 800
    np.testing.assert_array_equal(examples()["Example: crop"].pixels, crop.pixels)
