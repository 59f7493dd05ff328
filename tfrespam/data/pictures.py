"""One grey picture out of a PNG, JPEG, TIFF, BMP or PGM file, or a clear error: never half a picture.

Pillow rather than OpenCV: OpenCV fills up what a truncated file lacks without a word, and decodes before it tells
how large a picture is.
"""

import io
import os
import warnings

import numpy as np
from PIL import Image

from tfrespam.data.dicom import MAX_PIXELS
from tfrespam.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM")
LOSSY = (".jpg", ".jpeg")


def read_picture(source: str | os.PathLike | bytes) -> np.ndarray:
    """Reads grey levels (H, W), uint8 or uint16 as stored; colour becomes its luminance.

    Raises UserError when the file is no picture, truncated, absurdly large or of another depth.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as picture:
                _check_size(*picture.size)
                return _grey(picture)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError("the file does not exist") from None
    except Image.DecompressionBombError:
        raise UserError(f"the picture claims more than {MAX_PIXELS} pixels") from None
    except Exception as error:
        raise UserError(f"the picture is damaged, truncated or of an unknown kind ({type(error).__name__})") from None


def why_unreadable(error: Exception) -> str:
    """For the ledger: our own words, or which error it was (those of libraries may quote the file)."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__} while reading"


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UserError(f"the picture claims {height} x {width} pixels; expected at most {MAX_PIXELS} in all")


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode == "F":
        raise UserError("expected whole numbers of 8 or 16 bits. Received: floating point")
    if not picture.mode.startswith("I"):
        return np.asarray(picture.convert("L"))
    pixels = np.asarray(picture)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise UserError(f"expected whole numbers of 8 or 16 bits. Received: up to {pixels.max()}")
    return pixels.astype(np.uint16)
