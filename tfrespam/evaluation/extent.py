"""Size of a segmented mass as radiology reports state it: area and longest diameter."""

from typing import NamedTuple

import cv2
import numpy as np


class Extent(NamedTuple):
    """Area and longest diameter of a mask; both 0 for an empty one."""

    area_px: int
    longest_diameter_px: float


def extent(mask: np.ndarray) -> Extent:
    """Measure `mask` (H, W) bool.

    The longest diameter is the largest distance between the centres of two pixels of one connected component, plus one
    pixel: a single pixel measures 1, a row of n pixels n. With several components the longest one counts; the distance
    between two masses is not a diameter.

    Examples:
        >>> extent(np.array([[0, 1, 1, 1], [0, 0, 0, 0]], bool))
        Extent(area_px=3, longest_diameter_px=3.0)
    """
    contours, _ = cv2.findContours(np.asarray(mask, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return Extent(int(np.count_nonzero(mask)), max(map(_longest_diameter, contours), default=0.0))


def _longest_diameter(contour: np.ndarray) -> float:
    """Measure one component; the two farthest points of a set are vertices of its convex hull, so only those count."""
    corners = cv2.convexHull(contour)[:, 0].astype(np.float64)
    return float(np.linalg.norm(corners[:, None] - corners[None], axis=-1).max()) + 1
