"""Draw contours of masks on a mammogram."""

from collections.abc import Sequence

import cv2
import numpy as np

PREDICTION, REFERENCE = (255, 196, 0), (0, 200, 255)  # amber and cyan: distinguishable by every kind of colour vision
BOX = (255, 255, 255)


def grey_to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Convert integer greys (H, W) to (H, W, 3) uint8, with the smallest value black and the largest white."""
    low, high = float(pixels.min()), float(pixels.max())
    grey = (pixels.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1))
    return cv2.cvtColor(np.rint(grey).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def draw_contour(image: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = PREDICTION) -> np.ndarray:
    """Draw the outline of `mask` (H, W) bool on a copy of `image` (H, W, 3) uint8 RGB; thicker on larger images."""
    contours, _ = cv2.findContours(np.asarray(mask, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(min(mask.shape) / 300))
    return cv2.drawContours(image.copy(), contours, -1, colour, thickness)


def draw_candidates(image: np.ndarray, found: Sequence[tuple[tuple[int, int, int, int], float]]) -> np.ndarray:
    """Draw each candidate's box, number and score on a copy of `image` (H, W, 3).

    Args:
        image: uint8 RGB.
        found: Box (y0, x0, y1, x1) and score of each, in the order of their numbers.
    """
    drawn, scale = image.copy(), max(min(image.shape[:2]) / 900, 0.4)
    thickness = max(1, round(1.5 * scale))
    for number, ((y0, x0, y1, x1), score) in enumerate(found, 1):
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), BOX, thickness)
        text = f"{number}: {score:.2f}"
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        left = min(max(x0, 0), max(image.shape[1] - width, 0))
        bottom = y0 - 2 * thickness if y0 > height + 2 * thickness else min(y1 + height + 2 * thickness, len(image))
        for colour, width in (((0, 0, 0), 3 * thickness), (BOX, thickness)):
            cv2.putText(drawn, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return drawn
