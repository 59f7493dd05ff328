"""Convert regions of the VGG Image Annotator (JSON) to masks, and check that they fit their image."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from tfrespam.data.readers import drawn_masks
from tfrespam.data.readers.image_file import FORMATS

MARGIN = 0.02  # share of a side by which a drawn outline may exceed the image
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


def draw(region: str, size: tuple[int, int]) -> tuple[np.ndarray | None, str]:
    """Draw a region as a mask (H, W) bool; return mask and detail for the ledger: the shape's name, or a fault.

    The mask is None if the region exceeds an image of `size`, empty for a point or an unreadable region.
    """
    try:
        shape = json.loads(region)
        if _is_beyond(shape, size):
            return None, f"the {shape['name']} exceeds the image of {size[0]} x {size[1]} pixels: was it resized?"
        return _drawn(shape, size)
    except DAMAGED as error:
        return np.zeros(size, bool), f"the region cannot be read ({type(error).__name__})"


def any_beyond(image: Path, regions: Iterable[str]) -> bool:
    """Return whether a region exceeds an image, whose size is read from its header; False if either is unreadable."""
    try:
        with Image.open(image, formats=FORMATS) as opened:
            size = opened.height, opened.width
    except Exception:  # damage makes Pillow raise errors of many types; `read` reports it
        return False
    for region in regions:
        try:
            if _is_beyond(json.loads(region), size):
                return True
        except DAMAGED:
            continue
    return False


def _drawn(shape: dict, size: tuple[int, int]) -> tuple[np.ndarray, str]:
    match shape["name"]:
        case "polygon" | "polyline":
            points = list(zip(shape["all_points_x"], shape["all_points_y"], strict=True))
            return drawn_masks.polygon(points, size), shape["name"]
        case "circle":
            return drawn_masks.ellipse((shape["cx"], shape["cy"]), (shape["r"], shape["r"]), size), "circle"
        case "ellipse":
            return drawn_masks.ellipse((shape["cx"], shape["cy"]), (shape["rx"], shape["ry"]), size,
                                       float(shape.get("theta", 0))), "ellipse"  # fmt: skip
        case "rect":
            x, y, width, height = (shape[name] for name in ("x", "y", "width", "height"))
            return drawn_masks.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], size), "rect"
        case other:
            return np.zeros(size, bool), f"a {other} encloses no pixels"


def _is_beyond(shape: dict, size: tuple[int, int]) -> bool:
    """Return whether a corner, or the centre of a round shape, is outside of the image."""
    match shape["name"]:
        case "polygon" | "polyline":
            xs, ys = shape["all_points_x"], shape["all_points_y"]
        case "circle" | "ellipse" | "point":
            xs, ys = [shape["cx"]], [shape["cy"]]
        case "rect":
            xs, ys = [shape["x"], shape["x"] + shape["width"]], [shape["y"], shape["y"] + shape["height"]]
        case _:
            return False
    return any(not -MARGIN * side <= place <= (1 + MARGIN) * side
               for places, side in ((xs, size[1]), (ys, size[0])) for place in places)  # fmt: skip
