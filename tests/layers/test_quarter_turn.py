import numpy as np
import pytest

from tfrespam.layers import QuarterTurn


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotates_then_mirrors_as_numpy_does_and_back(turns, mirrored):
    shape = (2, 5, 3, 1) if turns % 2 == 0 else (2, 4, 4, 1)
    images = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    expected = np.rot90(images, turns, axes=(1, 2))
    expected = expected[:, :, ::-1] if mirrored else expected
    turned = np.array(QuarterTurn(turns, mirrored)(images))
    np.testing.assert_array_equal(turned, expected)
    np.testing.assert_array_equal(np.array(QuarterTurn(turns, mirrored, inverse=True)(turned)), images)
