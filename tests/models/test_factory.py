"""Factory of networks: names, options, widths, sizes."""

import subprocess
import sys

import keras
import pytest
from model_contract import check_exported, check_output, check_training_step, design, tiny, trainable_parameters

import tfrespam
from tfrespam.models import BUILDERS, DISCRIMINATORS
from tfrespam.models.stored import in_float32

NETWORKS = [name for name, build in BUILDERS.items() if build.__module__.startswith("tfrespam.")]  # not of other tests


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"respam_unet, .*, unet, .*Received: name='resnet'"):
        tfrespam.build_model("resnet")


def test_an_unknown_option_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"Options of 'unet' are normalization, batch_norm.*. Received: depth"):
        tfrespam.build_model("unet", depth=3)


@pytest.mark.parametrize("width", [0, -1.0, float("nan")])
def test_a_width_that_is_not_positive_is_rejected(width):
    with pytest.raises(ValueError, match="`width` must be above 0"):
        tfrespam.build_model("unet", width=width)


@pytest.mark.parametrize("input_shape", [(224, 224), (224, 224, None), (224, 224, 0)])
def test_a_malformed_input_shape_is_rejected(input_shape):
    with pytest.raises(ValueError, match=r"must be \(height, width, channels\)"):
        tfrespam.build_model("unet", input_shape)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [0, 1, 100, 225])
def test_a_size_that_is_no_multiple_of_the_stride_is_rejected(name, side):
    with pytest.raises(ValueError, match=f"multiples of .*Received: input_shape=\\({side}, 224, 1\\)"):
        tfrespam.build_model(name, (side, 224, 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_standardise_images(name):
    model = design(name, normalization="standardize")
    if name == "multi_input":  # normalises each image separately
        model = model.get_layer("encoder")
    assert model.get_layer("standardize").output.shape == model.input_shape
    with pytest.raises(ValueError, match="`normalization` must be one of"):
        tiny(name, normalization="batch")


@pytest.mark.parametrize("name", NETWORKS)
def test_output_has_the_size_of_an_image_that_is_not_square(name):
    assert design(name, 2, (32, 96)).get_layer("probability").output.shape == (None, 32, 96, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_grow_with_the_square_of_the_width(name):
    small, large = (trainable_parameters(design(name, width=width)) for width in (1 / 8, 1 / 4))
    assert 3.2 < large / small < 4.2  # depthwise kernels and batch normalisation grow only linearly with the width


@pytest.mark.parametrize(("name", "policy"), [
    ("unet", "mixed_bfloat16"), *(pytest.param(name, "mixed_float16", marks=pytest.mark.slow) for name in NETWORKS),
])  # fmt: skip
def test_mixed_precision_trains_and_predicts_in_float32(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = tiny(name)
        check_output(model)
        check_training_step(model)
    finally:
        keras.config.set_dtype_policy("float32")
    plain = in_float32(model)
    assert {layer.compute_dtype for layer in plain._flatten_layers()} == {"float32"}
    check_output(plain)


@pytest.mark.parametrize("name", ["unet", *(pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS)])
def test_every_network_is_exported_with_both_signatures(name, tmp_path):
    check_exported(tiny(name), tmp_path)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_accept_images_and_masks(name):
    judge = DISCRIMINATORS[name]((64, 96, 3), 1 / 16)
    assert [tensor.shape for tensor in judge.inputs] == [(None, 64, 96, 3), (None, 64, 96, 1)]
    assert name in BUILDERS and judge.output.dtype == "float32"


def test_importing_the_package_does_not_import_tensorflow():
    code = ("import sys, tfrespam; tfrespam.__version__; "
            "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'numpy')))")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_unknown_attributes_of_the_package_raise_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'models_zoo'"):
        _ = tfrespam.models_zoo
