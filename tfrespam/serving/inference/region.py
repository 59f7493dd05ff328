"""Cut the square around the user's box out of an image, and place the result at its position in the image."""

import cv2
import numpy as np

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.data.geometry.crop import Box
from tfrespam.serving.inference.saved_model import Segmentation


def around(box: Box, context: float, shape: tuple[int, int]) -> Box:
    """Return the square around `box` with the margin of the training crops, for an image of `shape`.

    Raises UserError unless the box lies inside the image.
    """
    y0, x0, y1, x1 = box
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise UserError(f"`box` must be Y0 X0 Y1 X1 with Y0 < Y1 and X0 < X1, inside the image of {shape[0]} x "
                        f"{shape[1]} pixels. Received: {y0} {x0} {y1} {x1}")  # fmt: skip
    return crop.square_with_context(box, context)


def cut(pixels: np.ndarray, square: Box) -> bytes:
    """Cut `square` out of an image, and encode it as PNG."""
    return png.encode(crop.cut(pixels, square))


def paste(answer: Segmentation, square: Box, shape: tuple[int, int]) -> Segmentation:
    """Convert the segmentation of `square` to one of the whole image, 0 outside the square."""
    mask, probability = (_paste(data, square, shape) for data in (answer.mask_png, answer.probability_png))
    return Segmentation(png.encode(mask), png.encode(probability), float(np.mean(mask > 0)))


def _paste(data: bytes, square: Box, shape: tuple[int, int]) -> np.ndarray:
    content = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return crop.paste(content, square, shape)
