"""Surface distances between two masks, in pixels: HD95, ASSD and NSD.

The outline of a mask is the mask without its erosion by a cross of 5 pixels (4 neighbours). Pixels outside the image
count as background, so a mass that the edge of the image cuts has an outline there. Distances are Euclidean, from the
centre of each outline pixel to the nearest one of the other outline, in both directions.

* hd95: Hausdorff distance at the 95th percentile: that percentile of each direction, then the larger one (Huttenlocher
  1993, doi 10.1109/34.232073).
* assd: average symmetric surface distance: the mean over the pixels of both outlines together.
* nsd: normalised surface Dice: the share of the pixels of both outlines within a tolerance of the other outline
  (Nikolov 2021, doi 10.2196/26151).

Two empty masks: distances 0, nsd 1. One empty mask: it has no outline, so distances are NaN; nsd is 0.
"""

import numpy as np
from scipy import ndimage, spatial


def outline(mask: np.ndarray) -> np.ndarray:
    """Return the positions (n, 2) of the outline pixels of a mask (H, W), computed within its bounding box."""
    mask = np.asarray(mask) != 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return np.empty((0, 2), dtype=np.intp)
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.argwhere(box & ~ndimage.binary_erosion(box)) + (rows[0], columns[0])


def outline_distances(reference: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the distance in pixels of each outline pixel of a mask (H, W) to the other outline, (n,) and (m,).

    Neither mask may be empty.
    """
    first, second = outline(reference), outline(prediction)
    return spatial.KDTree(second).query(first)[0], spatial.KDTree(first).query(second)[0]


def surface_scores(reference: np.ndarray, prediction: np.ndarray, tolerance: float = 2.0) -> dict[str, float]:
    """Compute the three scores of one image.

    Args:
        reference: Mask (H, W), bool or 0 and nonzero.
        prediction: Mask (H, W).
        tolerance: Largest distance, in pixels, at which outlines agree (for nsd).

    Returns:
        "hd95", "assd" in pixels, "nsd" in [0, 1].

    Examples:
        >>> square = np.zeros((9, 9), bool)
        >>> square[2:5, 2:5] = True
        >>> surface_scores(square, np.roll(square, 1, axis=0), tolerance=1.0)["nsd"]
        1.0
    """
    present = bool(np.any(reference)), bool(np.any(prediction))
    if not any(present):
        return {"hd95": 0.0, "assd": 0.0, "nsd": 1.0}
    if not all(present):
        return {"hd95": float("nan"), "assd": float("nan"), "nsd": 0.0}
    forward, backward = outline_distances(reference, prediction)
    both = np.concatenate([forward, backward])
    return {
        "hd95": float(max(np.percentile(forward, 95), np.percentile(backward, 95))),
        "assd": float(both.mean()),
        "nsd": float(np.mean(both <= tolerance)),
    }
