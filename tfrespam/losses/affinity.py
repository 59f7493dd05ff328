"""Pairwise affinity loss for training with boxes: neighbours of similar grey should get the same label.

Tian, Shen, Wang, Chen, BoxInst: High-Performance Instance Segmentation with Box Annotations, CVPR 2021,
doi 10.1109/CVPR46437.2021.00540: its pairwise loss.

Departures: one grey channel, standardised in each image, instead of CIELAB colours. The source compares colours by
exp(-d / 2) >= 0.3, which is d <= 2.4; here the largest difference d is the argument. Each pair is counted once, not
once from each pixel.
"""

import keras
from keras import ops

_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # half of the 8-neighbourhood: each pair once


@keras.saving.register_keras_serializable("tfrespam")
class Affinity(keras.losses.Loss):
    """Mean of -ln P(same label) over pairs of pixels with similar greys, where P = p q + (1 - p)(1 - q).

    A pair counts if at least one of its pixels is in the box and their grey values differ by at most `contrast`. An
    image without such a pair has loss 0. Mean over images.

    Args:
        contrast: Largest difference of grey values, in standard deviations of the image.
        distance: Distance of the two pixels of a pair along rows and columns, in pixels.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        y_true: (N, H, W, 2), the box in {0, 1} and the image's grey values.
        y_pred: (N, H, W, 1), probabilities in [0, 1].
    """

    def __init__(self, contrast=0.1, distance=2, **kwargs):
        super().__init__(**kwargs)
        if contrast < 0 or distance < 1:
            raise ValueError("Arguments must be `contrast` >= 0 and `distance` >= 1. "
                             f"Received: contrast={contrast}, distance={distance}")
        self.contrast = contrast
        self.distance = distance

    def call(self, y_true, y_pred):
        y_true, probability = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        box, grey = y_true[..., :1], _standardized(y_true[..., 1:2])
        cost = count = 0.0
        for down, right in _NEIGHBOURS:
            (a, b), (here, there), (p, q) = (_pair(values, down * self.distance, right * self.distance)
                                             for values in (box, grey, probability))  # fmt: skip
            counts = ops.maximum(a, b) * ops.cast(ops.abs(here - there) <= self.contrast, "float32")
            same = ops.maximum(p * q + (1.0 - p) * (1.0 - q), keras.config.epsilon())
            cost -= ops.sum(counts * ops.log(same), (1, 2, 3))
            count += ops.sum(counts, (1, 2, 3))
        return cost / ops.maximum(count, 1.0)

    def get_config(self):
        return {**super().get_config(), "contrast": self.contrast, "distance": self.distance}


def _standardized(grey):
    """Scale each image to mean 0 and standard deviation 1; a constant image stays constant."""
    centred = grey - ops.mean(grey, (1, 2, 3), keepdims=True)
    return centred / ops.maximum(ops.sqrt(ops.mean(ops.square(centred), (1, 2, 3), keepdims=True)), 1e-6)


def _pair(values, down, right):
    """Return all pixels that have a neighbour `down` rows below and `right` columns to the right, and the neighbours.

    `right` may be negative.
    """
    height, width = values.shape[1:3]
    left = max(0, -right)
    here = values[:, : height - down, left : width - max(0, right)]
    return here, values[:, down:, left + right : left + right + here.shape[2]]
