"""Prior-knowledge stand-in: sum of the log-odds of regions and of pixels."""

import inspect

import numpy as np
from model_contract import channel_trace, check_model, design, disk_images, main_output, tiny, trainable_parameters

from tfrespam.models import BUILDERS


def logit(probability):
    probability = np.array(probability, "float64")
    return np.log(probability / (1 - probability))


def set_weights_to_zero(model, name):
    model.get_layer(name).kernel.assign(np.zeros(model.get_layer(name).kernel.shape))


def test_channel_trace():
    model = design("prior_knowledge_net")
    prior = [f"prior{channels}_relu" for channels in (32, 64, 128, 256)]
    assert channel_trace(model, prior) == [(224, 32), (112, 64), (56, 128), (28, 256)]
    assert channel_trace(model, ["prior_regions", "prior", "evidence", "logits"]) == [
        (14, 1), (224, 1), (224, 1), (224, 1)]  # fmt: skip


def test_parameters_with_three_input_channels():
    """U-Net's 31,037,633 plus those of the prior."""
    widths = [3, 32, 64, 128, 256]
    prior = sum(9 * a * b + 2 * b for a, b in zip(widths, widths[1:], strict=False)) + 257
    assert trainable_parameters(design("prior_knowledge_net")) == 31_037_633 + prior == 31_426_786


def test_documentation_calls_the_network_a_stand_in():
    builder = BUILDERS["prior_knowledge_net"]
    assert "stand-in" in inspect.getdoc(builder) and "A STAND-IN" in inspect.getmodule(builder).__doc__


def test_prior_and_evidence_are_added_as_log_odds():
    images = disk_images()[0]
    model = tiny("prior_knowledge_net")
    both = model(images)
    prior = np.array(both["mask1"])
    set_weights_to_zero(model, "prior_regions")
    alone = model(images)
    np.testing.assert_allclose(alone["mask1"], 0.5)
    np.testing.assert_allclose(logit(both["probability"]), logit(prior) + logit(alone["probability"]), atol=1e-4)


def test_a_certain_prior_overrules_the_evidence():
    model = tiny("prior_knowledge_net")
    for sure, expected in ((-60.0, 0.0), (60.0, 1.0)):
        model.get_layer("prior_regions").bias.assign([sure])
        np.testing.assert_allclose(model(disk_images()[0])["probability"], expected, atol=1e-9)


def test_without_evidence_the_output_is_the_prior():
    model = tiny("prior_knowledge_net")
    set_weights_to_zero(model, "evidence")
    output = model(disk_images()[0])
    np.testing.assert_array_equal(output["probability"], output["mask1"])


def test_the_prior_is_an_optional_output():
    images = disk_images()[0]
    np.testing.assert_array_equal(main_output(tiny("prior_knowledge_net", side_outputs=False), images),
                                  main_output(tiny("prior_knowledge_net"), images))  # fmt: skip


def test_contract(tmp_path):
    check_model("prior_knowledge_net", tmp_path)
