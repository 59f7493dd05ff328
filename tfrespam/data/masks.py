"""Lesion masks as they lie on disk: telling them from pictures, and fitting them to their film."""

import cv2
import numpy as np

SIDES = (0.5, 2.0)  # sides of a mask over those of its film: outside it is no mask of this film
SMEARED = 1 / 200  # share of in-between greys that JPEG leaves at the edges of a two-grey picture
NOISE = 16  # grey levels of 255: a JPEG mask that stays below is empty


def is_two_grey(levels: np.ndarray, lossy: bool) -> bool:
    """Whether a picture has at most two grey levels; JPEG (`lossy`) may smear the edges between them."""
    low, high = int(levels.min()), int(levels.max())
    if not lossy:
        return np.count_nonzero(levels == low) + np.count_nonzero(levels == high) >= levels.size
    quarter = (high - low) / 4
    between = np.count_nonzero((levels > low + quarter) & (levels < high - quarter))
    return high < NOISE or (high > 128 and between <= SMEARED * levels.size)


def brighter(levels: np.ndarray, lossy: bool) -> np.ndarray:
    """The lesion (H, W) bool of a two-grey picture; nothing when it is constant (in JPEG: nearly)."""
    return levels > (127 if lossy else int(levels.min()))


def belongs(size: tuple[int, int], film_size: tuple[int, int]) -> bool:
    """Whether a mask of `size` (H, W) can be one of a film of `film_size`, if a scale off."""
    return all(SIDES[0] <= side / wanted <= SIDES[1] for side, wanted in zip(size, film_size, strict=True))


def fit(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales a mask (H, W) bool to `size`, the outline halfway between pixels.

    One rule for both known faults. Of a scaled mask it undoes the scale. Of a mask that lost a few rows at an unknown
    side, no alignment is known to be right: stretching spreads the error, so that no pixel moves further than the
    number of rows lost, and those far from the side that was trimmed hardly at all.
    """
    height, width = size
    grey = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return grey > 127


def size_text(shape: tuple[int, ...]) -> str:
    """"800 x 505" (rows by columns), for ledgers and messages."""
    return " x ".join(str(side) for side in shape)
