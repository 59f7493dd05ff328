"""Keras metrics Dice and IoU as means over images, for `model.compile`; they equal `tfrespam.evaluation.confusion`.

Each image is binarised (probability >= threshold) and scored, and its score is added to a sum and a count. The result
therefore does not depend on the batch size, a short last batch, or the distribution over replicas. An empty prediction
for an empty mask scores 1.
"""

import keras
from keras import ops

__all__ = ["Dice", "IoU", "MeanIoU", "default_metrics"]

# In float32 a sum over some ten thousand images has a relative error above 1e-6; JAX has no float64 by default.
_EXACT = "float32" if keras.backend.backend() == "jax" else "float64"


def _ratio(numerator, denominator):
    """Divide, with 0 / 0 = 1: the mask and the prediction are both empty."""
    empty = ops.equal(denominator, 0)
    return ops.where(empty, ops.ones_like(numerator), numerator / ops.where(empty, 1, denominator))


class _PerImageMetric(keras.metrics.Metric):
    """Base class of metrics that average `score` over images.

    Args:
        threshold: Lowest probability that counts as mass.
        name: Name in Keras' logs.
        **kwargs: `dtype` of `keras.metrics.Metric`.

    Call arguments:
        y_true: (N, H, W, 1), 0 or 1.
        y_pred: (N, H, W, 1), probabilities in [0, 1].
        sample_weight: (N,), a weight per image; 0 excludes an image.
    """

    def __init__(self, threshold=0.5, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        self.total = self.add_variable((), "zeros", dtype=_EXACT, name="total")
        self.count = self.add_variable((), "zeros", dtype=_EXACT, name="count")

    def score(self, true_positives, false_positives, false_negatives, true_negatives):
        """Return the score of each image, (N,), from its pixel counts, each (N,)."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        scores = self.score(*self._counts(y_true, y_pred))
        weights = ops.ones_like(scores) if sample_weight is None else sample_weight
        weights = ops.reshape(ops.cast(weights, _EXACT), ops.shape(scores))
        self.total.assign_add(ops.sum(weights * scores))
        self.count.assign_add(ops.sum(weights))

    def _counts(self, y_true, y_pred):
        # float32, not the model's float16: it must represent every integer up to the number of pixels of an image.
        mask = ops.cast(ops.not_equal(y_true, 0), "float32")
        predicted = ops.cast(ops.cast(y_pred, "float32") >= self.threshold, "float32")
        pixels = tuple(range(1, len(mask.shape)))
        parts = mask * predicted, (1 - mask) * predicted, mask * (1 - predicted), (1 - mask) * (1 - predicted)
        return [ops.cast(ops.sum(part, axis=pixels), _EXACT) for part in parts]

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable("tfrespam")
class Dice(_PerImageMetric):
    """Dice coefficient of the mass, 2 TP / (2 TP + FP + FN), mean over images.

    KerasTuner minimises an objective named "val_dice" by default. Pass
    `keras_tuner.Objective("val_dice", direction="max")` instead.
    """

    def __init__(self, threshold=0.5, name="dice", **kwargs):
        super().__init__(threshold, name, **kwargs)

    def score(self, true_positives, false_positives, false_negatives, true_negatives):
        return _ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives)


@keras.saving.register_keras_serializable("tfrespam")
class IoU(_PerImageMetric):
    """Intersection over union of the mass, TP / (TP + FP + FN), mean over images."""

    def __init__(self, threshold=0.5, name="iou", **kwargs):
        super().__init__(threshold, name, **kwargs)

    def score(self, true_positives, false_positives, false_negatives, true_negatives):
        return _ratio(true_positives, true_positives + false_positives + false_negatives)


@keras.saving.register_keras_serializable("tfrespam")
class MeanIoU(_PerImageMetric):
    """Mean of the IoU of mass and of background, mean over images."""

    def __init__(self, threshold=0.5, name="miou", **kwargs):
        super().__init__(threshold, name, **kwargs)

    def score(self, true_positives, false_positives, false_negatives, true_negatives):
        errors = false_positives + false_negatives
        return (_ratio(true_positives, true_positives + errors) + _ratio(true_negatives, true_negatives + errors)) / 2


def default_metrics(threshold: float = 0.5) -> list[keras.metrics.Metric]:
    """Create metrics "dice", "iou" and "miou" for one `model.compile`; call this inside the strategy's scope."""
    return [Dice(threshold), IoU(threshold), MeanIoU(threshold)]
