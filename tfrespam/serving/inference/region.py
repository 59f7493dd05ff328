"""Cut the part of an image that the network gets, by the user's box or context, and place the result in the image."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import cv2
import numpy as np

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.data.geometry.crop import Box
from tfrespam.serving.inference.saved_model import Segmentation

WIDEST = 20.0  # largest context that a user can state


@dataclasses.dataclass(frozen=True)
class InputDescription:
    """Description of the images by the user: whole films or crops, box, context.

    Args:
        film: "always": whole films, which are searched; "never": crops around a mass; "auto": films are detected.
        box: Box around a mass in the only image.
        context: Longest side of each crop over the longest side of its mass; None: that of the training crops.
    """

    film: Literal["auto", "always", "never"] = "auto"
    box: Box | None = None
    context: float | None = None

    def __post_init__(self):
        if self.context is not None and not 1 <= self.context <= WIDEST:
            raise UserError("`context` must be the longest side of a crop divided by the longest side of its mass, "
                            f"from 1 to {WIDEST:g}. Received: {self.context:g}")  # fmt: skip
        if self.context is not None and self.box is not None:
            raise UserError("`box` already determines the context: give one of `box` and `context`. Received: both")


def around(box: Box, context: float, shape: tuple[int, int]) -> Box:
    """Return the square around `box` with the margin of the training crops, for an image of `shape`.

    Raises UserError unless the box lies inside the image.
    """
    y0, x0, y1, x1 = box
    if not (0 <= y0 < y1 <= shape[0] and 0 <= x0 < x1 <= shape[1]):
        raise UserError(f"`box` must be Y0 X0 Y1 X1 with Y0 < Y1 and X0 < X1, inside the image of {shape[0]} x "
                        f"{shape[1]} pixels. Received: {y0} {x0} {y1} {x1}")  # fmt: skip
    return crop.square_with_context(box, context)


def trained_contexts(metadata: Mapping[str, Any]) -> tuple[float, float]:
    """Return the smallest and the largest context of the network's training crops."""
    several = (metadata.get("augment") or {}).get("context_range") or ()
    one = float((metadata.get("data") or {}).get("context", 1.6))
    return (float(min(several)), float(max(several))) if several else (one, one)


def shown(shape: tuple[int, int], metadata: Mapping[str, Any], stated: float | None,
          implied: float | None = None) -> Box | None:  # fmt: skip
    """Return the square of a crop of `shape` that the network gets; None for the crop as it is.

    Args:
        shape: Height and width of the crop.
        metadata: Metadata of the network.
        stated: Context of the crop by the user.
        implied: Context by the kind of the file, for networks that are known to be trained on crops of one context.
    """
    trained, data = trained_contexts(metadata), metadata.get("data") or {}
    one = trained[0] == trained[1] and data and data.get("view") != "film"
    context = implied if stated is None and one else stated
    return None if context is None else recentred(shape, context, trained)


def recentred(shape: tuple[int, int], context: float, trained: tuple[float, float]) -> Box:
    """Return the centred square that shows a crop of `shape`, of a known `context`, at the nearest `trained` one.

    It extends beyond crops that are tighter than in training.
    """
    side = max(round(max(shape) / context * min(max(context, trained[0]), trained[1])), 8)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    return top, left, top + side, left + side


def cut(pixels: np.ndarray, square: Box, mirrored: bool = False) -> np.ndarray:
    """Cut `square` out of an image (H, W); beyond its edges it is black, or `mirrored` since tissue continues there."""
    if not mirrored:
        return crop.cut(pixels, square)
    (y0, x0, y1, x1), (rows, columns) = square, pixels.shape
    margins = (max(-y0, 0), max(y1 - rows, 0)), (max(-x0, 0), max(x1 - columns, 0))
    padded = np.pad(pixels, margins, mode="reflect")
    return padded[max(y0, 0) :, max(x0, 0) :][: y1 - y0, : x1 - x0]


def paste(answer: Segmentation, square: Box, shape: tuple[int, int]) -> Segmentation:
    """Convert the segmentation of `square` to one of the whole image, 0 outside the square."""
    mask, probability = (_paste(data, square, shape) for data in (answer.mask_png, answer.probability_png))
    return Segmentation(png.encode(mask), png.encode(probability), float(np.mean(mask > 0)))


def _paste(data: bytes, square: Box, shape: tuple[int, int]) -> np.ndarray:
    content = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return crop.paste(content, square, shape)
