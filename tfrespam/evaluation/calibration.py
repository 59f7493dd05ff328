"""Calibration of probabilities by temperature scaling.

Probabilities are calibrated if, among pixels with probability 0.7, 70 % are mass. A temperature T maps a probability p
to sigmoid(logit(p) / T). It changes neither the ranking of pixels nor, at the threshold 0.5, the mask. Guo et al. 2017,
"On Calibration of Modern Neural Networks", ICML, arXiv 1706.04599.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

TEMPERATURES = 0.05, 20.0  # search range of the temperature
_EPSILON = 1e-6  # float32 sigmoids reach 0 and 1, whose logits are infinite


class Reliability(NamedTuple):
    """Reliability diagram: pixels by their probability, in bins of equal width.

    Args:
        probability: (B,) mean probability of each bin's pixels; NaN for an empty bin.
        frequency: (B,) share of the bin's pixels that are mass; NaN for an empty bin.
        pixels: (B,) number of pixels.
    """

    probability: np.ndarray
    frequency: np.ndarray
    pixels: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |frequency - probability| over pixels, in [0, 1]."""
        gap = np.abs(np.nan_to_num(self.frequency - self.probability))
        return float(np.sum(gap * self.pixels) / self.pixels.sum())


def cross_entropy(probability: np.ndarray, mask: np.ndarray, temperature: float = 1.0) -> float:
    """Compute the binary cross-entropy, mean over pixels, after temperature scaling."""
    probability, mask = _flat(probability, mask)
    return _cross_entropy(_logit(probability), mask, temperature)


def fit_temperature(probability: np.ndarray, mask: np.ndarray) -> float:
    """Fit the temperature that minimises the cross-entropy, within `TEMPERATURES`.

    Args:
        probability: Any shape, in [0, 1], predicted for images that the network was not trained on.
        mask: The same shape, 0 or nonzero.

    Raises:
        ValueError: No pixels, or only pixels of one class: the optimum is then at an end of the range.
    """
    probability, mask = _flat(probability, mask)
    if not 0 < mask.sum() < mask.size:
        raise ValueError("Fitting a temperature requires pixels of both classes. "
                         f"Received: {mask.size} pixels, {int(mask.sum())} of them mass")
    logit = _logit(probability)
    low, high = np.log(TEMPERATURES)
    result = optimize.minimize_scalar(lambda t: _cross_entropy(logit, mask, np.exp(t)), bounds=(low, high),
                                      method="bounded", options={"xatol": 1e-4})  # fmt: skip
    return float(np.exp(result.x))


def apply_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Compute sigmoid(logit(probability) / temperature), in the dtype of `probability`."""
    return special.expit(_logit(probability) / temperature).astype(probability.dtype)


def _flat(probability, mask) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(probability, np.float64).ravel(), (np.asarray(mask).ravel() != 0).astype(np.float64)


def _logit(probability: np.ndarray) -> np.ndarray:
    return special.logit(np.clip(probability, _EPSILON, 1 - _EPSILON))


def _cross_entropy(logit: np.ndarray, mask: np.ndarray, temperature: float) -> float:
    scaled = logit / temperature
    return float(np.mean(np.logaddexp(0.0, scaled) - mask * scaled))
