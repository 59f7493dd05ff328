"""Draw masks of lesions that a list describes as circles, ellipses or polygons."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from tfrespam.data.dicom.greys import stretch
from tfrespam.data.readers.image_file import read_grey, why_unreadable
from tfrespam.data.readers.records import Action, Film, FilmPixels, LedgerRow

SUBPIXEL_BITS = 4


def ellipse(centre: tuple[float, float], radii: tuple[float, float], size: tuple[int, int],
            angle: float = 0.0) -> np.ndarray:  # fmt: skip
    """Draw an ellipse, (H, W) bool, by the centres of pixels.

    Args:
        centre: x and y in pixels, from the top left; may lie outside.
        radii: Along the first and second axis (x and y if `angle` is 0), in pixels; empty if one is 0 or less.
        size: (H, W) of the image.
        angle: Angle of the first axis from x towards y, in radians.
    """
    if min(radii) <= 0:
        return np.zeros(size, bool)
    rows, columns = np.ogrid[: size[0], : size[1]]
    right, down = columns - centre[0], rows - centre[1]
    first = right * np.cos(angle) + down * np.sin(angle)
    second = down * np.cos(angle) - right * np.sin(angle)
    return (first / radii[0]) ** 2 + (second / radii[1]) ** 2 <= 1


def polygon(points, size: tuple[int, int]) -> np.ndarray:
    """Draw a polygon with its outline, (H, W) bool of `size`; empty for fewer than three points (x, y)."""
    mask = np.zeros(size, np.uint8)
    if len(points) >= 3:
        corners = np.rint(np.array(points, float) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, shift=SUBPIXEL_BITS)
    return mask.astype(bool)


def read_drawn(film: Film, root: str, image: str, listed: str, draw: Callable[[tuple[int, int]], Iterable[tuple]],
               spacing_mm: float = float("nan")) -> FilmPixels:  # fmt: skip
    """Read a film with drawn lesions, for the function `read` of a source.

    Args:
        film: The film, with its lesions in the order of `draw`.
        root, image, listed: Download folder; paths in it of image and list (for the ledger).
        draw: Size (H, W) -> for each lesion its mask (H, W) bool, or None if it cannot belong to this image, and a
            detail for the ledger.
        spacing_mm: Spacing of the film's pixels.
    """
    try:
        pixels = stretch(read_grey(Path(root, image)))
        drawn = list(zip(film.lesions, draw(pixels.shape), strict=True))
    except Exception as error:
        row = Action.SKIPPED_UNREADABLE, why_unreadable(error)
        return FilmPixels(None, (), tuple(LedgerRow(lesion.lesion_id, image, listed, *row) for lesion in film.lesions))
    actions = [_action(mask) for _, (mask, _) in drawn]
    ledger = tuple(LedgerRow(lesion.lesion_id, image, listed, action, detail)
                   for action, (lesion, (_, detail)) in zip(actions, drawn, strict=True))
    kept = tuple((lesion, mask) for (lesion, (mask, _)), action in zip(drawn, actions, strict=True) if action.kept)
    return FilmPixels(pixels if kept else None, kept, ledger, spacing_mm)


def _action(mask: np.ndarray | None) -> Action:
    """Return the ledger's action; a mask that fills the whole image was drawn for a smaller one."""
    if mask is None:
        return Action.SKIPPED_AMBIGUOUS
    if not mask.any():
        return Action.SKIPPED_EMPTY
    return Action.SKIPPED_AMBIGUOUS if mask.all() else Action.USED
