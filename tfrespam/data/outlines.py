"""Lesions that a list describes by numbers: circles, ellipses and polygons, drawn as masks."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from tfrespam.data.dicom_greys import stretch
from tfrespam.data.pictures import read_picture, why_unreadable
from tfrespam.data.records import Action, Film, FilmPixels, LedgerRow

SUBPIXEL_BITS = 4


def ellipse(centre: tuple[float, float], radii: tuple[float, float], size: tuple[int, int],
            angle: float = 0.0) -> np.ndarray:  # fmt: skip
    """The pixels whose centres lie in an ellipse, (H, W) bool.

    Args:
        centre: x and y in pixels, from the top left; may lie outside.
        radii: Along its first and its second axis, x and y where `angle` is 0, in pixels; 0 and less enclose nothing.
        size: (H, W) of the picture.
        angle: Of the first axis from x towards y, in radians.
    """
    if min(radii) <= 0:
        return np.zeros(size, bool)
    rows, columns = np.ogrid[: size[0], : size[1]]
    right, down = columns - centre[0], rows - centre[1]
    first = right * np.cos(angle) + down * np.sin(angle)
    second = down * np.cos(angle) - right * np.sin(angle)
    return (first / radii[0]) ** 2 + (second / radii[1]) ** 2 <= 1


def polygon(points, size: tuple[int, int]) -> np.ndarray:
    """A polygon's inside and outline, (H, W) bool of `size`; fewer than three points (x, y) enclose nothing."""
    mask = np.zeros(size, np.uint8)
    if len(points) >= 3:
        corners = np.rint(np.array(points, float) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, shift=SUBPIXEL_BITS)
    return mask.astype(bool)


def read_drawn(film: Film, root: str, image: str, listed: str, draw: Callable[[tuple[int, int]], Iterable[tuple]],
               spacing_mm: float = float("nan")) -> FilmPixels:  # fmt: skip
    """Reads a film whose lesions are drawn: what the `read` of such a source does.

    Args:
        film: Its lesions in the order of `draw`.
        root, image, listed: The picture and the list below `root`, for the ledger as well.
        draw: Size (H, W) -> for each lesion its mask (H, W) bool and a detail for the ledger.
        spacing_mm: Of the film's pixels.
    """
    try:
        pixels = stretch(read_picture(Path(root, image)))
        drawn = list(zip(film.lesions, draw(pixels.shape), strict=True))
    except Exception as error:
        row = Action.SKIPPED_UNREADABLE, why_unreadable(error)
        return FilmPixels(None, (), tuple(LedgerRow(lesion.lesion_id, image, listed, *row) for lesion in film.lesions))
    actions = [Action.USED if mask.any() else Action.SKIPPED_EMPTY for _, (mask, _) in drawn]
    ledger = tuple(LedgerRow(lesion.lesion_id, image, listed, action, detail)
                   for action, (lesion, (_, detail)) in zip(actions, drawn, strict=True))
    kept = tuple((lesion, mask) for lesion, (mask, _) in drawn if mask.any())
    return FilmPixels(pixels if kept else None, kept, ledger, spacing_mm)
