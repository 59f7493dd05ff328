"""Views of an image for test-time augmentation."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tfrespam")
class QuarterTurn(keras.layers.Layer):
    """Rotation by quarter turns and mirroring left-right, or the inverse.

    Args:
        turns: Number of counter-clockwise quarter turns, even for images that are not square.
        mirrored: Mirror the image after the rotation.
        inverse: Undo rotation and mirroring instead.

    Input and output shape: (N, H, W, C); H and W are equal where `turns` is odd.
    """

    def __init__(self, turns=0, mirrored=False, inverse=False, **kwargs):
        super().__init__(**kwargs)
        self.turns = turns
        self.mirrored = mirrored
        self.inverse = inverse

    def call(self, images):
        if self.inverse:
            return self._turn(self._mirror(images), -self.turns)
        return self._mirror(self._turn(images, self.turns))

    def _turn(self, images, turns):
        """Rotate by quarter turns; a half turn is two flips, since Keras 3.15's `rot90` on TensorFlow scrambles it.

        That error concerns images that are not square.
        """
        return ops.flip(images, axis=(1, 2)) if turns % 4 == 2 else ops.rot90(images, turns, axes=(1, 2))

    def _mirror(self, images):
        return ops.flip(images, axis=2) if self.mirrored else images

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "turns": self.turns, "mirrored": self.mirrored, "inverse": self.inverse}
