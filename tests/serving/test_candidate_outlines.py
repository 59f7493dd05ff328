from types import SimpleNamespace

import numpy as np
import pytest

from tfrespam.serving.inference.candidate_outlines import Outliner, context_of, core


@pytest.mark.parametrize(("metadata", "context"), [
    ({}, 1.6), ({"data": {"context": 2.0}}, 2.0), ({"augment": {"context_range": [1.0, 2.0]}}, 1.2),
    ({"augment": {"context_range": [1.4, 2.0]}}, 1.4), ({"augment": {"context_range": [1.0, 1.1]}}, 1.1),
])  # fmt: skip
def test_context_is_that_of_the_training(metadata, context):
    assert context_of(metadata) == context


def test_core_contains_likely_mass_pixels_or_else_the_whole_candidate():
    own, probability = np.array([[True, True, False]]), np.array([[0.9, 0.1, 0.9]])
    np.testing.assert_array_equal(core(probability, own), [[True, False, False]])
    np.testing.assert_array_equal(core(probability / 9, own), own)


def outlined(answer, probability, labels):
    network = SimpleNamespace(metadata={"image_size": 32, "data": {"context": 2.0}},
                              predict_images=lambda crops: answer * (crops > 0.5))  # fmt: skip
    film = np.zeros(labels.shape, np.uint8)
    film[16:32, 20:36] = 255  # the mass; the film network sees its middle alone
    return Outliner(network).outline(film, probability, labels)


@pytest.fixture
def found():
    labels, probability = np.zeros((64, 60), np.int32), np.zeros((64, 60), np.float32)
    labels[20:28, 24:32], probability[20:28, 24:32] = 1, 0.6
    return probability, labels


def test_outline_is_where_the_mean_of_both_networks_is_high(found):
    labels, both = outlined(1.0, *found)
    assert labels[24, 28] == 1 and set(np.unique(labels)) == {0, 1}
    np.testing.assert_allclose(both[24, 28], 0.8, atol=1e-3)
    inside = np.zeros(labels.shape, bool)
    inside[16:32, 20:36] = True
    assert (labels > 0)[~inside].mean() < 0.02


def test_a_candidate_whose_outline_is_empty_keeps_its_pixels(found):
    labels, _ = outlined(0.0, *found)
    np.testing.assert_array_equal(labels, found[1])
