import keras
import numpy as np
import pytest

from tfrespam.layers import PAM, ResPAM
from tfrespam.training.tensorboard.attention_gates import figure, gated_layers, recorded


@pytest.fixture(scope="module")
def model():
    image = keras.Input((16, 16, 4))
    features = ResPAM(8, modules=2, placement="module", name="stage1")(image)
    features = PAM(name="pam")(features)
    return keras.Model(image, keras.layers.Conv2D(1, 1, name="plain")(features))


def test_gates_are_grouped_by_their_layer(model):
    gates = gated_layers(model)
    assert list(gates) == ["stage1", "pam"] and [len(parts) for parts in gates.values()] == [2, 2]
    assert gates["stage1"][0] is model.get_layer("stage1").attentions[-1].channel_gate


def test_recorded_gates_reproduce_the_output_of_pam(model):
    pam = model.get_layer("pam")
    pictures = np.random.default_rng(0).random((3, 16, 16, 4), np.float32)
    before = np.array(model(pictures))
    with recorded(gated_layers(model)["pam"]) as outputs:
        seen = np.array(model(pictures))
    np.testing.assert_array_equal(seen, before)
    channel, spatial = outputs[id(pam.channel_gate)], outputs[id(pam.spatial_gate)]
    assert channel.shape == (3, 1, 1, 4) and spatial.shape == (3, 16, 16, 1)
    into = keras.Model(model.input, pam.input)(pictures)
    features = np.array(pam.projection(into))
    np.testing.assert_allclose(channel * features + spatial * features, np.array(pam(into)), atol=1e-6)
    count = len(outputs)
    model(pictures[:1])
    assert len(outputs) == count and outputs[id(pam.channel_gate)] is channel  # recording has stopped


@pytest.mark.parametrize(("channel", "spatial"), [(True, True), (True, False), (False, True)])
def test_figure_shows_the_existing_gates(channel, spatial):
    values = np.random.default_rng(0)
    gates = (values.random((2, 1, 1, 600)) if channel else None, values.random((2, 4, 4, 1)) if spatial else None)
    picture = figure(values.random((2, 32, 32, 1)), ["easy", "hard"], *gates)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and picture.std() > 5
