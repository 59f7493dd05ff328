"""Detect images that cannot be mammograms: noise, text and drawings. A network would predict masses on them too."""

import cv2
import numpy as np

CELLS = 128  # along the longest side; film grain and the sharpening of detectors are finer
CORRELATION = 0.4  # smallest correlation of neighbouring cells
MIDDLE = 0.15  # smallest share of pixels that are neither nearly black nor nearly white, except for films
SMALLEST = 32  # pixels; smaller images are not checked


def implausible(pixels: np.ndarray, film: bool) -> str:
    """Return why `pixels` (H, W) cannot be a mammogram, or "" if they may be one.

    Measured on CBIS-DDSM's training list: the correlation of neighbouring cells is at least 0.76 for 1,231 films and at
    least 0.60 for 13,140 crops around masses; it is 0.02 for noise and below 0.1 for a page of text. At least 0.23 of a
    crop's pixels are middle greys; 0.14 of those of a page of text.

    Args:
        pixels: Grey values of any depth.
        film: Whether this is a whole film, most of which may be black.
    """
    if min(pixels.shape) < SMALLEST:
        return ""
    found = correlation(pixels)
    if found < CORRELATION:
        return (f"this is not a mammogram: neighbouring regions are uncorrelated, as in noise or text (correlation "
                f"{found:.2f}; expected {CORRELATION} or more)")  # fmt: skip
    middle = 1.0 if film else middle_greys(pixels)
    if middle < MIDDLE:
        return ("this is not a mammogram: nearly all of it is black or white, as in text or a drawing "
                f"({100 * middle:.0f} % of its pixels are grey; expected {100 * MIDDLE:.0f} % or more)")  # fmt: skip
    return ""


def correlation(pixels: np.ndarray) -> float:
    """Compute the correlation of neighbouring cells, the lower of rows and columns; 1 for a constant image."""
    scale = min(CELLS / max(pixels.shape), 1.0)
    size = [max(round(side * scale), 2) for side in pixels.shape]
    cells = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float64)
    cells -= cells.mean()
    variance = float(np.square(cells).mean())
    if variance == 0:
        return 1.0
    return min(float((cells[:, :-1] * cells[:, 1:]).mean()), float((cells[:-1] * cells[1:]).mean())) / variance


def middle_greys(pixels: np.ndarray) -> float:
    """Compute the share of pixels between a tenth and nine tenths of the image's range."""
    low, high = float(pixels.min()), float(pixels.max())
    margin = (high - low) / 10
    return float(np.mean((pixels > low + margin) & (pixels < high - margin)))
