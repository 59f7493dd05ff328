"""Find, name and read the image files that the user specified."""

import dataclasses
import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.core.files import walk
from tfrespam.data.dicom.greys import stretch
from tfrespam.data.dicom.header import MAMMOGRAPHY
from tfrespam.data.dicom.reader import read_class, read_dicom
from tfrespam.data.dicom.sniff import BYTES, class_without_image, is_dicom
from tfrespam.data.geometry import film_detection
from tfrespam.data.preparing.film_cleaning import clean
from tfrespam.data.readers.image_file import grey, read_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".dcm", ".dicom")
KINDS = "PNG, JPEG, TIFF, BMP, PGM or DICOM"
# first bytes; of BMP and PGM also the next ones, because texts may begin with these two letters
SIGNATURES = tuple((re.compile(pattern, re.DOTALL), name) for pattern, name in (
    (rb"\x89PNG\r\n\x1a\n", "PNG"), (rb"\xff\xd8\xff", "JPEG"), (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"), (rb"P[25]\s+[#\d]", "PGM")))  # fmt: skip
_MIDDLE_OF_LETTER = bytes(range(0x80, 0xC0))  # continuation bytes of UTF-8
CROP_FILE_CONTEXT = 1.35  # of CBIS-DDSM's crop files, as measured on reduced ones: experiments/results/any-context
LONGEST_NAME = 180  # bytes; file systems allow 255 including endings and temporary names


@dataclasses.dataclass(frozen=True)
class InputImage:
    """One image, decoded and encoded."""
    pixels: np.ndarray  # (H, W) uint8 or uint16, bright = dense
    encoded: bytes  # the same as PNG or JPEG, the input of `predict_bytes`
    spacing_mm: float  # NaN if unknown
    notes: tuple[str, ...] = ()  # assumptions and changes
    is_film: bool | None = None  # whether a header says that this is a whole film; None if it does not say
    context: float | None = None  # longest side over that of its mass, as far as a header says what it is


def find(inputs: Sequence[str], passed_over: Counter | None = None) -> list[Path]:
    """Find the files that `inputs` (files, folders, globs) specify, without duplicates, in that order.

    Folders and their subfolders (links are followed) are searched for files of KINDS, by their first bytes or suffix.
    Hidden files and DICOM files of classes without images are skipped; `passed_over` counts the latter by the name of
    the class. Raises UserError for an input without any file.
    """
    found: dict[Path, Path] = {}
    others = Counter() if passed_over is None else passed_over
    for given in inputs:
        paths = [Path(given)] if os.path.lexists(given) else sorted(map(Path, glob.glob(given, recursive=True)))
        if not paths:
            raise UserError(f"no such file, folder or match: {given}")
        files = [file for path in paths for file in (_search(path, others) if path.is_dir() else [path])]
        if not files:
            raise UserError(f"{given} contains no {KINDS} file" + (" with an image" if others else ""))
        found |= {file.resolve(): found.get(file.resolve(), file) for file in files}
    return list(found.values())


def names(files: Sequence[Path]) -> list[str]:
    """Return a name for the outputs of each file: its stem, with the names of its folders if two would be equal."""
    plain, parents = [_shortened(_stem(file)) for file in files], [file.absolute().parent for file in files]
    common, count = os.path.commonpath(parents), Counter(map(str.casefold, plain))
    chosen = [_folders_and_name(file, common) if count[name.casefold()] > 1 else name
              for file, name in zip(files, plain, strict=True)]  # fmt: skip
    taken: set[str] = set()
    return [_free(name, taken) for name in chosen]


def kind(file: Path) -> str:
    """Return one of KINDS by the file's first bytes, else "". Raises UserError if it cannot be opened."""
    try:
        with open(file, "rb") as stream:
            start = stream.read(BYTES)
    except OSError as error:
        raise UserError(f"the file cannot be opened ({error.strerror})") from None
    return next((name for mark, name in SIGNATURES if mark.match(start)), "DICOM" if is_dicom(start) else "")


def read(file: Path, cleaned: bool = False, film: bool = True) -> InputImage:
    """Read one file of KINDS. Raises UserError for another, damaged or constant file.

    Args:
        file: The file.
        cleaned: Whether to set labels and white borders of a scanned film to black.
        film: Whether it may be a whole film; a negative without a header is then inverted.
    """
    image = _read(file, film)
    if not cleaned:
        return image

    pixels = clean(stretch(image.pixels))
    return dataclasses.replace(image, pixels=pixels, encoded=png.encode(pixels))


def _read(file: Path, film: bool) -> InputImage:
    match kind(file):
        case "PNG" | "JPEG":
            return _read_image(file.read_bytes(), film)
        case "TIFF" | "BMP" | "PGM":
            return _read_image(file, film)
        case "DICOM":
            image = read_dicom(file)
            return InputImage(image.pixels, png.encode(image.pixels), image.spacing_mm, image.notes, _is_film(image),
                              CROP_FILE_CONTEXT if image.crop_file else None)  # fmt: skip
        case _:
            raise UserError(f"not a {KINDS} file")


def _is_film(image) -> bool | None:
    """Return whether a DICOM header describes a film; mammograms with a view and a dark background are films."""
    if image.whole_breast is None and image.view and image.sop_class in MAMMOGRAPHY:
        return film_detection.shows_background(image.pixels) or None
    return image.whole_breast


def _read_image(source: bytes | Path, film: bool) -> InputImage:
    """Read an image as viewers display it; the file is sent unchanged if the graph decodes it in the same way."""
    image = read_image(source)
    pixels = grey(image)
    if pixels.min() == pixels.max():
        raise UserError(f"the image has a single grey value ({pixels.min()})")
    positive, notes = _positive(pixels, film)
    unchanged = isinstance(source, bytes) and image.plain and positive is pixels
    return InputImage(positive, source if unchanged else png.encode(positive), float("nan"), notes)


def _positive(pixels: np.ndarray, film: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    negative = film_detection.negative(pixels)
    if negative == "yes" and film:
        return film_detection.inverted(pixels), ("the film is a negative (dark on bright): inverted",)
    if negative == "no":
        return pixels, ()
    return pixels, ("much of the image is nearly white: is it a negative? It was not inverted",)


def _search(folder: Path, passed_over: Counter) -> Iterator[Path]:
    """Yield the images in a folder and its subfolders, links followed; count DICOM files without images by class."""
    for inner, files in walk(folder, (".",)):
        for file in (Path(inner, name) for name in files if not name.startswith(".")):
            if file.name.upper() == "DICOMDIR" or not _is_image(file):
                continue
            other = class_without_image(read_class(file)) if _is_dicom(file) else ""
            if other:
                passed_over[other] += 1
            else:
                yield file


def _is_image(file: Path) -> bool:
    """Return whether suffix or content is that of an image; files that cannot be opened are kept, and fail later."""
    try:
        return file.suffix.lower() in SUFFIXES or kind(file) != ""
    except UserError:
        return True


def _is_dicom(file: Path) -> bool:
    try:
        return kind(file) == "DICOM"
    except UserError:
        return False


def _stem(file: Path) -> str:
    """Remove the suffix of an image; DICOM files are often named by a UID, whose last part is not a suffix."""
    return file.stem if file.suffix.lower() in SUFFIXES else file.name


def _folders_and_name(file: Path, common: str) -> str:
    parts = file.absolute().relative_to(common).parts
    return _shortened("_".join([*parts[:-1], _stem(file)]))


def _shortened(name: str) -> str:
    """Truncate a name at its start to LONGEST_NAME bytes."""
    return os.fsdecode(os.fsencode(name)[-LONGEST_NAME:].lstrip(_MIDDLE_OF_LETTER))


def _free(name: str, taken: set[str]) -> str:
    candidates = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
    free = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    taken.add(free.casefold())
    return free
