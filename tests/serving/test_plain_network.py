import cv2
import numpy as np
import pytest

from tfrespam.serving.client.failures import ImageRefusedError
from tfrespam.serving.client.plain_network import pixels, segmentation


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_greys_are_scaled_to_0_to_1(dtype):
    image = np.array([[0, np.iinfo(dtype).max], [np.iinfo(dtype).max // 5, 0]], dtype)
    found = pixels(cv2.imencode(".png", image)[1].tobytes())
    assert found.shape == (1, 2, 2, 1) and found.dtype == np.float32
    np.testing.assert_allclose(found[0, ..., 0], [[0, 1], [0.2, 0]], atol=1e-6)


def test_damaged_images_are_reported_with_their_positions():
    with pytest.raises(ImageRefusedError, match=r"image_bytes\[3\] not a readable PNG or JPEG") as told:
        pixels(b"no picture", 3)
    assert told.value.positions == (3,)


def test_mask_and_probability_are_encoded_as_in_the_graph():
    found = segmentation(np.array([[0.0, 0.5], [1.0, 0.25]], np.float32), 0.5)
    mask, levels = (cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) for png in found[:2])
    np.testing.assert_array_equal(mask, [[0, 255], [255, 0]])
    np.testing.assert_array_equal(levels, [[0, 32768], [65535, 16384]])
    assert found[2] == 0.5
