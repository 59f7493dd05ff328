"""The cost of leakage: what a network scores under the paper's protocol and not on patients it has never seen."""

import numpy as np

from tfrespam.comparison.collect import Scores
from tfrespam.evaluation.statistics import Difference, bootstrap_means

_PAPER_SEED, _HONEST_SEED = 1, 2


def cost_of_leakage(paper: Scores, honest: Scores, score: str = "dice", resamples: int = 2000) -> Difference:
    """Mean over images under `paper` minus that under `honest`, with its 95 % interval.

    The two judge different images, by networks of different weights, so the patients of each are resampled on their
    own, and the differences of the resampled means give the interval.
    """
    first, second = paper.columns[score], honest.columns[score]
    means = (bootstrap_means(first, paper.patients, resamples=resamples, seed=_PAPER_SEED)
             - bootstrap_means(second, honest.patients, resamples=resamples, seed=_HONEST_SEED))  # fmt: skip
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(first.mean() - second.mean()), float(low), float(high))
