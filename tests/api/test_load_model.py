import numpy as np
import pytest
from small_model import SIZE, small_model

import tfrespam as tr
from tfrespam.api.load_model import Segmenter
from tfrespam.core.errors import UserError
from tfrespam.models.stored import load_network
from tfrespam.serving.inference.saved_model import network_file


def test_an_export_is_loaded_as_a_graph_or_a_trainable_model(exported):
    assert exported.parts[-2:] == ("mine", "1")
    segmenter, model = tr.load_model(exported.parent), tr.load_model(exported, trainable=True)
    assert isinstance(segmenter, Segmenter) and segmenter.path == exported and segmenter.metadata["note"] == "a test"
    image = np.random.default_rng(1).random((2, SIZE, SIZE, 1)).astype(np.float32)
    np.testing.assert_allclose(model(image), segmenter.predict(image).probabilities[..., None], atol=1e-4)
    assert len(model.trainable_weights) == len(small_model().trainable_weights)
    assert network_file(exported / "model.keras") == exported / "model.keras"
    assert load_network(exported / "model.keras").count_params() == model.count_params()


def test_arrays_of_every_type_are_segmented_at_their_own_size(exported, images):
    segmenter = tr.load_model(exported)
    masks, probabilities = segmenter.predict(images)
    assert masks.shape == probabilities.shape == images.shape and masks.dtype == bool
    np.testing.assert_array_equal(masks, probabilities >= segmenter.threshold)
    whole = np.rint(images * 65535).astype(np.uint16)
    np.testing.assert_allclose(segmenter.predict(whole).probabilities, probabilities, atol=1e-3)
    np.testing.assert_allclose(segmenter.predict(images[0]).probabilities, probabilities[:1], atol=1e-5)
    assert segmenter.predict(images, threshold=1e-6).masks.mean() > masks.mean()


@pytest.mark.parametrize(("wrong", "message"), [
    (np.zeros(3), "shape"), (np.zeros((0, 8, 8)), "contain an image"), (np.full((8, 8), 300.0), "be in"),
    (np.full((8, 8), np.nan), "be in"), (np.zeros((8, 8), int), "uint8 or uint16"),
])  # fmt: skip
def test_arrays_of_invalid_shape_range_or_type_are_rejected(exported, wrong, message):
    with pytest.raises(UserError, match=message):
        tr.load_model(exported).predict(wrong)


def test_an_export_without_its_keras_file_cannot_be_trained(exported, tmp_path):
    import shutil

    old = shutil.copytree(exported, tmp_path / "old" / "1")
    (old / "model.keras").unlink()
    with pytest.raises(UserError, match="contains no model.keras to train further"):
        tr.load_model(old, trainable=True)
    with pytest.raises(UserError, match="no exported model"):
        tr.load_model(tmp_path / "gone", trainable=True)


@pytest.mark.parametrize("shape", [(20, 30, 3), (20, 30, 1)])
def test_one_image_with_channels_is_not_taken_for_many_images(exported, shape):
    with pytest.raises(UserError, match="For one image with channels"):
        tr.load_model(exported).predict(np.zeros(shape))


def test_images_with_other_channels_than_the_network_are_rejected(exported):
    colour, message = np.zeros((2, 20, 30, 3)), "must have 1 channel, .* Received: 3 channels, .2, 20, 30, 3."
    with pytest.raises(UserError, match=message):
        tr.load_model(exported).predict(colour)
    with pytest.raises(UserError, match=message):
        tr.predict(colour, exported)
    for network in (exported, small_model()):
        with pytest.raises(UserError, match=message):
            tr.evaluate(network, (colour, np.zeros((2, 20, 30))))
