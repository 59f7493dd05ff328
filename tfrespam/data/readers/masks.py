"""Distinguish lesion masks from images, and fit them to their film."""

import cv2
import numpy as np

from tfrespam.data.readers.records import Action

SIDES = (0.5, 2.0)  # ratio of the sides of a mask and of its film; outside, the mask is of another film
UNEQUAL = 1.15  # largest ratio of both scales of a mask; 1 for a film digitised twice, not for a transposed mask
FEW = 8  # largest number of trimmed pixels, or one per cent of the side if that is more
SMEARED = 1 / 200  # share of in-between greys that JPEG leaves at the edges of a two-grey image
NOISE = 16  # grey levels of 255: a JPEG mask that stays below is empty


def is_two_grey(levels: np.ndarray, lossy: bool) -> bool:
    """Return whether an image has at most two grey levels; JPEG (`lossy`) may blur the edges between them."""
    low, high = int(levels.min()), int(levels.max())
    if not lossy:
        return np.count_nonzero(levels == low) + np.count_nonzero(levels == high) >= levels.size
    quarter = (high - low) / 4
    between = np.count_nonzero((levels > low + quarter) & (levels < high - quarter))
    return high < NOISE or (high > 128 and between <= SMEARED * levels.size)


def brighter(levels: np.ndarray, lossy: bool) -> np.ndarray:
    """Return the lesion (H, W) bool of an image with two greys; empty if it is (for JPEG: nearly) constant."""
    return levels > (127 if lossy else int(levels.min()))


def belongs(size: tuple[int, int], film_size: tuple[int, int]) -> bool:
    """Return whether a mask of `size` (H, W) can belong to a film of `film_size`, perhaps scaled, not transposed."""
    scales = [side / wanted for side, wanted in zip(size, film_size, strict=True)]
    transposed = size == film_size[::-1] and size != film_size
    return SIDES[0] <= min(scales) and max(scales) <= min(SIDES[1], UNEQUAL * min(scales)) and not transposed


def fit(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit a mask (H, W) bool of another size to its film's `size`.

    If it differs by a few pixels, it was trimmed at an unknown side: it is centred, which halves the largest possible
    error. (On 100 real masks that lost 3 rows and 5 columns at 800 pixels, mean and worst Dice with the whole mask
    are 0.892 and 0.80; aligned at the top left 0.883 and 0.75; stretched 0.878 and 0.63.) Otherwise it is scaled,
    with its outline halfway between pixels (on the same masks at 0.8 x 0.87 scale 0.966; nearest pixels 0.939).
    """
    if all(abs(side - wanted) <= max(FEW, wanted // 100) for side, wanted in zip(mask.shape, size, strict=True)):
        return _centred(mask, size)
    height, width = size
    return cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR) > 127


def _centred(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    fitted = np.zeros(size, bool)
    shifts = [(wanted - side) // 2 for side, wanted in zip(mask.shape, size, strict=True)]
    inside = [min(side, wanted) for side, wanted in zip(mask.shape, size, strict=True)]
    to = tuple(slice(max(shift, 0), max(shift, 0) + length) for shift, length in zip(shifts, inside, strict=True))
    of = tuple(slice(max(-shift, 0), max(-shift, 0) + length) for shift, length in zip(shifts, inside, strict=True))
    fitted[to] = mask[of]
    return fitted


def at_size(mask: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray | None, Action, str]:
    """Return the mask at its image's `size`, or None, the action, and both sizes if they differ."""
    if mask.shape == size:
        return mask, Action.USED, ""
    sizes = f"mask of {size_text(mask.shape)}, image of {size_text(size)}"
    if not belongs(mask.shape, size):
        return None, Action.SKIPPED_AMBIGUOUS, sizes
    return fit(mask, size), Action.REPAIRED_SIZE, sizes


def size_text(shape: tuple[int, ...]) -> str:
    """Format a size as "800 x 505" (rows by columns)."""
    return " x ".join(str(side) for side in shape)
