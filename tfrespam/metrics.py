"""Dice and IoU as means over images, for `model.compile`: the same numbers as `tfrespam.evaluation.confusion`.

Each image is binarised (probability >= threshold), scored, and added to a sum and a count, so the size of a batch,
a short last one, or the share of a replica changes nothing. Empty mask and empty prediction score 1.
"""

import keras
from keras import ops


def _ratio(numerator, denominator):
    """numerator / denominator, and 1 for 0 / 0: there is nothing, and nothing was drawn."""
    empty = ops.equal(denominator, 0)
    return ops.where(empty, ops.ones_like(numerator), numerator / ops.where(empty, 1, denominator))


class _PerImageMetric(keras.metrics.Metric):
    """Mean over images of `score`.

    Args:
        threshold: Least probability that counts as mass.
        name: Name in Keras' logs.
        **kwargs: `dtype` of `keras.metrics.Metric`.

    Call arguments:
        y_true: (N, H, W, 1), 0 or 1.
        y_pred: (N, H, W, 1), probabilities in [0, 1].
        sample_weight: (N,), a weight per image; 0 leaves an image out.
    """

    def __init__(self, threshold=0.5, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        # In float32 the sum over some ten thousand images would be off by more than 1e-6 of its mean.
        self.total = self.add_variable((), "zeros", dtype="float64", name="total")
        self.count = self.add_variable((), "zeros", dtype="float64", name="count")

    def score(self, hits, false_alarms, misses, rest):
        """The value of each image, (N,), from its pixel counts, each (N,)."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        scores = self.score(*self._counts(y_true, y_pred))
        weights = ops.ones_like(scores) if sample_weight is None else sample_weight
        weights = ops.reshape(ops.cast(weights, "float64"), ops.shape(scores))
        self.total.assign_add(ops.sum(weights * scores))
        self.count.assign_add(ops.sum(weights))

    def _counts(self, y_true, y_pred):
        # float32, not the model's float16: it must hold every whole number up to the pixels of a picture.
        mask = ops.cast(ops.not_equal(y_true, 0), "float32")
        drawn = ops.cast(ops.cast(y_pred, "float32") >= self.threshold, "float32")
        pixels = tuple(range(1, len(mask.shape)))
        parts = mask * drawn, (1 - mask) * drawn, mask * (1 - drawn), (1 - mask) * (1 - drawn)
        return [ops.cast(ops.sum(part, axis=pixels), "float64") for part in parts]

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable("tfrespam")
class Dice(_PerImageMetric):
    """Dice of the mass, 2 TP / (2 TP + FP + FN), mean over images.

    KerasTuner takes the name "val_dice" for a loss and minimises it: give it
    `keras_tuner.Objective("val_dice", direction="max")`.
    """

    def __init__(self, threshold=0.5, name="dice", **kwargs):
        super().__init__(threshold, name, **kwargs)

    def score(self, hits, false_alarms, misses, rest):
        return _ratio(2 * hits, 2 * hits + false_alarms + misses)


@keras.saving.register_keras_serializable("tfrespam")
class IoU(_PerImageMetric):
    """Intersection over union of the mass, TP / (TP + FP + FN), mean over images."""

    def __init__(self, threshold=0.5, name="iou", **kwargs):
        super().__init__(threshold, name, **kwargs)

    def score(self, hits, false_alarms, misses, rest):
        return _ratio(hits, hits + false_alarms + misses)


@keras.saving.register_keras_serializable("tfrespam")
class MeanIoU(_PerImageMetric):
    """Mean of the IoU of mass and of background, mean over images."""

    def __init__(self, threshold=0.5, name="miou", **kwargs):
        super().__init__(threshold, name, **kwargs)

    def score(self, hits, false_alarms, misses, rest):
        wrong = false_alarms + misses
        return (_ratio(hits, hits + wrong) + _ratio(rest, rest + wrong)) / 2


def default_metrics(threshold: float = 0.5) -> list[keras.metrics.Metric]:
    """New metrics "dice", "iou" and "miou" for one `model.compile`; call it inside the strategy's scope."""
    return [Dice(threshold), IoU(threshold), MeanIoU(threshold)]
