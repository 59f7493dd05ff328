import keras
from keras.src.backend.common import global_state
from model_contract import without_values

from tfrespam.models.efficientnet_lite import efficientnet_lite0


def network(width=1.0):
    with without_values():
        image = keras.Input((224, 224, 3))
        return keras.Model(image, efficientnet_lite0(image, width))


def test_feature_maps_have_the_published_strides_and_channels():
    assert [output.shape[1:] for output in network().outputs] == [
        (112, 112, 16), (56, 56, 24), (28, 28, 40), (14, 14, 112), (7, 7, 320)]  # fmt: skip


def test_blocks_are_those_of_the_published_network():
    names = {layer.name for layer in network().layers}
    assert {"stem", "stem_bn", "block0_depthwise", "block15_project"} <= names
    assert "block0_expand" not in names and "block16_project" not in names
    assert sum(name.endswith("_add") for name in names) == 9


def test_width_scales_every_channel_count():
    assert [output.shape[-1] for output in network(0.5).outputs] == [8, 12, 20, 56, 160]


def test_no_uninitialized_variables_are_left_after_building_a_network():
    network()
    assert not global_state.get_global_attribute("uninitialized_variables")
