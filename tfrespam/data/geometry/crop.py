"""Crops of films for the network: `roi` is a square around a lesion, `film` the whole breast."""

import hashlib

import cv2
import numpy as np

from tfrespam.core.errors import UserError

# Increment a number with every change of that crop: data sets prepared with the earlier version are prepared again.
POLICY = {"roi": 3, "film": 3}
Box = tuple[int, int, int, int]  # y0, x0, y1, x1 in film pixels, half open; may extend beyond the film
Size = int | tuple[int, int]  # side of a square, or height and width


def bounding_box(mask: np.ndarray) -> Box:
    """Return the bounding box of `mask` (H, W) bool, which must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def jitter(lesion_id: str) -> tuple[float, float]:
    """Return the vertical and horizontal shift of a lesion's crop, each in [-1, 1], determined by a hash of its id."""
    digest = hashlib.sha256(f"crop jitter {lesion_id}".encode()).digest()
    down, right = (int.from_bytes(digest[k : k + 4], "big") / (2**32 - 1) for k in (0, 4))
    return 2 * down - 1, 2 * right - 1


def roi_box(mask: np.ndarray, lesion_id: str, context: float) -> Box:
    """Return a square of side `context` x the longest box side, shifted by at most half of the resulting margin.

    Without the shift a network could learn that masses are always centred. Near the film's edge the square extends
    beyond it.
    """
    return square_with_context(bounding_box(mask), context, jitter(lesion_id))


def square_with_context(box: Box, context: float, shift: tuple[float, float] = (0.0, 0.0)) -> Box:
    """Return the square of `roi_box` for a lesion's box; `shift`, in [-1, 1], is down and right, 0 is centred."""
    y0, x0, y1, x1 = box
    longest = max(y1 - y0, x1 - x0)
    side = max(round(context * longest), 8)
    reach = (side - longest) / 4
    top = round((y0 + y1 - side) / 2 + shift[0] * reach)
    left = round((x0 + x1 - side) / 2 + shift[1] * reach)
    return top, left, top + side, left + side


def sides(size: Size) -> tuple[int, int]:
    """Return height and width of `size`."""
    return (size, size) if isinstance(size, int) else size


def frame_around(box: Box, size: Size) -> Box:
    """Return the smallest box with the aspect ratio of `size` that contains `box`, with the same centre."""
    y0, x0, y1, x1 = box
    height, width = frame(y1 - y0, x1 - x0, size)
    top, left = (y0 + y1 - height) // 2, (x0 + x1 - width) // 2
    return top, left, top + height, left + width


def frame(rows: int, columns: int, size: Size) -> tuple[int, int]:
    """Return height and width, in pixels, of the smallest frame with the aspect ratio of `size` around rows x columns.
    """
    height, width = sides(size)
    return max(rows, (columns * height + width // 2) // width), max(columns, (rows * width + height // 2) // height)


def cut(image: np.ndarray, box: Box) -> np.ndarray:
    """Crop `image` (H, W) to `box`; zero outside the film, where there is neither tissue nor mass.

    Raises UserError if the box does not overlap the film.
    """
    y0, x0, y1, x1 = box
    rows, columns = image.shape
    inside = image[max(y0, 0) : min(y1, rows), max(x0, 0) : min(x1, columns)]
    if not inside.size:
        raise UserError(f"crop {box} lies outside its film. Expected an overlap with {rows} x {columns} pixels")
    margins = max(-y0, 0), max(y1 - rows, 0), max(-x0, 0), max(x1 - columns, 0)
    return cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT) if any(margins) else inside


def paste(part: np.ndarray, box: Box, shape: tuple[int, int]) -> np.ndarray:
    """Invert `cut`: put `part` at `box` in an image of `shape`, zero elsewhere; pixels outside it are dropped."""
    (y0, x0, y1, x1), whole = box, np.zeros(shape, part.dtype)
    top, left, bottom, right = max(y0, 0), max(x0, 0), min(y1, shape[0]), min(x1, shape[1])
    whole[top:bottom, left:right] = part[top - y0 : bottom - y0, left - x0 : right - x0]
    return whole


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize `image` (H, W) to `size` of the same aspect ratio, same dtype.

    Shrinking averages areas, enlarging is bilinear.
    """
    height, width = sides(size)
    shrinks = image.shape[0] > height
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    """Resize a bool `mask` (H, W) to `size`, uint8 {0, 1}: a pixel is mass if at least half of its area is."""
    return (resize_image(mask.astype(np.float32), size) >= 0.5).astype(np.uint8)
