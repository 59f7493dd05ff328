"""Remove burnt-in labels and white scanner borders from scanned films."""

import numpy as np

from tfrespam.data.geometry import breast

WHITE = 0.98  # share of the brightest grey
FILLED = 0.95  # share of white pixels in a row or column of a border
DEEPEST = 0.06  # largest depth of a border, as a share of the side


def clean(image: np.ndarray) -> np.ndarray:
    """Set everything except the breast to black in `image` (H, W) uint16, bright = dense; the shape is unchanged."""
    inside = without_borders(image)
    return np.where(breast.pixels(breast.region(inside), image.shape), inside, 0).astype(image.dtype)


def without_borders(image: np.ndarray) -> np.ndarray:
    """Set the white rows and columns at the four edges of `image` (H, W) to black."""
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
    """Return the number of border lines from the start, including dark lines before the border and gaps in it."""
    white = np.flatnonzero(lines[: max(round(DEEPEST * len(lines)), 1)])
    return int(white[-1]) + 1 if white.size else 0
