"""Rank networks on the same images, with tests against the best one."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfrespam.evaluation.statistics import bootstrap_means, holm, paired_bootstrap_difference, paired_wilcoxon
from tfrespam.studies.comparison.collect import Scores, shared_images


@dataclasses.dataclass(frozen=True)
class Standing:
    """Rank of one network among those evaluated on the same images.

    Args:
        n_images: Number of images that all of them evaluated.
        dice: Mean over those images.
        behind: Dice minus the best network's, its 95 % interval by patients; (0, 0, 0) for the best.
        p: Wilcoxon's signed-rank test against the best on the patients' mean differences; NaN for the best.
        p_holm: The same, adjusted for the number of tests.
        ranks: Share of the bootstrap resamples of the patients in which the network is 1st, 2nd, ...
    """

    n_images: int
    dice: float
    behind: tuple[float, float, float]
    p: float
    p_holm: float
    ranks: tuple[float, ...]


def standings(networks: Mapping[str, Scores], resamples: int = 2000) -> dict[str, Standing]:
    """Rank the networks by name; {} if fewer than two networks, or no image, can be compared."""
    images = shared_images(list(networks.values()))
    if len(networks) < 2 or not images:
        return {}
    shared = {name: scores.only(images) for name, scores in networks.items()}
    patients = next(iter(shared.values())).patients
    dice = {name: scores.columns["dice"] for name, scores in shared.items()}
    best = max(dice, key=lambda name: dice[name].mean())
    others = [name for name in dice if name != best]
    p = {name: paired_wilcoxon(dice[name], dice[best], patients) for name in others}
    adjusted = dict(zip(others, holm([p[name] for name in others]).tolist(), strict=True))
    shares = dict(zip(dice, rank_shares(np.array(list(dice.values())), patients, resamples), strict=True))
    nan = float("nan")
    return {name: Standing(len(images), float(values.mean()),
                           tuple(paired_bootstrap_difference(values, dice[best], patients, resamples)),
                           p.get(name, nan), adjusted.get(name, nan), tuple(shares[name].tolist()))
            for name, values in dice.items()}  # fmt: skip


def rank_shares(values: np.ndarray, patients: np.ndarray, resamples: int = 2000) -> np.ndarray:
    """Compute the share of resamples in which network k has rank r, (K, K); equal networks share ranks.

    Args:
        values: (K, N) scores of the same images.
        patients: (N,).
    """
    means = np.array([bootstrap_means(row, patients, resamples=resamples) for row in values])  # (K, resamples)
    better = np.sum(means[None] > means[:, None], axis=1)  # (K, resamples): number of better networks
    equal = np.sum(means[None] == means[:, None], axis=1)  # including itself
    return np.stack([np.mean(((better <= rank) & (rank < better + equal)) / equal, axis=1)
                     for rank in range(len(values))], axis=1)  # fmt: skip
