"""Scanned films without what is no breast: labels burnt into them, and the white borders that scanners leave."""

import numpy as np

from tfrespam.data import breast

WHITE = 0.98  # of the brightest grey
FILLED = 0.95  # share of a row or column that must be white for it to be border
DEEPEST = 0.06  # of a side; what is white farther in is none


def clean(image: np.ndarray) -> np.ndarray:
    """`image` (H, W) uint16, bright = dense, with everything but the breast black; same shape, so masks still fit."""
    inside = without_borders(image)
    return np.where(breast.pixels(breast.region(inside), image.shape), inside, 0).astype(image.dtype)


def without_borders(image: np.ndarray) -> np.ndarray:
    """`image` (H, W) with the white rows and columns at its four edges black."""
    white = image >= WHITE * float(image.max())
    kept = image
    for axis in (0, 1):
        lines = white.mean(axis=1 - axis) >= FILLED
        first, last = _depth(lines), _depth(lines[::-1])
        if first or last:
            kept = kept.copy() if kept is image else kept
            view = kept if axis == 0 else kept.T
            view[:first] = 0
            view[len(lines) - last :] = 0
    return kept


def _depth(lines: np.ndarray) -> int:
    """How many lines from the start belong to a border; dark lines before it and gaps in it count with it."""
    white = np.flatnonzero(lines[: max(round(DEEPEST * len(lines)), 1)])
    return int(white[-1]) + 1 if white.size else 0
