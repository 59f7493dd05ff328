"""Contours drawn on a mammogram."""

import cv2
import numpy as np

PREDICTION, REFERENCE = (255, 196, 0), (0, 200, 255)  # amber and cyan: told apart by every kind of colour vision


def grey_to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Integer greys (H, W) to (H, W, 3) uint8, smallest value black and largest white."""
    low, high = float(pixels.min()), float(pixels.max())
    grey = (pixels - low) * (255 / max(high - low, 1))
    return cv2.cvtColor(np.rint(grey).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def draw_contour(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = PREDICTION) -> np.ndarray:
    """A copy of `picture` (H, W, 3) uint8 RGB with the outline of `mask` (H, W) bool, thicker on larger pictures."""
    contours, _ = cv2.findContours(np.asarray(mask, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(min(mask.shape) / 300))
    return cv2.drawContours(picture.copy(), contours, -1, colour, thickness)
