"""Comparison of runtimes: networks with max-unpooling are not continuous."""

import numpy as np
import pytest

import tfrespam as tr
from tfrespam.serving.graph.parity import largest_difference, random_images


@pytest.fixture(scope="module", params=["unet", "segnet", "connected_segnets"])
def network(request):
    return request.param, tr.build_model(request.param, (32, 32, 1), width=0.03125)


def answers(model):
    images = random_images(model, (32, 48))
    assert images.shape[1:] == (32, 48, 1) and images.min() >= 0 and images.max() <= 1
    return np.full(images.shape, 0.5, np.float32)


def test_one_image_may_differ_if_the_network_unpools(network):
    """As in a training whose network was not exported: 2 % of the pixels of one image of 16 differed by 0.03."""
    name, model = network
    first, second = answers(model), answers(model)
    second[0, :4, :4] += 0.03
    assert largest_difference(model, first, second) == pytest.approx(0.03 if name == "unet" else 0, abs=1e-6)


def test_a_wrong_graph_differs_on_every_image(network):
    first, second = answers(network[1]), answers(network[1])
    second[:, 3, 3] += 0.03
    assert largest_difference(network[1], first, second) == pytest.approx(0.03, abs=1e-6)
    second[:, 0, 0] = np.nan
    assert np.isnan(largest_difference(network[1], first, second))
