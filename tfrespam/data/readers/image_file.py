"""Read one grey image from a PNG, JPEG, TIFF, BMP or PGM file, or raise a clear error.

Pillow is used, because OpenCV pads truncated files silently, and decodes before the size is known. Only 16-bit colour,
which Pillow reduces to 8 bits, is decoded again by OpenCV.
"""

import dataclasses
import io
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.reader import MAX_PIXELS, quiet
from tfrespam.data.readers import tiff_pages

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM")
LOSSY = (".jpg", ".jpeg")
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601), as in Pillow and the exported graph
_UPRIGHT = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: np.swapaxes(a, 0, 1),
            6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
            8: np.rot90}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """Image as viewers display it."""

    levels: np.ndarray  # (H, W) grey, or (H, W, 3) red, green, blue; uint8 or uint16; upright
    alpha: np.ndarray | None  # (H, W) of the same type; None for opaque images
    plain: bool  # whether it has no orientation, transparency or 16-bit colour


def read_grey(source: str | os.PathLike | bytes) -> np.ndarray:
    """Read grey levels (H, W), uint8 or uint16 as stored, upright.

    Colour is converted to luminance, and transparent pixels are put on black, as there is no tissue.
    Raises UserError if the file is not an image, truncated, too large, of several pages or of another depth.
    """
    return grey(read_image(source))


def read_image(source: str | os.PathLike | bytes) -> ImageFile:
    """Read an image with colours and transparency. Raises as `read_grey`."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with quiet(), Image.open(file, formats=FORMATS) as image:
            _check_size(*image.size)
            tiff_pages.refuse_several(image)
            return _read(image, source)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError("the file does not exist") from None
    except UnidentifiedImageError:
        raise UserError("the image is damaged, truncated or of an unsupported type. Expected PNG, JPEG, BMP, PGM, or "
                        "a TIFF of 8 or 16 bits; save it as one of these") from None
    except Image.DecompressionBombError:
        raise UserError(f"the image has more than {MAX_PIXELS} pixels by its header. Expected at most that number"
                        ) from None  # fmt: skip
    except Exception as error:
        raise UserError(f"the image is damaged, truncated or of an unknown type ({type(error).__name__})") from None


def grey(image: ImageFile) -> np.ndarray:
    """Convert to grey levels (H, W): colour as luminance, transparent pixels on black."""
    levels = image.levels
    if levels.ndim == 3 and levels.dtype == np.uint8:
        levels = np.asarray(Image.fromarray(levels).convert("L"))
    elif levels.ndim == 3:
        same = np.array_equal(levels[..., 0], levels[..., 1]) and np.array_equal(levels[..., 0], levels[..., 2])
        levels = levels[..., 0] if same else np.rint(levels @ np.array(LUMA, np.float32)).astype(levels.dtype)
    if image.alpha is None:
        return np.ascontiguousarray(levels)
    whole = np.iinfo(levels.dtype).max
    return np.rint(levels * (image.alpha / whole)).astype(levels.dtype)


def why_unreadable(error: Exception) -> str:
    """Describe an error for the ledger: the message of UserError, else its type, since messages may quote the file."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__} while reading"


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UserError(f"the image has {height} x {width} pixels by its header. Expected at most {MAX_PIXELS} in all")


def _read(image: Image.Image, source: str | os.PathLike | bytes) -> ImageFile:
    if image.mode == "F":
        raise UserError("expected whole numbers of 8 or 16 bits. Received: floating point")
    deep = image.mode in ("LA", "RGB", "RGBA", "RGBX") and ";16" in str(image.tile)
    turned = image.tag_v2.get(ExifTags.Base.Orientation, 1) if image.format == "TIFF" else None
    if turned in (5, 6, 7, 8) or deep and turned in _UPRIGHT:  # Pillow 12.3 exchanges rows of these without an error
        raise UserError(f"expected an upright TIFF. Received: Orientation {turned}. Save it upright")
    negative = tiff_pages.white_is_zero(image)
    image.load()  # raises an error for a truncated file
    if turned is None:  # in a PNG it may follow the pixels; Pillow rotates a TIFF itself
        turned = image.getexif().get(ExifTags.Base.Orientation, 1)
    levels, alpha = _deep(source, image) if deep else _levels(image, negative)
    if alpha is not None and alpha.min() == np.iinfo(alpha.dtype).max:
        alpha = None
    turn = _UPRIGHT.get(turned if image.format != "TIFF" else 1, lambda pixels: pixels)
    plain = not deep and alpha is None and turned not in _UPRIGHT
    return ImageFile(turn(levels), None if alpha is None else turn(alpha), plain)


def _levels(image: Image.Image, negative: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode pixels of at most 8 bits a channel, or of 16 bits and one channel, and their opacity."""
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return pixels[..., :3], pixels[..., 3]
    if not image.mode.startswith("I"):
        return np.asarray(image.convert("L" if image.mode in ("1", "L", "CMYK", "YCbCr") else "RGB")), None
    pixels = np.asarray(image)
    if negative:
        pixels = negative - pixels.astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise UserError(f"expected whole numbers of 8 or 16 bits. Received: up to {pixels.max()}")
    return pixels.astype(np.uint16), None


def _deep(source: str | os.PathLike | bytes, cut: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode pixels of 16 bits a channel, which must agree with `cut`, Pillow's reduction to 8 bits."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise UserError("16-bit colour cannot be decoded. Save the image as 16-bit grey")
    levels = pixels[..., 2::-1]
    if not np.array_equal(levels >> 8, np.asarray(cut.convert("RGB"))):  # OpenCV fills up what it cannot decode
        raise UserError("the image is damaged: two decoders give different pixels")
    return levels, pixels[..., 3] if pixels.shape[2] == 4 else None
