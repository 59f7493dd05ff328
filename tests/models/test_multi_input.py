"""Late-fusion U-Net: contract, shared encoder, and influence of the second image."""

import keras
import numpy as np
import pytest
from model_contract import check_model, disk_images, trainable_parameters

import tfrespam


def pair(**options):
    keras.utils.set_random_seed(0)
    return tfrespam.build_model("multi_input", (32, 32, 2), 1 / 16, **options)


def test_contract_with_one_image(tmp_path):
    check_model("multi_input", tmp_path, normalization="standardize")


def test_models_for_pairs_are_saved_and_loaded(tmp_path):
    model = pair(shared_encoder=False, aligned=True, normalization="local_contrast")
    images = np.concatenate([disk_images(2)[0]] * 2, -1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)
    assert model.get_layer("encoder2").count_params() == model.get_layer("encoder").count_params()


def test_a_shared_encoder_has_no_extra_weights_for_the_second_image():
    single = tfrespam.build_model("multi_input", (32, 32, 1), 1 / 16)
    assert trainable_parameters(pair()) == trainable_parameters(single)
    own = trainable_parameters(pair(shared_encoder=False)) - trainable_parameters(single)
    assert own == sum(int(np.prod(w.shape)) for w in single.get_layer("encoder").trainable_weights)


def test_missing_images_are_normalised_alike_in_training_and_inference():
    """Half of the second images are black; the moving averages must match the statistics of a training step."""
    model = pair(normalization="standardize")
    images = np.random.default_rng(0).random((8, 32, 32, 2)).astype("float32")
    images[::2, ..., 1] = 0
    features = keras.Model(model.input, model.get_layer("fusion").output)
    for layer in model.get_layer("encoder").layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the moving averages equal the statistics of the last step
    trained = features(images, training=True)
    np.testing.assert_allclose(features(images, training=False), trained, rtol=1e-4, atol=1e-4 * np.std(trained))


@pytest.mark.parametrize("aligned", [True, False])
def test_the_second_image_affects_the_mask_only_through_the_fusion(aligned):
    model = pair(aligned=aligned)
    first, second = np.random.default_rng(0).random((2, 1, 32, 32, 1)).astype("float32")
    both, other = (np.array(model(np.concatenate([first, beside], -1))) for beside in (second, np.flip(second, 1)))
    missing = np.array(model(np.concatenate([first, np.zeros_like(first)], -1)))
    assert np.abs(both - other).max() > 1e-7 and np.abs(both - missing).max() > 1e-7
    kernel = np.array(model.get_layer("fused_conv").kernel)
    kernel[:, :, kernel.shape[2] // 2 :] = 0  # features of the second image, and the flag
    model.get_layer("fused_conv").kernel.assign(kernel)
    alone = [np.array(model(np.concatenate([first, beside], -1))) for beside in (second, np.zeros_like(first))]
    np.testing.assert_array_equal(*alone)
