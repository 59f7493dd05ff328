"""Platt scaling: calibration of scores by a logistic regression on their logits.

A score s becomes sigmoid(slope * logit(s) + intercept). A positive slope keeps the order of the scores. For calibrated
scores the fit gives slope 1 and intercept 0; a slope below 1 means that the scores are too extreme, a negative
intercept that they are too high. Platt 1999, "Probabilistic outputs for support vector machines".
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

SLOPES, INTERCEPTS = (0.05, 20.0), (-20.0, 20.0)  # search range
EPSILON = 1e-6  # float32 sigmoids reach 0 and 1, whose logits are infinite


class PlattScaling(NamedTuple):
    """Slope and intercept on the logit; the default changes nothing.

    Examples:
        >>> PlattScaling(slope=1.0, intercept=-1.0).apply(np.array([0.5, 0.9])).round(3).tolist()
        [0.269, 0.768]
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, score: np.ndarray, hit: np.ndarray) -> "PlattScaling":
        """Maximise the likelihood of `hit`, with Platt's targets in place of 0 and 1.

        The targets, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) for n1 hits and n0 others, keep the slope finite where the
        scores separate the two.

        Args:
            score: (N,), in [0, 1], predicted for images that the network was not trained on.
            hit: (N,), bool or 0 and nonzero.

        Raises:
            ValueError: Only hits, or none.
        """
        odds, hit = logit(score), np.asarray(hit) != 0
        hits, others = np.count_nonzero(hit), np.count_nonzero(~hit)
        if not hits or not others:
            raise ValueError("Platt scaling requires hits and others. "
                             f"Received: {hits + others} scores, {hits} of them hits")  # fmt: skip
        target = np.where(hit, (hits + 1) / (hits + 2), 1 / (others + 2))

        def loss(fitted):
            scaled = fitted[0] * odds + fitted[1]
            slack = special.expit(scaled) - target
            return np.mean(np.logaddexp(0, scaled) - target * scaled), np.array([np.mean(slack * odds), slack.mean()])

        found = optimize.minimize(loss, (1.0, 0.0), jac=True, bounds=(SLOPES, INTERCEPTS), method="L-BFGS-B",
                                  options={"ftol": 1e-14, "gtol": 1e-9})  # fmt: skip
        return cls(*found.x.tolist())

    def apply(self, score: np.ndarray | float) -> np.ndarray:
        """Return calibrated scores of the same shape, float64; unchanged by the default."""
        if self == (1.0, 0.0):
            return np.asarray(score, np.float64)
        return special.expit(self.slope * logit(score) + self.intercept)


def logit(score: np.ndarray | float) -> np.ndarray:
    """Compute ln(s / (1 - s)), float64, of scores s in [0, 1], clipped to [EPSILON, 1 - EPSILON]."""
    return special.logit(np.clip(np.asarray(score, np.float64), EPSILON, 1 - EPSILON))
