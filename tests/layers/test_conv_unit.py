"""ConvUnit against NumPy for narrow, strided 1x1 kernels, which it computes without a strided convolution."""

import numpy as np
import pytest
import tensorflow as tf

from tfrespam.layers import ConvUnit


@pytest.mark.parametrize("channels", [10, 16])
@pytest.mark.parametrize("side", [64, 63])
def test_strided_1x1_kernel_and_its_gradients(channels, side):
    """With 10 channels and 64 pixels, TensorFlow 2.21's strided convolution crashes with a segmentation fault."""
    random = np.random.default_rng(0)
    x = random.normal(size=(8, side, side, channels)).astype(np.float32)
    unit = ConvUnit(4, 1, 2, use_bias=False)
    taken = x[:, ::2, ::2]
    weight = random.normal(size=(*taken.shape[:3], 4)).astype(np.float32)
    with tf.GradientTape() as tape:
        given = tf.constant(x)
        tape.watch(given)
        output = unit(given)
        loss = tf.reduce_sum(output * weight)
    by_input, by_kernel = tape.gradient(loss, [given, unit.convolution.kernel.value])
    kernel = np.asarray(unit.convolution.kernel)[0, 0]
    assert output.shape == unit.compute_output_shape(x.shape)
    np.testing.assert_allclose(output, taken @ kernel, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_kernel[0, 0], np.einsum("nhwc,nhwd->cd", taken, weight), rtol=1e-3, atol=1e-2)
    expected = np.zeros_like(x)
    expected[:, ::2, ::2] = weight @ kernel.T
    np.testing.assert_allclose(by_input, expected, rtol=1e-4, atol=1e-4)
