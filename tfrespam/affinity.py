"""The pairwise term of learning from boxes: neighbours of like grey get like answers.

Tian, Shen, Wang, Chen, BoxInst: High-Performance Instance Segmentation with Box Annotations, CVPR 2021,
doi 10.1109/CVPR46437.2021.00540: its pairwise loss.

Departures: one grey channel, standardised in each picture, in place of CIELAB colours. The source compares colours by
exp(-d / 2) >= 0.3, which is d <= 2.4; here the largest difference d is the argument. Each pair is counted once and not
from both ends.
"""

import keras
from keras import ops

_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # each of a pixel's eight pairs, from one end


@keras.saving.register_keras_serializable("tfrespam")
class Affinity(keras.losses.Loss):
    """Mean over pairs of pixels of -ln P(same answer), P = p q + (1 - p)(1 - q), where grey values are alike.

    A pair counts when one of its pixels, at least, lies in the box and their grey values differ by no more than
    `contrast`. A picture without such a pair costs 0. Mean over pictures.

    Args:
        contrast: Largest difference of grey values, in standard deviations of the picture.
        distance: Pixels between the two of a pair, along rows and columns.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        y_true: (N, H, W, 2), the box in {0, 1} and the picture's grey values.
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
    """Mean 0 and standard deviation 1 in each picture; a constant one stays constant."""
    centred = grey - ops.mean(grey, (1, 2, 3), keepdims=True)
    return centred / ops.maximum(ops.sqrt(ops.mean(ops.square(centred), (1, 2, 3), keepdims=True)), 1e-6)


def _pair(values, down, right):
    """The pixels that have a neighbour so many pixels down and to the right (may be negative), and those neighbours."""
    height, width = values.shape[1:3]
    left = max(0, -right)
    here = values[:, : height - down, left : width - max(0, right)]
    return here, values[:, down:, left + right : left + right + here.shape[2]]
