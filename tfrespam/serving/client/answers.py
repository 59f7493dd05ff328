"""Check the answers of a server; no part of an answer is used before all checks."""

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tfrespam.data.dicom.reader import quiet
from tfrespam.serving.client import candidate_table
from tfrespam.serving.client.failures import WrongAnswerError
from tfrespam.serving.inference.saved_model import Segmentation

MASK, PROBABILITY, FRACTION = NAMES = "mask_png_bytes", "probability_png_bytes", "tumour_fraction"
CANDIDATES = "candidates"  # of whole films
Shape = tuple[int, int]  # rows, columns
_PNG, _LAST_CHUNK, _GREY = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82", 0
_COLOUR_TYPES = {0: "grey", 2: "colour", 3: "a palette", 4: "grey with transparency", 6: "colour with transparency"}


def shape_of(encoded: bytes) -> Shape | None:
    """Read rows and columns from the header of a PNG or JPEG file; None if it cannot be read."""
    try:
        with quiet(), Image.open(io.BytesIO(encoded), formats=["PNG", "JPEG"]) as image:
            return image.height, image.width
    except Exception:  # damage makes Pillow raise errors of many types; the graph says what is wrong
        return None


def segmentations(answer: Mapping[str, Any], shapes: Sequence[Shape | None], source: str) -> list[Segmentation]:
    """Convert the answer of `predict_bytes` or `predict_film` to segmentations.

    Args:
        answer: Outputs by name, as a transport decodes them; bytes that it could not decode are None.
        shapes: Rows and columns of each image of the request; None if its header cannot be read.
        source: Server and signature, for messages.

    Raises:
        WrongAnswerError: An output is missing, or a count, type, size or value is wrong.
    """
    missing = [name for name in NAMES if name not in answer]
    if missing:
        raise WrongAnswerError(f"{source} returned {sorted(answer)}; expected {', '.join(NAMES)}: a model of "
                               "tfrespam.export")  # fmt: skip
    columns = [answer[name] for name in NAMES]
    listed = candidate_table.listed(answer[CANDIDATES], len(shapes), source) if CANDIDATES in answer else None
    for name, column in zip(NAMES, columns, strict=True):
        if not isinstance(column, list | np.ndarray) or np.ndim(column) == 0 or len(column) != len(shapes):
            raise WrongAnswerError(f"{source} returned {_count(column)} as {name}; expected {len(shapes)}, one for "
                                   "each image")  # fmt: skip
    answers = [_checked(*values, shape) for *values, shape in zip(*columns, shapes, strict=True)]
    if listed is not None:
        answers = [each if isinstance(each, str) else each._replace(candidates=found)
                   for each, found in zip(answers, listed, strict=True)]  # fmt: skip
    if faults := [each for each in answers if isinstance(each, str)]:
        raise WrongAnswerError(f"{source} {faults[0]}", [f"{source} {each}" if isinstance(each, str) else each
                                                         for each in answers])  # fmt: skip
    return answers


def probabilities(array: Any, shape: tuple[int, ...], source: str) -> np.ndarray:
    """Return the answer of `serving_default` as float32 in [0, 1]. Raises WrongAnswerError."""
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind != "f":
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise WrongAnswerError(f"{source} returned {found}; expected probabilities, float32 {shape}")
    if not ((array >= 0) & (array <= 1)).all():  # also false for NaN
        raise WrongAnswerError(f"{source} returned values outside [0, 1]; expected probabilities")
    return array.astype(np.float32, copy=False)


def _count(column: Any) -> str:
    return f"{len(column)} values" if isinstance(column, list | np.ndarray) and np.ndim(column) else repr(column)[:40]


def _checked(mask: Any, probability: Any, fraction: Any, shape: Shape | None) -> Segmentation | str:
    """Check the answer for one image; return the segmentation or the fault."""
    try:
        if not isinstance(fraction, float | np.floating) or not 0 <= fraction <= 1:
            raise ValueError(f"returned a tumour_fraction of {str(fraction)[:40]}; expected a number from 0 to 1")
        size = _size(mask, MASK, 8)
        for name, found in ((MASK, size), (PROBABILITY, _size(probability, PROBABILITY, 16))):
            if found != (shape or size):
                raise ValueError(f"returned a {name} of {found[0]} x {found[1]} pixels; expected {(shape or size)[0]} "
                                 f"x {(shape or size)[1]}, as the image has")  # fmt: skip
        levels = np.setdiff1d(_pixels(mask, MASK), (0, 255))
        if levels.size:
            raise ValueError(f"returned a {MASK} with grey levels such as {levels[0]}; expected 0 and 255")
        _pixels(probability, PROBABILITY)
    except ValueError as error:
        return str(error)
    return Segmentation(mask, probability, float(fraction))


def _size(png: Any, name: str, depth: int) -> Shape:
    """Read rows and columns from a PNG's header, to check them before decompression."""
    if not isinstance(png, bytes) or not png.startswith(_PNG) or png[12:16] != b"IHDR" or len(png) < 33:
        raise ValueError(f"returned a {name} that is not a PNG")
    if not png.endswith(_LAST_CHUNK):
        raise ValueError(f"returned a {name} that is damaged (truncated)")
    width, height, found, colours = struct.unpack(">IIBB", png[16:26])
    if (found, colours) != (depth, _GREY):
        raise ValueError(f"returned a {name} of {found} bits, {_COLOUR_TYPES.get(colours, 'unknown')}; expected "
                         f"{depth} bits, grey")  # fmt: skip
    return height, width


def _pixels(png: bytes, name: str) -> np.ndarray:
    """Decode a PNG with Pillow, which rejects truncated files; OpenCV pads them."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            return np.asarray(image)
    except Exception as error:  # damage makes Pillow raise errors of many types
        raise ValueError(f"returned a {name} that is damaged ({type(error).__name__})") from None
