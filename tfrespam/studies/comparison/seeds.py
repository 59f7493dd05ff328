"""Compute the spread of scores between trainings that differ only in their seed."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfrespam.studies.comparison.collect import Scores, shared_images
from tfrespam.training.run_results import RunResults


class Spread(NamedTuple):
    """Mean of a score over images for each seed.

    Args:
        means: Mean by seed, on the images that all seeds evaluated.
        sd: Standard deviation between seeds (n - 1); NaN for one seed.
    """

    means: dict[int, float]
    sd: float


class SeedDifference(NamedTuple):
    """Difference of two networks for each seed with which both were trained.

    Args:
        values: Difference by seed.
        sd: Standard deviation between seeds (n - 1); NaN for one seed.
        within_seeds: Whether the mean difference is not above the standard deviation between seeds. None for one
            seed.
    """

    values: dict[int, float]
    sd: float
    within_seeds: bool | None


def spread(runs: Sequence[RunResults], images: Sequence[str], score: str = "dice") -> Spread:
    """Compute the spread of one network's score between seeds.

    Args:
        runs: Runs of one network; folds of one seed are combined.
        images: Images to use, if all seeds evaluated them.
        score: A name of `tfrespam.studies.comparison.collect.COLUMNS`.
    """
    pooled = _by_seed(runs)
    common = _common(pooled.values(), images)
    means = {seed: float(scores.only(common).columns[score].mean()) for seed, scores in pooled.items() if common}
    return Spread(means, _sd(means.values()))


def difference(first: Sequence[RunResults], second: Sequence[RunResults], images: Sequence[str],
               score: str = "dice") -> SeedDifference:  # fmt: skip
    """Compute the difference of two networks for each seed, on the images that all these trainings evaluated.

    Args:
        first, second: Runs of each network.
        images: Images to use, if all evaluated them.
        score: A name of `tfrespam.studies.comparison.collect.COLUMNS`.
    """
    mine, others = _by_seed(first), _by_seed(second)
    both = sorted(set(mine) & set(others))
    common = _common(itertools.chain.from_iterable((mine[seed], others[seed]) for seed in both), images)
    values = {seed: float(np.mean(mine[seed].only(common).columns[score] - others[seed].only(common).columns[score]))
              for seed in both if common}  # fmt: skip
    sd = _sd(values.values())
    return SeedDifference(values, sd, None if math.isnan(sd) else bool(abs(np.mean(list(values.values()))) <= sd))


def _by_seed(runs: Sequence[RunResults]) -> dict[int, Scores]:
    seeds = sorted({run.summary["seed"] for run in runs})
    return {seed: Scores.pool([run for run in runs if run.summary["seed"] == seed]) for seed in seeds}


def _common(several, images: Sequence[str]) -> list[str]:
    """Return the images that all evaluated; seeds are compared only on common images."""
    return sorted(set(shared_images(list(several))) & set(images))


def _sd(values) -> float:
    values = list(values)
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
