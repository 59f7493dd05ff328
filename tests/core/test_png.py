import cv2
import numpy as np
import pytest

from tfrespam.core import png
from tfrespam.core.errors import UserError


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("shape", "dtype"), [((5, 3), np.uint8), ((5, 3), np.uint16), ((5, 3, 3), np.uint8)])
def test_an_encoded_image_is_decoded_unchanged(small, shape, dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype)
    found = cv2.imdecode(np.frombuffer(png.encode(image, small), np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, image)


def test_small_files_are_smaller():
    image = np.tile(np.arange(64, dtype=np.uint8), (64, 4))
    assert len(png.encode(image, small=True)) < len(png.encode(image))


def test_an_image_that_is_too_long_is_rejected():
    with pytest.raises(UserError, match="at most 1,000,000 pixels, the limit of PNG here. Received: 1 x 1000001"):
        png.encode(np.zeros((1, 1_000_001), np.uint8))
