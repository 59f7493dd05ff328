"""Decode images and encode masks for a served network without these steps, such as an ONNX or OpenVINO export.

The exported SavedModel contains these steps; they are needed here if only `serving_default` is served.
"""

import numpy as np

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.readers.image_file import read_grey
from tfrespam.serving.client.failures import ImageRefusedError
from tfrespam.serving.inference.saved_model import Segmentation


def pixels(encoded: bytes, position: int = 0) -> np.ndarray:
    """Decode a PNG or JPEG file to grey values (1, H, W, 1) float32 in [0, 1]. Raises ImageRefusedError."""
    try:
        grey = read_grey(encoded)
    except UserError as error:
        raise ImageRefusedError(f"image_bytes[{position}] not a readable PNG or JPEG ({error})") from None
    return (grey.astype(np.float32) / np.iinfo(grey.dtype).max)[np.newaxis, ..., np.newaxis]


def segmentation(probability: np.ndarray, threshold: float) -> Segmentation:
    """Return the answer of `predict_bytes` for an image with `probability` (H, W) in [0, 1]."""
    mask = probability >= threshold
    levels = np.rint(probability * np.float32(65535)).astype(np.uint16)
    return Segmentation(png.encode(mask.astype(np.uint8) * 255), png.encode(levels), float(mask.mean()))
