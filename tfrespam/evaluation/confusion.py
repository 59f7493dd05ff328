"""Overlap scores of binary masks from pixel counts: per image, or pooled over the pixels of all images.

Scores that divide 0 by 0 follow one rule (`_ratio`): 1 if reference and prediction agree in every pixel, else 0. An
empty prediction for an empty reference therefore scores 1 in all scores; an empty prediction for a mass has precision
0, and a false positive in an empty image has sensitivity 0. No image is ever excluded from a mean.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Counts(NamedTuple):
    """Confusion counts of pixels, int64: shape (N,) per image, () when pooled. Input of all scores of this module."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    def pooled(self) -> "Counts":
        """Sum the counts of all images; large masses then weigh more than small ones."""
        return Counts(*(np.sum(count) for count in self))


def binarise(probability: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Threshold probabilities, probability >= threshold; only this function and `tfrespam.metrics` do this."""
    return np.asarray(probability) >= threshold


def likeliest(probability: np.ndarray, count: int) -> np.ndarray:
    """Return the mask (H, W) bool of the `count` likeliest pixels; of equal ones the first in reading order."""
    found = np.zeros(probability.size, bool)
    found[np.argsort(-probability, axis=None, kind="stable")[:count]] = True
    return found.reshape(probability.shape)


def count_pixels(reference: np.ndarray, prediction: np.ndarray) -> Counts:
    """Count true and false positive and negative pixels of each image.

    Args:
        reference: Masks (N, H, W) or (N, H, W, 1), bool or 0 and nonzero.
        prediction: Masks of the same shape; apply `binarise` to probabilities first.

    Examples:
        >>> counts = count_pixels(np.array([[[1, 1, 0, 0]]]), np.array([[[0, 1, 1, 0]]]))
        >>> counts.tp, counts.fp, counts.fn, counts.tn
        (array([1]), array([1]), array([1]), array([1]))
        >>> dice(counts), iou(counts)
        (array([0.5]), array([0.33333333]))

    Raises:
        ValueError: The shapes differ.
    """
    reference, prediction = np.asarray(reference) != 0, np.asarray(prediction) != 0
    if reference.shape != prediction.shape:
        raise ValueError("Reference and prediction must have the same shape (N, H, W). "
                         f"Received: {reference.shape} and {prediction.shape}")
    pixels = tuple(range(1, reference.ndim))
    tp = np.count_nonzero(reference & prediction, axis=pixels)
    fp = np.count_nonzero(prediction, axis=pixels) - tp
    fn = np.count_nonzero(reference, axis=pixels) - tp
    tn = int(np.prod(reference.shape[1:])) - tp - fp - fn
    return Counts(*(np.asarray(count, dtype=np.int64) for count in (tp, fp, fn, tn)))


def _ratio(numerator: np.ndarray, denominator: np.ndarray, counts: Counts) -> np.ndarray:
    agree = (counts.fp + counts.fn == 0).astype(float)
    return np.where(denominator == 0, agree, numerator / np.where(denominator == 0, 1, denominator))


def dice(counts: Counts) -> np.ndarray:
    """Dice coefficient of the mass, 2 TP / (2 TP + FP + FN)."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, counts)


def dice_background(counts: Counts) -> np.ndarray:
    """Dice coefficient of the background, 2 TN / (2 TN + FP + FN)."""
    return _ratio(2 * counts.tn, 2 * counts.tn + counts.fp + counts.fn, counts)


def dice_two_class(counts: Counts) -> np.ndarray:
    """Mean of the Dice coefficients of mass and background."""
    return (dice(counts) + dice_background(counts)) / 2


def iou(counts: Counts) -> np.ndarray:
    """Intersection over union of the mass, TP / (TP + FP + FN)."""
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn, counts)


def iou_background(counts: Counts) -> np.ndarray:
    """Intersection over union of the background, TN / (TN + FP + FN)."""
    return _ratio(counts.tn, counts.tn + counts.fp + counts.fn, counts)


def miou(counts: Counts) -> np.ndarray:
    """Mean of the IoU of mass and background."""
    return (iou(counts) + iou_background(counts)) / 2


def precision(counts: Counts) -> np.ndarray:
    """Precision, TP / (TP + FP)."""
    return _ratio(counts.tp, counts.tp + counts.fp, counts)


def sensitivity(counts: Counts) -> np.ndarray:
    """Sensitivity (recall), TP / (TP + FN)."""
    return _ratio(counts.tp, counts.tp + counts.fn, counts)


def specificity(counts: Counts) -> np.ndarray:
    """Specificity, TN / (TN + FP)."""
    return _ratio(counts.tn, counts.tn + counts.fp, counts)


SCORES: dict[str, Callable[[Counts], np.ndarray]] = {
    "dice": dice,
    "iou": iou,
    "miou": miou,
    "dice_two_class": dice_two_class,
    "precision": precision,
    "sensitivity": sensitivity,
    "specificity": specificity,
}
