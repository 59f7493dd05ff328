"""Probabilities that mean what they say: of the pixels given 0.7, seven in ten are mass.

A temperature T turns a probability p into sigmoid(logit(p) / T). It changes no ranking and, at the threshold 0.5, no
mask. Guo et al. 2017, "On Calibration of Modern Neural Networks", ICML, arXiv 1706.04599.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

TEMPERATURES = 0.05, 20.0  # where a temperature is looked for
_EPSILON = 1e-6  # float32 sigmoids end at 0 and 1; a logit must not


class Reliability(NamedTuple):
    """Pixels by their probability, in bins of equal width.

    Args:
        probability: (B,) mean probability of each bin's pixels; NaN where it has none.
        frequency: (B,) share of them that is mass; NaN where it has none.
        pixels: (B,) how many they are.
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
    """Mean over pixels of -log of the probability given to what is there, after the temperature."""
    probability, mask = _flat(probability, mask)
    return _cross_entropy(_logit(probability), mask, temperature)


def fit_temperature(probability: np.ndarray, mask: np.ndarray) -> float:
    """The temperature with the least cross-entropy, within `TEMPERATURES`.

    Args:
        probability: Any shape, in [0, 1]: of pictures that the network was not trained on.
        mask: The same shape, 0 or not.

    Raises:
        ValueError: No pixels, or all of them or none are mass: any temperature could be made to look right.
    """
    probability, mask = _flat(probability, mask)
    if not 0 < mask.sum() < mask.size:
        raise ValueError("A temperature is fitted to pixels of both kinds. "
                         f"Received: {mask.size} pixels, {int(mask.sum())} of them mass")
    logit = _logit(probability)
    low, high = np.log(TEMPERATURES)
    found = optimize.minimize_scalar(lambda t: _cross_entropy(logit, mask, np.exp(t)), bounds=(low, high),
                                     method="bounded", options={"xatol": 1e-4})  # fmt: skip
    return float(np.exp(found.x))


def apply_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """sigmoid(logit(probability) / temperature), in the type of `probability`."""
    return special.expit(_logit(probability) / temperature).astype(probability.dtype)


def _flat(probability, mask) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(probability, np.float64).ravel(), (np.asarray(mask).ravel() != 0).astype(np.float64)


def _logit(probability: np.ndarray) -> np.ndarray:
    return special.logit(np.clip(probability, _EPSILON, 1 - _EPSILON))


def _cross_entropy(logit: np.ndarray, mask: np.ndarray, temperature: float) -> float:
    scaled = logit / temperature
    return float(np.mean(np.logaddexp(0.0, scaled) - mask * scaled))
