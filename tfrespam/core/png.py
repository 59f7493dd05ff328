"""Encode images as PNG."""

import cv2
import numpy as np

from tfrespam.core.errors import UserError

# run-length encoding compresses film grain as well as other strategies, which take 1.5 times as long
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_SMALL = (cv2.IMWRITE_PNG_COMPRESSION, 9)


def encode(image: np.ndarray, small: bool = False) -> bytes:
    """Encode an image as PNG.

    Args:
        image: (H, W), or (H, W, 3) in the order blue, green, red; uint8 or uint16.
        small: Compress as much as possible, which takes longer.

    Raises:
        UserError: A side is longer than 1,000,000 pixels, libpng's limit.
    """
    done, data = cv2.imencode(".png", image, _SMALL if small else _FAST)
    if not done:
        raise UserError("expected an image with sides of at most 1,000,000 pixels, the limit of PNG here. "
                        f"Received: {image.shape[0]} x {image.shape[1]}")  # fmt: skip
    return data.tobytes()
