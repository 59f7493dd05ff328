"""From a film to network inputs: the crop policy (design: `roi` squares around a lesion, `film` the whole breast)."""

import hashlib

import cv2
import numpy as np

from tfrespam.errors import UserError

# Raise a number with every change of what is cut out: data sets prepared before are then made anew.
POLICY = {"roi": 3, "film": 3}
Box = tuple[int, int, int, int]  # y0, x0, y1, x1 in film pixels, half open; may reach beyond the film


def bounding_box(mask: np.ndarray) -> Box:
    """Smallest box around the pixels of `mask` (H, W) bool, which must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def jitter(lesion_id: str) -> tuple[float, float]:
    """Vertical and horizontal shift of a lesion's crop, each in [-1, 1], drawn once and for all from its id."""
    digest = hashlib.sha256(f"crop jitter {lesion_id}".encode()).digest()
    down, right = (int.from_bytes(digest[k : k + 4], "big") / (2**32 - 1) for k in (0, 4))
    return 2 * down - 1, 2 * right - 1


def roi_box(mask: np.ndarray, lesion_id: str, context: float) -> Box:
    """Square of side `context` x the longest box side, shifted by at most half of the margin that leaves.

    Without the shift a network could learn that masses are always centred. Near the film's edge the square reaches
    beyond it.
    """
    return square_with_context(bounding_box(mask), context, jitter(lesion_id))


def square_with_context(box: Box, context: float, shift: tuple[float, float] = (0.0, 0.0)) -> Box:
    """As `roi_box`, around any lesion's box; `shift`, in [-1, 1], is down and right, 0 for the lesion in the middle."""
    y0, x0, y1, x1 = box
    longest = max(y1 - y0, x1 - x0)
    side = max(round(context * longest), 8)
    reach = (side - longest) / 4
    top = round((y0 + y1 - side) / 2 + shift[0] * reach)
    left = round((x0 + x1 - side) / 2 + shift[1] * reach)
    return top, left, top + side, left + side


def square_around(box: Box) -> Box:
    """The smallest square that holds `box`, on the same centre: keeps the aspect of what is then resized."""
    y0, x0, y1, x1 = box
    side = max(y1 - y0, x1 - x0)
    top, left = (y0 + y1 - side) // 2, (x0 + x1 - side) // 2
    return top, left, top + side, left + side


def cut(picture: np.ndarray, box: Box) -> np.ndarray:
    """The part of `picture` (H, W) inside `box`; zero beyond the film, where there is neither tissue nor mass."""
    y0, x0, y1, x1 = box
    rows, columns = picture.shape
    inside = picture[max(y0, 0) : min(y1, rows), max(x0, 0) : min(x1, columns)]
    if not inside.size:
        raise UserError(f"crop {box} lies outside its film. Expected an overlap with {rows} x {columns} pixels")
    margins = max(-y0, 0), max(y1 - rows, 0), max(-x0, 0), max(x1 - columns, 0)
    return cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT) if any(margins) else inside


def paste(part: np.ndarray, box: Box, shape: tuple[int, int]) -> np.ndarray:
    """Undoes `cut`: `part` at its place in a picture of `shape`, zero elsewhere; what lies beyond the edge is lost."""
    (y0, x0, y1, x1), whole = box, np.zeros(shape, part.dtype)
    top, left, bottom, right = max(y0, 0), max(x0, 0), min(y1, shape[0]), min(x1, shape[1])
    whole[top:bottom, left:right] = part[top - y0 : bottom - y0, left - x0 : right - x0]
    return whole


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Square `image` to (size, size), same dtype: area average when shrinking, bilinear when enlarging."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Square bool `mask` to (size, size) uint8 {0, 1}: a pixel belongs to the mass when half of it does."""
    return (resize_image(mask.astype(np.float32), size) >= 0.5).astype(np.uint8)
