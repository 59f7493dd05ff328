"""Comparison of the probabilities that a network gives in two runtimes, on random images."""

import keras
import numpy as np

from tfrespam.layers import ArgmaxPooling2D

IMAGES = 2
IMAGES_OF_UNPOOLING = 8


def random_images(model: keras.Model, shape: tuple[int, int]) -> np.ndarray:
    """Return images (N, H, W, C) float32 in [0, 1] of `shape` (H, W), on which runtimes are compared."""
    count = IMAGES_OF_UNPOOLING if _unpools(model) else IMAGES
    return np.random.default_rng(0).random((count, *shape, model.input_shape[-1]), np.float32)


def largest_difference(model: keras.Model, first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest absolute difference of probabilities (N, H, W, 1) on `random_images`; NaN if one is NaN.

    Of a network with max-unpooling it is the median over the images of their largest differences. Such a network is not
    continuous: where two values of a pooling window are equal but for rounding, runtimes may choose different ones,
    which changes a part of the image by hundredths. A wrong graph differs on every image.
    """
    of_image = np.abs(np.asarray(first, np.float32) - np.asarray(second, np.float32)).reshape(len(first), -1).max(1)
    return float(np.median(of_image) if _unpools(model) else np.max(of_image))


def _unpools(model: keras.Model) -> bool:
    return any(isinstance(layer, ArgmaxPooling2D) for layer in model._flatten_layers())
