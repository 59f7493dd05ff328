"""Which validation cases are watched in training: easy, median and hard ones, the same from start to end."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tfrespam.evaluation import confusion
from tfrespam.evaluation.trivial import TrivialMasks

KINDS = ("easy", "median", "hard")


class Cases(NamedTuple):
    """Watched cases, grouped by kind."""

    kinds: list[str]  # (N,) of KINDS
    images: np.ndarray  # (N, H, W, 1) float32 in [0, 1]
    masks: np.ndarray  # (N, H, W, 1) float32 {0, 1}


def pick(masks: np.ndarray, number: int) -> dict[str, list[int]]:
    """Positions of about `number` cases, as many of each kind.

    No network is asked, so a run that goes on shows the same cases: easy is what the trivial masks (ellipse, mean of
    these masks) fit best, hard what they fit worst. Equals stand in the data set's order.

    Args:
        masks: (N, H, W, 1) in {0, 1}, all validation cases.
        number: How many cases; 0 gives none, 1 or 2 the first kinds.
    """
    fits = _trivial_fit(masks)
    ranking = np.argsort(-fits, kind="stable").tolist()
    each = [(number + 2 - place) // 3 for place in range(3)]
    middle = max(0, (len(ranking) - each[1]) // 2)
    chosen = (ranking[: each[0]], ranking[middle : middle + each[1]], ranking[::-1][: each[2]])
    taken: set[int] = set()
    picked = {}
    for kind, positions in zip(KINDS, chosen, strict=True):  # of few cases none is shown twice
        picked[kind] = [place for place in positions if place not in taken]
        taken.update(positions)
    return {kind: positions for kind, positions in picked.items() if positions}


def _trivial_fit(masks: np.ndarray) -> np.ndarray:
    """Best Dice of the trivial masks with each mask: (N,)."""
    flat = np.asarray(masks)[..., 0] != 0
    drawn = TrivialMasks.fit(flat).masks(flat.shape[1:])
    guesses = [np.broadcast_to(drawn[name], flat.shape) for name in ("centred_ellipse", "mean_mask") if name in drawn]
    return np.max([confusion.dice(confusion.count_pixels(flat, guess)) for guess in guesses], axis=0)


def watched(batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]], number: int) -> Cases:
    """Picks cases from what `batches` gives, (images, masks); asks it twice, and keeps only what is shown."""
    picked = pick(np.concatenate([masks for _, masks in batches()]), number)
    wanted = [place for positions in picked.values() for place in positions]
    found, start = {}, 0
    for images, masks in batches():
        for place in wanted:
            if start <= place < start + len(images):
                found[place] = images[place - start], masks[place - start]
        start += len(images)
    kinds = [kind for kind, positions in picked.items() for _ in positions]
    return Cases(kinds, *(np.stack([found[place][which] for place in wanted]) for which in (0, 1)))
