"""Base classes of transforms of training images, which draw random numbers and apply them in separate steps."""

import tensorflow as tf


class Transform:
    """Random change of images. Subclass `Geometric` or `Intensity` to write your own.

    `name` selects the stream of random numbers; two transforms of one `Augment` must have different names. The default
    is the name of the class in lower case. `count` is the number of random numbers for an image.
    """

    name: str = ""
    count: int = 1

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__.lower()

    def draw(self, numbers: tf.Tensor) -> tf.Tensor:
        """Convert random numbers to the parameters of one change for each of N images: a tensor whose first axis is N.

        Args:
            numbers: (N, `count`) float32, uniform in [-1, 1), from the transform's stream.
        """
        return numbers


class Geometric(Transform):
    """Geometric change of image and mask; all of them are composed to one matrix and one resampling."""

    def matrix(self, drawn: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Return (N, 3, 3) float32 matrices that map (x, y, 1) of a pixel after the change to its source.

        x points right and y down, both in pixels from the centre of the image.

        Args:
            drawn: Result of `draw`.
            height, width: Size of the images in pixels, float32 scalars; they may differ.
        """
        raise NotImplementedError


class Intensity(Transform):
    """Change of grey values; the mask is unchanged."""

    def apply(self, drawn: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """Change `images`, (N, H, W, C) float32 in [0, 1]; values outside are clipped after the last transform.

        Args:
            drawn: Result of `draw`.
            images: The images; a further channel is a second image of the same breast.
        """
        raise NotImplementedError
