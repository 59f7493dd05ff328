"""Detect whole films, and negatives (inverted grey values), among images without a header."""

from typing import Literal

import cv2
import numpy as np

from tfrespam.data.geometry import breast

FILM_SIDE = 512  # pixels; images that are smaller in both directions are not films
BACKGROUND = 0.2  # smallest dark share of a film
BREAST = 0.74  # largest share of a film that the breast covers
NARROW = 0.9  # largest ratio of the shorter to the longer side of a film; crops around masses are square
_DARK = 0.08  # share of the brightest grey
_STRIP, _FILLED = 3, 0.6  # cells at the left or right side, and the bright share of them in a negative


def looks_like_film(pixels: np.ndarray) -> bool:
    """Check whether `pixels` (H, W) show a whole breast on a dark background, not a part of a breast.

    A film is large and oblong, a fifth of it is dark, and the breast covers at most three quarters of it. Measured
    on CBIS-DDSM's training list (docs/reference/films.md): 1,228 of 1,231 films are detected; square crops around
    masses never are; of 6,590 crops with the masses' own proportions, contexts 1.2 to 2.4, enlarged to 600 pixels, 212
    are.
    """
    rows, columns = pixels.shape
    return min(rows, columns) <= NARROW * max(rows, columns) and shows_background(pixels)


def shows_background(pixels: np.ndarray) -> bool:
    """Apply the checks of `looks_like_film` except the aspect ratio; square images may be films or crops."""
    if max(pixels.shape) < FILM_SIDE:
        return False
    cells = _cells(pixels)
    if float(np.mean(cells < _DARK * cells.max())) < BACKGROUND:
        return False
    return float(breast.bright_part(_grey(cells)).mean()) <= BREAST


def negative(pixels: np.ndarray) -> Literal["no", "perhaps", "yes"]:
    """Check whether `pixels` (H, W) show a dark breast on a bright background: a MONOCHROME1 film stored unchanged.

    Returns "perhaps" if a fifth of the image is nearly the brightest grey, and "yes" if this background also fills most
    of the left or right side, as beside a breast. Measured on CBIS-DDSM's training list: of 1,231 films none is
    "perhaps" (the largest bright share is 0.11); all of their negatives are at least "perhaps" and 95 % are "yes". Of
    crops around masses at context 1.6, enlarged to 600 pixels, 2.6 % are "perhaps" and 0.7 % "yes", because of tissue
    as bright as the film can show.
    """
    if max(pixels.shape) < FILM_SIDE or shows_background(pixels):
        return "no"
    cells = _cells(pixels).astype(np.float32)
    bright = cells > (1 - _DARK) * cells.max()
    if bright.mean() < BACKGROUND:
        return "no"
    return "yes" if max(bright[:, :_STRIP].mean(), bright[:, -_STRIP:].mean()) >= _FILLED else "perhaps"


def inverted(pixels: np.ndarray) -> np.ndarray:
    """Invert `pixels` (H, W), unsigned: the brightest grey, a negative's background, becomes 0."""
    return pixels.max() - pixels


def _cells(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(pixels, breast.grid(pixels.shape)[::-1], interpolation=cv2.INTER_AREA)


def _grey(cells: np.ndarray) -> np.ndarray:
    """Scale greys of any depth to uint8, the brightest to 255."""
    return np.rint(cells * (255 / max(float(cells.max()), 1.0))).astype(np.uint8)
