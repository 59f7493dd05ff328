"""Pixel shuffle (depth-to-space upsampling), the dense-upsampling branch of AUNet."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class PixelShuffle(keras.layers.Layer):
    """Pixel shuffle: rearranges each pixel's channels into a 2x2 block of pixels (Shi et al., CVPR 2016).

    Channel c of the output at (2y + i, 2x + j) is channel (2i + j) C / 4 + c of the input at (y, x): TensorFlow's
    order, not PyTorch's.

    Input shape: (N, H, W, C), C a multiple of 4. Output shape: (N, 2 H, 2 W, C / 4).
    """

    def build(self, input_shape):
        if input_shape[-1] % 4:
            raise ValueError(f"The number of channels must be a multiple of 4. Received: input_shape={input_shape}")

    def call(self, inputs):
        return ops.depth_to_space(inputs, 2)

    def compute_output_shape(self, input_shape):
        side = [None if side is None else 2 * side for side in input_shape[1:3]]
        return (input_shape[0], *side, input_shape[-1] // 4)
