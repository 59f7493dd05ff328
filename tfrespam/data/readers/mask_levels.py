"""Interpret the grey levels of a mask file: which pixels are lesion, or why that is uncertain.

A mask with an uncertain meaning (all lesion, or lesion outside and none inside) is skipped as ambiguous, with the
reason, because a wrong label would not be noticed later.
"""

import numpy as np

from tfrespam.data.readers.image_file import ImageFile
from tfrespam.data.readers.records import Action

NOISE = 16  # grey levels of 255 by which compression may change 0 and the brightest grey
LABELS = 16  # largest number of greys in a mask of numbered classes; more are from compression or soft edges
SOFT = 0.05  # largest share of greys between a quarter and three quarters of the brightest; images have more
DARK, HIDDEN = 1 / 50, 0.9  # of the brightest grey; share of dark pixels from which a lesion is beside the breast


def read_levels(image: ImageFile) -> np.ndarray:
    """Read an image file as a mask (H, W): its brightest channel, or its transparency.

    The luminance of a dark blue label would be 0. If there is only one colour, the lesion is in the alpha channel.
    """
    levels = image.levels if image.levels.ndim == 2 else image.levels.max(axis=2)
    if image.alpha is None:
        return levels
    return image.alpha if levels.min() == levels.max() else np.minimum(levels, image.alpha)


def lesion(levels: np.ndarray, lossy: bool) -> tuple[np.ndarray | None, Action, str]:
    """Return the lesion (H, W) bool in a mask with any greys, or None, with the ledger's action and detail.

    Nonzero pixels are lesion; with many greys from compression or soft edges, those above half of the brightest.
    """
    high = int(levels.max())
    if high == 0:
        return None, Action.SKIPPED_EMPTY, "the mask is empty: all pixels are 0"
    if lossy and high < NOISE:
        return None, Action.SKIPPED_AMBIGUOUS, (f"the mask is a JPEG with a brightest grey of {high}, which may be "
                                                f"noise of the compression; expected at least {NOISE}")  # fmt: skip
    greys = _greys(levels)
    smeared, problem, detail = _smeared(levels, greys, lossy)
    mask = levels > high / 2 if smeared else levels > 0
    problem = problem or sense_problem(mask, greys)
    return (None, Action.SKIPPED_AMBIGUOUS, problem) if problem else (mask, Action.USED, detail)


def _greys(levels: np.ndarray) -> np.ndarray:
    ends = np.array([levels.min(), levels.max()], np.int64)
    if np.count_nonzero(levels == ends[0]) + np.count_nonzero(levels == ends[1]) >= levels.size:
        return np.unique(ends)
    return np.flatnonzero(np.bincount(levels.ravel()))


def _smeared(levels: np.ndarray, greys: np.ndarray, lossy: bool) -> tuple[bool, str, str]:
    """Return whether to threshold at half the brightest grey, why that is uncertain, and a detail."""
    if len(greys) <= 2:
        return lossy, "", ""
    high = int(greys[-1])
    half = "greys above half of the brightest are lesion"
    between = np.count_nonzero((levels > high / 4) & (levels < high * 3 / 4)) / levels.size
    if lossy or len(greys) > LABELS:
        soft = between > SOFT
        return True, f"{len(greys)} greys, many intermediate: an image, or an uncertain outline" if soft else "", (
            "" if lossy else f"the mask has {len(greys)} greys: {half}")  # fmt: skip
    ends = bool(((greys < NOISE) | (greys > high - NOISE)).all()) and high > 2 * NOISE
    if ends and 0 < greys[greys > 0][0] < NOISE:
        unclear = len(greys) <= 4 and np.count_nonzero(levels > 0) != np.count_nonzero(levels > high / 2)
        listed = ", ".join(map(str, greys))
        return True, f"greys {listed}: these may be classes, or noise of the compression" if unclear else "", (
            f"the mask has {len(greys)} greys: {half}")  # fmt: skip
    return False, "", "the mask has more than two greys: all except 0 are lesion"


def sense_problem(mask: np.ndarray, greys: np.ndarray | None = None) -> str:
    """Return why a mask (H, W) bool cannot be a lesion on a background, or ""."""
    if mask.all():
        listed = "" if greys is None else f", its greys are {', '.join(map(str, greys[:4]))}"
        return f"the mask has no pixel of 0: the whole image would be lesion{listed}"
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if mask.mean() > 0.5 and edge.mean() > 0.5:
        return f"{mask.mean():.0%} of the mask is lesion, including most of its edge: is it inverted?"
    return ""


def is_in_background(mask: np.ndarray, image: np.ndarray) -> bool:
    """Return whether a lesion (H, W) bool is in the black of its image: rotated, mirrored, or of another image.

    On CBIS-DDSM's training list no mass has more than 0.08 of its pixels there.
    """
    return bool(np.mean(image[mask] <= DARK * image.max()) > HIDDEN)
