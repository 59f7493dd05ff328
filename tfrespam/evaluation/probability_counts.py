"""Histogram of pixels by predicted probability, for calibration and precision-recall curves.

All pixels of all images are sorted into bins by their probability. Each bin stores the number of pixels, the number of
mass pixels among them, and the sum of their probabilities. Calibration and precision-recall curves follow from these.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tfrespam.evaluation.calibration import Reliability

BINS = 100


@dataclasses.dataclass
class ProbabilityCounts:
    """Histogram of pixels by probability. Bin k covers [k / bins, (k + 1) / bins); the last bin includes 1.

    Examples:
        >>> counts = ProbabilityCounts()
        >>> counts.add(np.array([0, 1, 1, 1]), np.array([0.25, 0.75, 0.75, 0.75]))
        >>> counts.expected_calibration_error()
        0.25

    Args:
        bins: Number of bins of equal width.
    """

    bins: int = BINS

    def __post_init__(self):
        self.pixels, self.mass = np.zeros((2, self.bins), np.int64)
        self.total = np.zeros(self.bins)  # sum of the probabilities

    def add(self, reference: np.ndarray, probability: np.ndarray) -> None:
        """Add the pixels of a mask (bool, or 0 and nonzero) and of probabilities in [0, 1] of the same shape."""
        probability = np.asarray(probability, float).ravel()
        index = np.minimum((probability * self.bins).astype(np.intp), self.bins - 1)
        self.pixels += np.bincount(index, minlength=self.bins)
        self.mass += np.bincount(index[np.asarray(reference).ravel() != 0], minlength=self.bins)
        self.total += np.bincount(index, probability, minlength=self.bins)

    def watch(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the (reference, probability) pairs unchanged, and add each to the histogram."""
        for reference, probability in pairs:
            self.add(reference, probability)
            yield reference, probability

    def rows(self) -> list[dict[str, float]]:
        """Return the rows of calibration.csv, one a bin."""
        columns = zip(self.pixels.tolist(), self.mass.tolist(), self.total.tolist(), strict=True)
        return [{"from": index / self.bins, "to": (index + 1) / self.bins, "pixels": pixels, "mass": mass,
                 "probability_sum": total} for index, (pixels, mass, total) in enumerate(columns)]  # fmt: skip

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, str]]) -> "ProbabilityCounts":
        """Build the histogram from the rows of calibration.csv."""
        counts = cls(len(rows))
        counts.pixels, counts.mass = (np.array([int(row[name]) for row in rows]) for name in ("pixels", "mass"))
        counts.total = np.array([float(row["probability_sum"]) for row in rows])
        return counts

    def reliability(self, groups: int = 10) -> Reliability:
        """Compute the reliability diagram, with the bins merged into `groups` groups."""
        pixels, mass, total = (np.add.reduceat(values, np.arange(groups) * self.bins // groups)
                               for values in (self.pixels, self.mass, self.total))  # fmt: skip
        with np.errstate(invalid="ignore"):  # 0 / 0: an empty group
            return Reliability(total / pixels, mass / pixels, pixels)

    def expected_calibration_error(self, groups: int = 10) -> float:
        """Compute the expected calibration error over all pixels (Naeini et al. 2015); NaN without pixels."""
        return self.reliability(groups).error if self.pixels.sum() else float("nan")

    def confusion(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return TP, FP, TN and FN at the thresholds 0, 1 / bins, ...; each (bins,)."""
        tp = np.cumsum(self.mass[::-1])[::-1]
        fp = np.cumsum((self.pixels - self.mass)[::-1])[::-1]
        return tp, fp, (self.pixels - self.mass).sum() - fp, self.mass.sum() - tp

    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Return precision (1 where nothing is predicted) and recall (1 without mass) at those thresholds."""
        tp, fp, _, fn = self.confusion()
        precision = np.where(tp + fp == 0, 1.0, tp / np.maximum(tp + fp, 1))
        return precision, np.where(tp + fn == 0, 1.0, tp / np.maximum(tp + fn, 1))
