"""Every network on images that are not square."""

import keras
import numpy as np
import pytest
from model_contract import main_output

import tfrespam
from tfrespam.models import BUILDERS

NETWORKS = [name for name, build in BUILDERS.items() if build.__module__.startswith("tfrespam.")]  # not of other tests


@pytest.mark.parametrize("name", NETWORKS)
def test_the_probability_has_the_size_of_an_oblong_image(name):
    keras.utils.set_random_seed(0)
    model = tfrespam.build_model(name, (64, 32, 1), 1 / 16)
    images = np.random.default_rng(0).random((2, 64, 32, 1), np.float32)
    probability = np.asarray(main_output(model, images))
    assert probability.shape == (2, 64, 32, 1)
    assert np.isfinite(probability).all() and probability.min() >= 0 and probability.max() <= 1
