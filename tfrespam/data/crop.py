"""From a film to network inputs: the crop policy (design: `roi` squares around a lesion, `film` the whole breast)."""

import hashlib

import cv2
import numpy as np

from tfrespam.errors import UserError

POLICY = 3  # raise it with every change of what is cut out: data sets prepared before are then made anew
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
    y0, x0, y1, x1 = bounding_box(mask)
    longest = max(y1 - y0, x1 - x0)
    side = max(round(context * longest), 8)
    reach = (side - longest) / 4
    down, right = jitter(lesion_id)
    top = round((y0 + y1 - side) / 2 + down * reach)
    left = round((x0 + x1 - side) / 2 + right * reach)
    return top, left, top + side, left + side


def breast_box(image: np.ndarray) -> Box:
    """Box around the breast: the largest bright region of `image` (H, W) uint16 (labels and scratches are smaller)."""
    small = cv2.resize(image, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    level, _ = cv2.threshold(cv2.convertScaleAbs(small, alpha=255 / 65535), 0, 255, cv2.THRESH_OTSU)
    bright = cv2.convertScaleAbs(small, alpha=255 / 65535) > max(level / 3, 4)
    bright = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return 0, 0, *image.shape
    x, y, width, height = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))][:4]
    rows, columns = image.shape
    return max(8 * (y - 1), 0), max(8 * (x - 1), 0), min(8 * (y + height + 1), rows), min(8 * (x + width + 1), columns)


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


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Square `image` to (size, size), same dtype: area average when shrinking, bilinear when enlarging."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Square bool `mask` to (size, size) uint8 {0, 1}: a pixel belongs to the mass when half of it does."""
    return (resize_image(mask.astype(np.float32), size) >= 0.5).astype(np.uint8)
