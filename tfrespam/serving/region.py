"""Which part of a picture a network is asked about: the picture, the breast on a film, or a box that the user names."""

import cv2
import numpy as np

from tfrespam.data import breast, crop
from tfrespam.data.crop import Box
from tfrespam.errors import UserError
from tfrespam.serving.saved_model import Segmentation

FILM_SIDE = 512  # pixels; what is smaller in both directions is no film
BACKGROUND = 0.2  # share of a film that is dark, at least
_DARK = 0.08  # of the brightest grey


def looks_like_film(pixels: np.ndarray) -> bool:
    """Whether `pixels` (H, W) show a whole breast on its dark background rather than a part of one.

    Measured on CBIS-DDSM's training list: all 1,231 films are films (the least dark one has 0.24 of background), and
    4.6 % of the crops around masses at context 1.6 have as much background, those at the edge of the breast.
    """
    if max(pixels.shape) < FILM_SIDE:
        return False
    cells = cv2.resize(pixels, breast.grid(pixels.shape)[::-1], interpolation=cv2.INTER_AREA)
    return float(np.mean(cells < _DARK * cells.max())) >= BACKGROUND


def around(box: Box, context: float, shape: tuple[int, int]) -> Box:
    """The square that shows the lesion in `box` the way training crops show theirs, on a picture of `shape`.

    Raises UserError when the box is no box inside the picture.
    """
    y0, x0, y1, x1 = box
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise UserError(f"--box must be Y0 X0 Y1 X1 with Y0 < Y1 and X0 < X1, inside the picture of {shape[0]} x "
                        f"{shape[1]} pixels. Received: {y0} {x0} {y1} {x1}")  # fmt: skip
    return crop.square_with_context(box, context)


def cut(pixels: np.ndarray, square: Box) -> bytes:
    """The part of a picture inside `square`, as PNG."""
    return _png(crop.cut(pixels, square))


def paste(answer: Segmentation, square: Box, shape: tuple[int, int]) -> Segmentation:
    """The answer for the part inside `square` as one for the whole picture: 0 elsewhere."""
    mask, probability = (_paste(data, square, shape) for data in (answer.mask_png, answer.probability_png))
    return Segmentation(_png(mask), _png(probability), float(np.mean(mask > 0)))


def _paste(data: bytes, square: Box, shape: tuple[int, int]) -> np.ndarray:
    part = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return crop.paste(part, square, shape)


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
