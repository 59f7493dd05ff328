"""The factory: names, options, widths, sizes."""

import subprocess
import sys

import keras
import pytest
from model_contract import check_exported, check_output, check_training_step, design, tiny, trainable_parameters

import tfrespam
from tfrespam.models import BUILDERS, DISCRIMINATORS
from tfrespam.models.stored import in_float32


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"respam_unet, .*, unet, .*Received: name='resnet'"):
        tfrespam.build_model("resnet")


def test_an_unknown_option_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"Options of 'unet' are normalization, batch_norm.*. Received: depth"):
        tfrespam.build_model("unet", depth=3)


@pytest.mark.parametrize("width", [0, -1.0, float("nan")])
def test_a_width_that_is_not_positive_is_refused(width):
    with pytest.raises(ValueError, match="`width` must be above 0"):
        tfrespam.build_model("unet", width=width)


@pytest.mark.parametrize("input_shape", [(224, 224), (224, 224, None), (224, 224, 0)])
def test_a_malformed_input_shape_is_refused(input_shape):
    with pytest.raises(ValueError, match=r"must be \(height, width, channels\)"):
        tfrespam.build_model("unet", input_shape)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("side", [0, 1, 100, 225])
def test_a_size_that_cannot_be_halved_is_refused(name, side):
    with pytest.raises(ValueError, match=f"multiples of .*Received: input_shape=\\({side}, 224, 1\\)"):
        tfrespam.build_model(name, (side, 224, 1))


@pytest.mark.parametrize("name", BUILDERS)
def test_every_network_takes_standardised_pictures(name):
    model = design(name, normalization="standardize")
    if name == "multi_input":  # each picture by itself
        model = model.get_layer("encoder")
    assert model.get_layer("standardize").output.shape == model.input_shape
    with pytest.raises(ValueError, match="`normalization` must be one of"):
        tiny(name, normalization="batch")


@pytest.mark.parametrize("name", BUILDERS)
def test_an_oblong_picture_comes_back_at_its_size(name):
    assert design(name, 2, (32, 96)).get_layer("probability").output.shape == (None, 32, 96, 1)


@pytest.mark.parametrize("name", BUILDERS)
def test_width_scales_the_parameters_by_its_square(name):
    small, large = (trainable_parameters(design(name, width=width)) for width in (1 / 8, 1 / 4))
    assert 3.4 < large / small < 4.2


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["unet", *(pytest.param(name, marks=pytest.mark.slow) for name in BUILDERS)])
def test_mixed_precision_trains_and_answers_in_float32(name, policy):
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


@pytest.mark.parametrize("name", ["unet", *(pytest.param(name, marks=pytest.mark.slow) for name in BUILDERS)])
def test_every_network_is_exported_with_both_signatures(name, tmp_path):
    check_exported(tiny(name), tmp_path)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_takes_its_networks_pictures(name):
    judge = DISCRIMINATORS[name]((64, 96, 3), 1 / 16)
    assert [tensor.shape for tensor in judge.inputs] == [(None, 64, 96, 3), (None, 64, 96, 1)]
    assert name in BUILDERS and judge.output.dtype == "float32"


def test_importing_the_package_imports_nothing_heavy():
    code = ("import sys, tfrespam; tfrespam.__version__; "
            "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'numpy')))")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_package_has_nothing_else():
    with pytest.raises(AttributeError, match="no attribute 'models_zoo'"):
        _ = tfrespam.models_zoo
