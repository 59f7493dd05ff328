"""How far apart the outlines of two masks are, in pixels.

The outline of a mask is the mask without its erosion by a cross of 5 pixels (4 neighbours); what lies outside the
picture counts as background, so a mass that is cut by the edge of the picture has an outline there. Distances are
Euclidean, from the centre of each outline pixel to the nearest one of the other outline, in both directions.

* hd95: the 95th percentile of each direction, then the larger one (Huttenlocher 1993, doi 10.1109/34.232073).
* assd: the mean over the pixels of both outlines together.
* nsd: the share of the pixels of both outlines within a tolerance of the other (Nikolov 2021, doi 10.2196/26151).

Two empty masks: distances 0, nsd 1. One empty mask: it has no outline to be far from, so distances are NaN; nsd is 0.
"""

import numpy as np
from scipy import ndimage, spatial


def outline(mask: np.ndarray) -> np.ndarray:
    """Positions (n, 2) of the outline pixels of a mask (H, W); cropping the mask to its box changes nothing."""
    mask = np.asarray(mask) != 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return np.empty((0, 2), dtype=np.intp)
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.argwhere(box & ~ndimage.binary_erosion(box)) + (rows[0], columns[0])


def outline_distances(reference: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each outline pixel of the one mask (H, W) to the other outline, both ways. No mask may be empty."""
    first, second = outline(reference), outline(prediction)
    return spatial.KDTree(second).query(first)[0], spatial.KDTree(first).query(second)[0]


def surface_scores(reference: np.ndarray, prediction: np.ndarray, tolerance: float = 2.0) -> dict[str, float]:
    """The three scores of one image.

    Args:
        reference: Mask (H, W), bool or 0 and nonzero.
        prediction: Mask (H, W).
        tolerance: Pixels within which two outlines agree.

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
    there, back = outline_distances(reference, prediction)
    both = np.concatenate([there, back])
    return {
        "hd95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
        "assd": float(both.mean()),
        "nsd": float(np.mean(both <= tolerance)),
    }
