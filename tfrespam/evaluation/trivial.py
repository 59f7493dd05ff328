"""Trivial baseline masks, which do not depend on the image: a network must score better than these.

On crops around a mass, position and size alone give most of the Dice. A Dice should therefore be compared with:

* all_ones: the whole image is mass;
* centred_ellipse: an upright ellipse in the centre, whose axes have the best mean Dice on the training masks;
* mean_mask: pixels where the mean of the training masks is above the level with the best mean Dice on those masks.

The last two are fitted on training masks only. Their parameters fit in a small JSON object, which a model stores.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import ndimage

from tfrespam.evaluation import confusion

GRID = 32  # cells a side of the stored mean mask: a mean over hundreds of masks has no finer detail
_UNFITTED_AXES = (0.25, 0.25)  # ellipse over a fifth of the image, about the share of the mass in default crops
_LEVELS = np.arange(2, 99) / 100  # shares of the highest mean
_AXES = np.arange(4, 73, 2) / 100  # shares of the image's sides; its corners are at 0.707


@dataclasses.dataclass(frozen=True)
class TrivialMasks:
    """The three trivial masks, for images of any size.

    Args:
        axes: Semi-axes of the ellipse, as shares of the image's height and width.
        mean: Mean of the training masks, (GRID, GRID) in [0, 1]; None without training masks.
        level: Threshold of the mean; values above it count as mass.
    """

    axes: tuple[float, float] = _UNFITTED_AXES
    mean: np.ndarray | None = None
    level: float = 0.5

    @classmethod
    def fit(cls, training_masks: Iterable[np.ndarray]) -> "TrivialMasks":
        """Fit ellipse and mean mask.

        Args:
            training_masks: Masks (H, W) or (H, W, 1) in {0, 1}, iterated once; each is reduced to GRID x GRID values.
                Without any mask, the result is a fixed ellipse and no mean mask.
        """
        cells = [shrink(_flat(mask), GRID).ravel() for mask in training_masks]
        if not cells:
            return cls()
        cells = np.array(cells, dtype=np.float32)
        mean = np.round(cells.mean(axis=0, dtype=float), 4)  # as stored in JSON
        levels = np.round(mean.max() * _LEVELS, 6)  # relative: in whole films no cell is mass in most films
        level = levels[np.argmax(_mean_dice(cells, mean > levels[:, None]))]
        axes = np.array(np.meshgrid(_AXES, _AXES)).reshape(2, -1).T
        best = axes[np.argmax(_mean_dice(cells, np.array([ellipse((GRID, GRID), pair).ravel() for pair in axes])))]
        return cls((float(best[0]), float(best[1])), mean.reshape(GRID, GRID), float(level))

    def masks(self, shape: tuple[int, int]) -> dict[str, np.ndarray]:
        """Return the masks at size `shape` = (H, W), bool, by name; without "mean_mask" if it was not fitted."""
        masks = {"all_ones": np.ones(shape, bool), "centred_ellipse": ellipse(shape, self.axes)}
        if self.mean is not None:
            masks["mean_mask"] = enlarge(self.mean, shape) > self.level
        return masks

    def to_dict(self) -> dict[str, Any]:
        """Convert to values that JSON can store, about 10 kB."""
        return {"axes": list(self.axes), "level": self.level, "mean": None if self.mean is None else self.mean.tolist()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "TrivialMasks":
        mean = None if stored["mean"] is None else np.array(stored["mean"], dtype=float)
        return cls(tuple(stored["axes"]), mean, stored["level"])


def _flat(mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask) != 0
    return mask[..., 0] if mask.ndim == 3 else mask


def _cell_means(values: np.ndarray, cells: int) -> np.ndarray:
    """Average `values` (n, m) over `cells` intervals of equal length of the first axis.

    A pixel on the boundary of two intervals counts in both, by its share.
    """
    pixels = len(values)
    edges = np.arange(cells + 1) * (pixels / cells)
    whole = np.minimum(edges.astype(int), pixels - 1)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    sums = sums[whole] + (edges - whole)[:, None] * values[whole]  # integral up to each edge
    return np.diff(sums, axis=0) * (cells / pixels)


def shrink(mask: np.ndarray, cells: int) -> np.ndarray:
    """Average a mask (H, W) of any size in each of cells x cells equal cells."""
    return _cell_means(_cell_means(mask, cells).T, cells).T


def enlarge(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize `values` (h, w) to `shape` by linear interpolation between the centres of the cells."""
    zoom = shape[0] / values.shape[0], shape[1] / values.shape[1]
    return ndimage.zoom(values, zoom, order=1, mode="nearest", grid_mode=True)


def ellipse(shape: tuple[int, int], axes: tuple[float, float]) -> np.ndarray:
    """Return the mask (H, W) of a centred ellipse, by pixel centres; semi-axes are shares of height and width."""
    y, x = ((np.arange(side) + 0.5) / side - 0.5 for side in shape)
    return (y[:, None] / axes[0]) ** 2 + (x / axes[1]) ** 2 <= 1


def _mean_dice(cells: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Compute the mean Dice over masks, stored as shares of cells (n, c), for each binary candidate mask (k, c)."""
    candidates, total = candidates.astype(np.float32), np.zeros(len(candidates))
    for part in np.array_split(cells, range(1024, len(cells), 1024)):  # limits memory use
        sizes = part.sum(axis=1)[:, None] + candidates.sum(axis=1)
        shared = 2 * part @ candidates.T
        total += np.where(sizes > 0, shared / np.maximum(sizes, 1e-6), 1).sum(axis=0, dtype=float)
    return total / len(cells)


def trivial_dice(references: Iterable[np.ndarray], trivial: TrivialMasks) -> dict[str, float]:
    """Compute each trivial mask's mean Dice over images, against `references` (H, W) or (H, W, 1), iterated once.

    Returns:
        "all_ones", "centred_ellipse", "mean_mask"; NaN for a mask that was not fitted, or without references.
    """
    drawn: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    scores: dict[str, list[float]] = {"all_ones": [], "centred_ellipse": [], "mean_mask": []}
    for reference in map(_flat, references):
        if reference.shape not in drawn:
            drawn[reference.shape] = trivial.masks(reference.shape)
        for name, mask in drawn[reference.shape].items():
            counts = confusion.count_pixels(reference[None], mask[None])
            scores[name].append(float(confusion.dice(counts)[0]))
    return {name: float(np.mean(values)) if values else float("nan") for name, values in scores.items()}


def skill(dice: float, trivial: dict[str, float]) -> float:
    """Compute the skill score (dice - best) / (1 - best) relative to the best trivial mask.

    0 means no better than the best trivial mask, 1 means perfect; it is negative below the best trivial mask.

    Args:
        dice: Mean Dice in [0, 1].
        trivial: Mean Dice of each trivial mask on the same images, as from `trivial_dice`.

    Returns:
        NaN if no trivial mask is known, or if the best one has Dice 1.

    Examples:
        >>> round(skill(0.9, {"all_ones": 0.4, "centred_ellipse": 0.75, "mean_mask": 0.8}), 3)
        0.5
    """
    known = [score for score in trivial.values() if not np.isnan(score)]
    if not known or max(known) >= 1:
        return float("nan")
    return (dice - max(known)) / (1 - max(known))
