"""Confidence intervals and tests for scores of images, with several images a patient.

Images of one patient are not independent. The bootstrap therefore draws patients with replacement and takes all their
images (cluster bootstrap, Field & Welsh 2007, doi 10.1111/j.1467-9868.2007.00593.x), and the Wilcoxon test uses one
mean difference per patient. Images with NaN, in a paired comparison with NaN in either value, are excluded.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """Percentile interval; NaN at both ends without any value."""

    low: float
    high: float


class Difference(NamedTuple):
    """Mean difference (first minus second) and its interval."""

    mean: float
    low: float
    high: float


def patient_draws(patients: int, resamples: int, seed: int) -> np.ndarray:
    """Draw as many patients as there are, with replacement; return how often each is in each resample: (R, P).

    NaN for a single patient, who says nothing about how patients differ.
    """
    if patients < 2:
        return np.full((resamples, patients), np.nan)
    return np.random.default_rng(seed).multinomial(patients, np.full(patients, 1 / patients), resamples)


def bootstrap_means(values: Sequence[float], patients: Sequence[str], weights: Sequence[float] | None = None,
                    resamples: int = 2000, seed: int = 0) -> np.ndarray:
    """Compute sum(values) / sum(weights) in every bootstrap resample of the patients.

    Args:
        values: (N,), one an image. For a pooled score: its numerator, such as 2 TP for Dice.
        patients: (N,), the patient of each image. The same patients and seed give the same resamples, so that means
            of two models can be subtracted resample by resample.
        weights: (N,), all 1 for a mean over images. For a pooled score: its denominator.
        resamples: Number of resamples.
        seed: Seed of the random draws.

    Returns:
        (resamples,); NaN for a resample without any value, and with fewer than two patients, who say nothing about
        how patients differ.
    """
    values = np.asarray(values, dtype=float)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, dtype=float)
    if not values.shape == weights.shape == (len(patients),):
        raise ValueError("Values, weights and patients must have the same length. "
                         f"Received: {values.shape}, {weights.shape} and {len(patients)}")
    if not len(patients):
        return np.full(resamples, np.nan)
    known = ~(np.isnan(values) | np.isnan(weights))
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    numerator = np.bincount(owner[known], values[known], len(names))
    denominator = np.bincount(owner[known], weights[known], len(names))
    draws = patient_draws(len(names), resamples, seed)
    with np.errstate(invalid="ignore"):
        return (draws @ numerator) / (draws @ denominator)


def _percentiles(means: np.ndarray, confidence: float) -> Interval:
    means = means[~np.isnan(means)]
    if not means.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def patient_bootstrap(values: Sequence[float], patients: Sequence[str], weights: Sequence[float] | None = None,
                      resamples: int = 2000, seed: int = 0, confidence: float = 0.95) -> Interval:
    """Compute the percentile interval of the mean over images, or of the pooled score.

    Args:
        values, patients, weights, resamples, seed: As in `bootstrap_means`.
        confidence: Level of the interval, between 0 and 1.

    Returns:
        NaN and NaN without values.
    """
    return _percentiles(bootstrap_means(values, patients, weights, resamples, seed), confidence)


def _paired(first: Sequence[float], second: Sequence[float], patients: Sequence[str]) -> np.ndarray:
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if difference.shape != (len(patients),):
        raise ValueError("A paired comparison needs both values of every image. "
                         f"Received: {len(first)}, {len(second)} and {len(patients)} patients")
    return difference


def paired_bootstrap_difference(first: Sequence[float], second: Sequence[float], patients: Sequence[str],
                                resamples: int = 2000, seed: int = 0, confidence: float = 0.95) -> Difference:
    """Compute the mean over images of `first` minus `second` and its interval, for two models on the same images.

    Args:
        first, second: Scores (N,) of the two models; images for which one is NaN are left out.
        patients: Patient (N,) of each image; patients are resampled.
        resamples, seed, confidence: As in `patient_bootstrap`.

    Raises:
        ValueError: The lengths differ.
    """
    difference = _paired(first, second, patients)
    known = difference[~np.isnan(difference)]
    mean = float(known.mean()) if known.size else float("nan")
    return Difference(mean, *patient_bootstrap(difference, patients, None, resamples, seed, confidence))


def paired_wilcoxon(first: Sequence[float], second: Sequence[float], patients: Sequence[str]) -> float:
    """Compute the two-sided p of Wilcoxon's signed-rank test on the patients' mean differences; 1 if all are 0.

    Wilcoxon 1945, Biometrics Bulletin 1:80.

    Args:
        first, second: Scores (N,) of two models on the same images; images for which one is NaN are left out.
        patients: Patient (N,) of each image.

    Raises:
        ValueError: The lengths differ.
    """
    difference = _paired(first, second, patients)
    known = ~np.isnan(difference)
    names, owner = np.unique(np.asarray(patients)[known], return_inverse=True)
    means = np.bincount(owner, difference[known], len(names)) / np.bincount(owner, minlength=len(names))
    return float(stats.wilcoxon(means).pvalue) if np.any(means) else 1.0


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Adjust p values for multiple testing by Holm's method, which controls the family-wise error rate.

    Holm 1979, Scand. J. Statist. 6:65.

    Returns:
        (n,), in the order of the input: for p in ascending order, the running maximum of (n - rank) p, at most 1.
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * np.arange(p_values.size, 0, -1)), 1.0)
    return adjusted
