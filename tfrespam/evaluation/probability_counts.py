"""Whether a probability of 0.8 is right four times in five, and what each threshold costs: from counts of pixels.

All pixels of all images are sorted into bins by their probability; what is kept is how many there were, how many of
them were mass, and the sum of their probabilities. Calibration and the precision-recall curve follow from these.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tfrespam.evaluation.calibration import Reliability

BINS = 100


@dataclasses.dataclass
class ProbabilityCounts:
    """Pixels by probability; bin k holds probabilities from k / bins to below (k + 1) / bins, the last one 1 too.

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
        """Counts the pixels of a mask (bool, or 0 and nonzero) and probabilities in [0, 1] of one shape."""
        probability = np.asarray(probability, float).ravel()
        place = np.minimum((probability * self.bins).astype(np.intp), self.bins - 1)
        self.pixels += np.bincount(place, minlength=self.bins)
        self.mass += np.bincount(place[np.asarray(reference).ravel() != 0], minlength=self.bins)
        self.total += np.bincount(place, probability, minlength=self.bins)

    def watch(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Passes (reference, probability) pairs on and counts them."""
        for reference, probability in pairs:
            self.add(reference, probability)
            yield reference, probability

    def rows(self) -> list[dict[str, float]]:
        """calibration.csv: one row a bin."""
        columns = zip(self.pixels.tolist(), self.mass.tolist(), self.total.tolist(), strict=True)
        return [{"from": place / self.bins, "to": (place + 1) / self.bins, "pixels": pixels, "mass": mass,
                 "probability_sum": total} for place, (pixels, mass, total) in enumerate(columns)]  # fmt: skip

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, str]]) -> "ProbabilityCounts":
        """calibration.csv read again."""
        counts = cls(len(rows))
        counts.pixels, counts.mass = (np.array([int(row[name]) for row in rows]) for name in ("pixels", "mass"))
        counts.total = np.array([float(row["probability_sum"]) for row in rows])
        return counts

    def reliability(self, groups: int = 10) -> Reliability:
        """The bins put together in `groups` groups."""
        pixels, mass, total = (np.add.reduceat(values, np.arange(groups) * self.bins // groups)
                               for values in (self.pixels, self.mass, self.total))  # fmt: skip
        with np.errstate(invalid="ignore"):  # 0 / 0: an empty group
            return Reliability(total / pixels, mass / pixels, pixels)

    def expected_calibration_error(self, groups: int = 10) -> float:
        """Mean distance of probability and share of mass over all pixels (Naeini et al. 2015), NaN without pixels."""
        return self.reliability(groups).error if self.pixels.sum() else float("nan")

    def confusion(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """True and false positives, true and false negatives at the thresholds 0, 1 / bins, ...; each (bins,)."""
        tp = np.cumsum(self.mass[::-1])[::-1]
        fp = np.cumsum((self.pixels - self.mass)[::-1])[::-1]
        return tp, fp, (self.pixels - self.mass).sum() - fp, self.mass.sum() - tp

    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision (1 where nothing is predicted) and recall (1 where there is no mass) at those thresholds."""
        tp, fp, _, fn = self.confusion()
        precision = np.where(tp + fp == 0, 1.0, tp / np.maximum(tp + fp, 1))
        return precision, np.where(tp + fn == 0, 1.0, tp / np.maximum(tp + fn, 1))
