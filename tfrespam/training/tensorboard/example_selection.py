"""Select easy, median and hard validation examples for TensorBoard, the same throughout the training."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tfrespam.evaluation import confusion
from tfrespam.evaluation.trivial import TrivialMasks

KINDS = ("easy", "median", "hard")


class Cases(NamedTuple):
    """Selected validation examples, grouped by kind."""

    kinds: list[str]  # (N,) of KINDS
    images: np.ndarray  # (N, H, W, 1) float32 in [0, 1]
    masks: np.ndarray  # (N, H, W, 1) float32 {0, 1}


def pick(masks: np.ndarray, number: int) -> dict[str, list[int]]:
    """Select the positions of about `number` examples, equally many of each kind.

    The selection does not depend on a network, so a resumed run shows the same examples. Easy examples are those that
    the trivial masks (ellipse, mean of these masks) fit best, hard ones those that they fit worst. Equal examples are
    taken in the order of the data set.

    Args:
        masks: (N, H, W, 1) in {0, 1}, all validation examples.
        number: Number of examples; 0 gives none, 1 or 2 only the first kinds.
    """
    fits = _trivial_fit(masks)
    ranking = np.argsort(-fits, kind="stable").tolist()
    each = [(number + 2 - rank) // 3 for rank in range(3)]
    middle = max(0, (len(ranking) - each[1]) // 2)
    chosen = (ranking[: each[0]], ranking[middle : middle + each[1]], ranking[::-1][: each[2]])
    taken: set[int] = set()
    picked = {}
    for kind, positions in zip(KINDS, chosen, strict=True):  # with few examples, none is selected twice
        picked[kind] = [position for position in positions if position not in taken]
        taken.update(positions)
    return {kind: positions for kind, positions in picked.items() if positions}


def _trivial_fit(masks: np.ndarray) -> np.ndarray:
    """Compute the best Dice of the trivial masks with each mask: (N,)."""
    flat = np.asarray(masks)[..., 0] != 0
    trivial = TrivialMasks.fit(flat).masks(flat.shape[1:])
    fitted = [np.broadcast_to(trivial[name], flat.shape) for name in ("centred_ellipse", "mean_mask")
              if name in trivial]  # fmt: skip
    return np.max([confusion.dice(confusion.count_pixels(flat, mask)) for mask in fitted], axis=0)


def watched(batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]], number: int) -> Cases:
    """Select examples from (images, masks) batches; `batches` is called twice, and only selected examples are kept."""
    picked = pick(np.concatenate([masks for _, masks in batches()]), number)
    wanted = [position for positions in picked.values() for position in positions]
    selected, start = {}, 0
    for images, masks in batches():
        for position in wanted:
            if start <= position < start + len(images):
                selected[position] = images[position - start], masks[position - start]
        start += len(images)
    kinds = [kind for kind, positions in picked.items() for _ in positions]
    return Cases(kinds, *(np.stack([selected[position][field] for position in wanted]) for field in (0, 1)))
