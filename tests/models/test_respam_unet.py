"""ResPAM U-Net: channel counts of figure 3, parameter counts, options."""

import keras
import numpy as np
import pytest
from model_contract import channel_trace, check_model, design, disk_images, tiny, trainable_parameters

import tfrespam
from tfrespam.models.blocks import without_sides

# options -> exact number of trainable parameters at width 1 with three input channels
COUNTS = [
    ({}, 104_740_857),
    ({"reduction": 2}, 109_616_777),
    ({"expansion": 8}, 61_909_753),
    ({"fusion": "concat"}, 43_264_897),
    ({"fusion": "add_and_restore"}, 46_054_017),
    ({"fusion": "concat", "attention": "none", "modules": (3, 4, 6, 3)}, 43_932_801),  # ResNet-50
]


@pytest.fixture(scope="module")
def full():
    return design("respam_unet", 1)


def test_channel_counts_of_figure_3(full):
    encoder = ["stem_relu", "stage1", "stage2", "stage3", "stage4"]
    assert channel_trace(full, encoder) == [(112, 64), (56, 256), (28, 512), (14, 1024), (7, 2048)]
    joined = [f"decoder{channels}_concat" for channels in (512, 256, 128, 64)]
    assert channel_trace(full, joined) == [(14, 1024 + 2048), (28, 512 + 512), (56, 256 + 256), (112, 64 + 128)]
    decoder = ["decoder512_2_relu", "decoder256_2_relu", "decoder128_2_relu", "decoder64_2_relu", "head_2_relu"]
    assert channel_trace(full, decoder) == [(14, 512), (28, 256), (56, 128), (112, 64), (224, 64)]
    assert full.output_shape == (None, 224, 224, 1)


def test_residual_modules_have_twice_the_channels_of_their_stage(full):
    for stage, channels in enumerate((256, 512, 1024, 2048), 1):
        modules = full.get_layer(f"stage{stage}").residuals
        assert [(m.filters, m.inner_filters) for m in modules] == [(2 * channels, channels // 2)] * 3
        assert [m.strides for m in modules] == [1 if stage == 1 else 2, 1, 1]


def test_parameters_with_one_input_channel(full):
    assert trainable_parameters(full) == 104_740_857 - 2 * 7 * 7 * 64 == 104_734_585


@pytest.mark.parametrize(("options", "count"), COUNTS, ids=str)
def test_parameters_with_three_input_channels(options, count):
    assert trainable_parameters(design("respam_unet", **options)) == count


def test_contract(tmp_path):
    check_model("respam_unet", tmp_path)


@pytest.mark.parametrize("options", [
    {"fusion": "concat"}, {"fusion": "add_and_restore", "fusion_weights": "channel"}, {"attention": "none"},
    {"attention": "cbam"}, {"attention": "scse", "fusion": "concat"}, {"attention": "se"}, {"placement": "module"},
    {"modules": (3, 4, 6, 3)}, {"downsampling": "max_pool"}, {"downsampling": "projection"},
    {"stem": "full_resolution"}, {"decoder": "transposed"}, {"decoder": "bilinear_batch_normalization"},
    {"batch_normalization": False}, {"shared_crc": False, "crc_bias": False, "reduction": 4},
    {"spatial_bias": True, "spatial_batch_normalization": True, "projection_batch_normalization": True,
     "projection_activation": "relu"}], ids=str)  # fmt: skip
def test_every_option_builds_and_differs_from_the_default(options, full):
    model = design("respam_unet", 1, **options)
    assert model.output_shape == full.output_shape
    assert _design(model) != _design(full)


def _design(model):
    return [(layer.__class__, {**layer.get_config(), "name": ""}) for layer in model.layers]


def test_full_resolution_stem_keeps_the_top_skip_at_full_size():
    model = tiny("respam_unet", stem="full_resolution")
    names = ["stem_2_relu", "stage1", "stage2", "stage3", "stage4", "decoder64_2_relu"]
    assert [side for side, _ in channel_trace(model, names)] == [32, 16, 8, 4, 2, 32]
    assert tfrespam.build_model("respam_unet", (48, 48, 1), 1 / 32, stem="full_resolution").output_shape[1] == 48


def test_network_can_overfit_one_image():
    model = tiny("respam_unet")
    images, masks = disk_images(1)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy")
    model.optimizer.build(model.trainable_variables)  # otherwise Keras traces the step twice
    losses = [model.train_on_batch(images, masks) for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


def test_standardised_network_ignores_brightness_and_contrast():
    model = tiny("respam_unet", normalization="standardize")
    images = disk_images(1)[0]
    np.testing.assert_allclose(model(0.5 * images + 0.2), model(images), atol=1e-3)


@pytest.mark.parametrize(("options", "message"), [
    ({"stem": "wide"}, "`stem` must be one of"), ({"decoder": "nearest"}, "`decoder` must be one of"),
    ({"modules": (3, 3)}, "`modules` must hold four numbers"), ({"attention": "eca"}, "`attention` must be one of"),
    ({"fusion": "mul"}, "`fusion` must be one of")])  # fmt: skip
def test_unknown_values_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        tiny("respam_unet", **options)


@pytest.mark.parametrize(("stem", "levels"), [("strided", (512, 256, 128, 64)), ("full_resolution", (512, 256, 128))])
def test_auxiliary_outputs_are_the_lower_levels_of_the_decoder(stem, levels):
    model = design("respam_unet", side_outputs=True, stem=stem)
    assert model.output_names == [*(f"mask{index}" for index in range(1, len(levels) + 1)), "probability"]
    assert all(output.shape == (None, 224, 224, 1) and output.dtype == "float32" for output in model.outputs)
    for index, channels in enumerate(levels, 1):
        assert model.get_layer(f"mask{index}_conv").input is model.get_layer(f"decoder{channels}_2_relu").output


def test_auxiliary_outputs_do_not_change_the_main_output():
    images = disk_images()[0]
    with_sides, without = (tiny("respam_unet", side_outputs=sides) for sides in (True, False))
    alone = without_sides(with_sides)
    assert [weight.shape for weight in alone.weights] == [weight.shape for weight in without.weights]
    np.testing.assert_array_equal(alone(images), with_sides(images)["probability"])
