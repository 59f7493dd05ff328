"""Segment the breast on a film, without labels, scratches and the dark background.

`graph_breast` performs the same steps on the same grid in the exported graph, so that films are processed in inference
as in training.
"""

import cv2
import numpy as np

from tfrespam.data.geometry.crop import Box

CELLS = 128  # along a film's longest side: details are not needed, and the result does not depend on the resolution
MARGIN = 2  # cells; with 0, 1 in 40 of CBIS-DDSM's training films loses over 1 % of a mass, with 2 only one film does


def region(image: np.ndarray) -> np.ndarray:
    """Segment the breast in `image` (H, W) uint16, bright = dense, as bool cells of shape `grid(image.shape)`.

    The region is the largest connected component brighter than a third of Otsu's threshold, dilated by MARGIN cells. It
    is all cells if there is no such component.
    """
    cells = cv2.resize(image, grid(image.shape)[::-1], interpolation=cv2.INTER_AREA)
    largest = bright_part(np.rint(cells / 257.0).astype(np.uint8))
    return cv2.dilate(largest.astype(np.uint8), np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)) > 0


def bright_part(grey: np.ndarray) -> np.ndarray:
    """Return the largest component of `grey` (H, W) uint8 brighter than a third of Otsu's threshold; all if none."""
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    bright = cv2.morphologyEx((grey > max(level / 3, 4)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return np.ones_like(bright, bool)
    return labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])


def grid(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of cells of a film of `shape`: nearly square cells, CELLS along the longest side."""
    rows, columns = (max(round(CELLS * side / max(shape)), 1) for side in shape)
    return rows, columns


def box(cells: np.ndarray, shape: tuple[int, int]) -> Box:
    """Return the bounding box of the true cells, in pixels of a film of `shape`."""
    ends = []
    for axis, length in enumerate(shape):
        filled, count = np.flatnonzero(cells.any(axis=1 - axis)), cells.shape[axis]
        ends.append((int(filled[0]) * length // count, -(-(int(filled[-1]) + 1) * length // count)))
    (y0, y1), (x0, x1) = ends
    return y0, x0, y1, x1


def pixels(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Enlarge `cells` to a film's `shape` (H, W); each pixel has its cell's value."""
    rows, columns = (np.arange(length) * count // length for length, count in zip(shape, cells.shape, strict=True))
    return cells[np.ix_(rows, columns)]
