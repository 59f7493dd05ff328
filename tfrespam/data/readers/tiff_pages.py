"""Handle several pages and inverted greys (WhiteIsZero) in TIFF files (TIFF 6.0, sections 2 and 4)."""

import contextlib

from PIL import Image

from tfrespam.core.errors import UserError

NEW_SUBFILE_TYPE, PHOTOMETRIC, BITS_PER_SAMPLE = 254, 262, 258
MOST_PAGES = 64


def refuse_several(image: Image.Image) -> None:
    """Raise UserError unless the first page is the image, and all others are smaller copies of it (pyramids)."""
    if image.format != "TIFF":
        return
    pages, full = 1, 1
    with contextlib.suppress(Exception):  # damage makes Pillow raise errors of many types; decoding says what is wrong
        pages = full = getattr(image, "n_frames", 1)
        if 1 < pages <= MOST_PAGES:
            full = sum(not _is_reduced(image, page) for page in range(pages))
            full += _is_reduced(image, 0)  # a preview must not be the first page
    image.seek(0)
    if full > 1:
        raise UserError(f"expected a TIFF with one page. Received: {pages} pages")


def white_is_zero(image: Image.Image) -> int:
    """Return the largest grey of a WhiteIsZero TIFF of more than 8 bits; 0 for every other image.

    Pillow inverts those of up to 8 bits itself.
    """
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    if tags.get(PHOTOMETRIC) != 0 or not image.mode.startswith("I"):
        return 0
    bits = tags.get(BITS_PER_SAMPLE, (16,))
    return (1 << int(bits[0] if isinstance(bits, tuple) else bits)) - 1


def _is_reduced(image: Image.Image, page: int) -> bool:
    image.seek(page)
    return bool(image.tag_v2.get(NEW_SUBFILE_TYPE, 0) & 1)
