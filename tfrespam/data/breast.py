"""Where the breast is on a film: labels, scratches and the dark background are not it.

The exported graph takes the same steps on the same grid (`tfrespam.serving.breast`): a film is treated in use as it was
in training.
"""

import cv2
import numpy as np

from tfrespam.data.crop import Box

CELLS = 128  # of a film's longest side: its details do not matter here, and films of all resolutions are alike
MARGIN = 2  # cells; with none 1 in 40 of CBIS-DDSM's training films loses over 1 % of a mass, with 2 only one film does


def region(image: np.ndarray) -> np.ndarray:
    """The breast as bool cells, shaped `grid(image.shape)`, of `image` (H, W) uint16, bright = dense.

    The largest part that is brighter than a third of Otsu's level, and MARGIN cells around it; all cells where there
    is no such part.
    """
    cells = cv2.resize(image, grid(image.shape)[::-1], interpolation=cv2.INTER_AREA)
    grey = np.rint(cells / 257.0).astype(np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    bright = cv2.morphologyEx((grey > max(level / 3, 4)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return np.ones_like(bright, bool)
    largest = (labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    return cv2.dilate(largest, np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)) > 0


def grid(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of cells of a film of `shape`: about square, CELLS on the longest side."""
    rows, columns = (max(round(CELLS * side / max(shape)), 1) for side in shape)
    return rows, columns


def box(cells: np.ndarray, shape: tuple[int, int]) -> Box:
    """Box, in pixels of a film of `shape`, around the true ones of `cells`."""
    ends = []
    for axis, length in enumerate(shape):
        filled, count = np.flatnonzero(cells.any(axis=1 - axis)), cells.shape[axis]
        ends.append((int(filled[0]) * length // count, -(-(int(filled[-1]) + 1) * length // count)))
    (y0, y1), (x0, x1) = ends
    return y0, x0, y1, x1


def pixels(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`cells` at a film's `shape` (H, W): each pixel has its cell's value."""
    rows, columns = (np.arange(length) * count // length for length, count in zip(shape, cells.shape, strict=True))
    return cells[np.ix_(rows, columns)]
