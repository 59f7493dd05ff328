"""The user's files: which ones are meant, what each is called in the output, and how each goes to the graph."""

import dataclasses
import glob
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tfrespam.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom")
SIGNATURES = ((0, b"\x89PNG\r\n\x1a\n", "PNG"), (0, b"\xff\xd8\xff", "JPEG"), (0, b"II*\0", "TIFF"),
              (0, b"MM\0*", "TIFF"), (128, b"DICM", "DICOM"))  # fmt: skip
_MIDDLE_OF_LETTER = bytes(range(0x80, 0xC0))  # the bytes of UTF-8 with which no letter begins
LONGEST_NAME = 180  # bytes; file systems allow 255, and endings and temporary names come on top


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture as shown and as sent."""

    pixels: np.ndarray  # (H, W) uint8 or uint16, bright = dense
    encoded: bytes  # the same as PNG or JPEG, what `predict_bytes` takes
    spacing_mm: float  # NaN when unknown


def find(inputs: Sequence[str]) -> list[Path]:
    """Files that `inputs` (files, folders, globs) name, each once, in the order named.

    Folders are searched with their subfolders for whatever is a PNG, JPEG, TIFF or DICOM file by its first bytes or
    by its suffix; hidden files are passed over. Raises UserError for an input without any.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        paths = [Path(given)] if os.path.exists(given) else sorted(map(Path, glob.glob(given, recursive=True)))
        if not paths:
            raise UserError(f"no such file, folder or match: {given}")
        files = [file for path in paths for file in (_search(path) if path.is_dir() else [path])]
        if not files:
            raise UserError(f"{given} holds no PNG, JPEG, TIFF or DICOM file")
        found |= {file.resolve(): found.get(file.resolve(), file) for file in files}
    return list(found.values())


def names(files: Sequence[Path]) -> list[str]:
    """A name for each file's outputs: its own without suffix, and with its folders' where two would be the same."""
    plain = [_shortened(_stem(file)) for file in files]
    longer = [_folders_and_name(file, files) for file in files]
    chosen = [long if _count(plain)[short.casefold()] > 1 else short for short, long in zip(plain, longer, strict=True)]
    taken: set[str] = set()
    return [_free(name, taken) for name in chosen]


def kind(file: Path) -> str:
    """PNG, JPEG, TIFF or DICOM by the file's first bytes, else "". Raises UserError when it cannot be opened."""
    try:
        with open(file, "rb") as stream:
            start = stream.read(132)
    except OSError as error:
        raise UserError(f"the file cannot be opened ({error.strerror})") from None
    return next((name for offset, mark, name in SIGNATURES if start[offset:].startswith(mark)), "")


def read(file: Path, cleaned: bool = False) -> Picture:
    """Reads one PNG, JPEG, TIFF or DICOM file. Raises UserError when it is none or damaged.

    Args:
        file: The file.
        cleaned: Whether labels and white borders of a scanned film are made black.
    """
    picture = _read(file)
    if not cleaned:
        return picture
    from tfrespam.data.dicom_greys import stretch
    from tfrespam.data.film_cleaning import clean

    pixels = clean(stretch(picture.pixels))
    return dataclasses.replace(picture, pixels=pixels, encoded=_png(pixels))


def _read(file: Path) -> Picture:
    from tfrespam.data.dicom import read_dicom
    from tfrespam.data.pictures import read_picture

    match kind(file):
        case "PNG" | "JPEG":
            encoded = file.read_bytes()  # goes to the graph as it is
            return Picture(read_picture(encoded), encoded, float("nan"))
        case "TIFF":
            _check_single_page(file)
            pixels = read_picture(file)
            return Picture(pixels, _png(pixels), float("nan"))
        case "DICOM":
            image = read_dicom(file)
            return Picture(image.pixels, _png(image.pixels), image.spacing_mm)
        case _:
            raise UserError("not a PNG, JPEG, TIFF or DICOM file")


def _search(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and file.name != "DICOMDIR" and _is_picture(file):
            yield file


def _is_picture(file: Path) -> bool:
    """By suffix or content; one that cannot be opened may be one, and fails by its name later."""
    try:
        return file.suffix.lower() in SUFFIXES or kind(file) != ""
    except UserError:
        return True


def _stem(file: Path) -> str:
    """The name without a picture's suffix: DICOM files are often named by a UID, whose dots are no suffix."""
    return file.stem if file.suffix.lower() in SUFFIXES else file.name


def _folders_and_name(file: Path, files: Sequence[Path]) -> str:
    common = os.path.commonpath([other.absolute().parent for other in files])
    parts = file.absolute().relative_to(common).parts
    return _shortened("_".join([*parts[:-1], _stem(file)]))


def _shortened(name: str) -> str:
    """Its end, as long as file systems allow for."""
    return os.fsdecode(os.fsencode(name)[-LONGEST_NAME:].lstrip(_MIDDLE_OF_LETTER))


def _count(strings: Iterable[str]) -> Counter:
    return Counter(map(str.casefold, strings))


def _free(name: str, taken: set[str]) -> str:
    candidates = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
    free = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    taken.add(free.casefold())
    return free


def _check_single_page(file: Path) -> None:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=["TIFF"]) as picture:
                pages = getattr(picture, "n_frames", 1)
    except Exception:  # damage makes Pillow raise errors of many types; read_picture says what is wrong
        return
    if pages > 1:
        raise UserError(f"expected a TIFF with one page. Received: {pages} pages")


def _png(pixels: np.ndarray) -> bytes:
    import cv2

    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        rows, columns = pixels.shape
        raise UserError(f"expected a picture whose sides a PNG can have. Received: {rows} x {columns}")
    return data.tobytes()
