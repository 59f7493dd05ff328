"""Compute the difference of a network's scores between the paper's protocol, which leaks, and a patient split."""

import numpy as np

from tfrespam.evaluation.statistics import Difference, bootstrap_means
from tfrespam.studies.comparison.collect import Scores

_PAPER_SEED, _HONEST_SEED = 1, 2


def paper_minus_honest(paper: Scores, honest: Scores, score: str = "dice", resamples: int = 2000) -> Difference:
    """Compute the mean over images under `paper` minus that under `honest`, with its 95 % interval.

    The protocols evaluate different images with different weights. The patients of each are therefore resampled
    separately, and the differences of the resampled means give the interval.
    """
    first, second = paper.columns[score], honest.columns[score]
    means = (bootstrap_means(first, paper.patients, resamples=resamples, seed=_PAPER_SEED)
             - bootstrap_means(second, honest.patients, resamples=resamples, seed=_HONEST_SEED))  # fmt: skip
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(first.mean() - second.mean()), float(low), float(high))
