"""Read a folder of images and masks: images/<name>.png and masks/<name>.png, with an optional patients.csv.

The mask of an image is one lesion, also with several components. Nonzero pixels of a mask are lesion.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.greys import stretch
from tfrespam.data.dicom.reader import read_dicom, read_stored
from tfrespam.data.geometry import film_detection
from tfrespam.data.readers import folder_files, folder_patients, mask_levels, masks
from tfrespam.data.readers.folder_files import IMAGES, MASKS
from tfrespam.data.readers.image_file import LOSSY, SUFFIXES, read_grey, read_image, why_unreadable
from tfrespam.data.readers.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion

NO_PATIENTS = ("no patients.csv: every image is assigned to a separate patient. If patients have several images, "
               "splits leak; a patients.csv with the columns image,patient_id prevents that")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """Paths of an image and its mask below `root`."""

    root: str
    image: str
    mask: str


@dataclasses.dataclass(frozen=True)
class _Image:
    pixels: np.ndarray  # (H, W) uint16, bright = dense
    inverted: bool = False
    spacing_mm: float = float("nan")
    notes: tuple[str, ...] = ()


def recognise(root: Path) -> bool:
    """Return whether `root` contains the folders images/ and masks/."""
    return (Path(root) / IMAGES).is_dir() and (Path(root) / MASKS).is_dir()


def scan(root: Path) -> Inventory:
    """Pair images and masks by name without suffix. Raises UserError without a pair, or for an invalid patients.csv."""
    root = Path(root).resolve()
    records, notes = folder_patients.read(root / folder_patients.NAME, folder_files.images(root))
    pairs, ledger = folder_files.pairs(root, set(records))
    if not pairs and not any(row.film_file and row.mask_file for row in ledger):
        raise UserError(f"no image in {root / IMAGES} has a mask of the same name in {root / MASKS}. Expected "
                        f"files such as images/a.png and masks/a.png with suffixes {', '.join(SUFFIXES)} or .dcm")
    films = tuple(_film(root, pair, records.get(pair.name, {})) for pair in pairs)
    return Inventory(_name(root), "folder", films, tuple(ledger), (*notes, *(() if records else (NO_PATIENTS,))))


def read(film: Film) -> FilmPixels:
    """Read an image, scaled to the full range of uint16, and its mask."""
    try:
        return _read(film)
    except Exception as error:
        return _result(film, Action.SKIPPED_UNREADABLE, why_unreadable(error))


def _read(film: Film) -> FilmPixels:
    files: FolderFiles = film.files
    image = _read_image(Path(files.root, files.image))
    mask, action, detail = _read_mask(Path(files.root, files.mask))
    if mask is None:
        return _result(film, action, detail)
    fitted, action, sizes = masks.at_size(mask, image.pixels.shape)
    if fitted is not None and mask_levels.is_in_background(fitted, image.pixels):
        fitted, action = None, Action.SKIPPED_AMBIGUOUS
        problem = "the lesion is where the image is black: is the mask rotated or mirrored?"
        sizes = "; ".join(filter(None, [sizes, problem]))
    if fitted is not None and image.inverted and action is Action.USED:
        action = Action.INVERTED
    details = filter(None, [sizes, detail, *image.notes])
    if fitted is None:
        return _result(film, action, *details)
    return _result(film, action, *details, image=image, mask=fitted)


def _read_image(path: Path) -> _Image:
    if folder_files.holds_dicom(path):
        image = read_dicom(path)
        return _Image(image.pixels, image.inverted, image.spacing_mm, image.notes)
    pixels = stretch(read_grey(path))
    match film_detection.negative(pixels):
        case "yes":
            note = "the film was stored dark on bright: inverted"
            return _Image(film_detection.inverted(pixels), True, notes=(note,))
        case "perhaps":
            return _Image(pixels, notes=("much of the image is nearly white: is it a negative? It was read unchanged",))
    return _Image(pixels)


def _read_mask(path: Path) -> tuple[np.ndarray | None, Action, str]:
    try:
        if folder_files.holds_dicom(path):
            return mask_levels.lesion(read_stored(path).astype(np.uint16), lossy=False)
        return mask_levels.lesion(mask_levels.read_levels(read_image(path)), path.suffix.lower() in LOSSY)
    except UserError as error:
        return None, Action.SKIPPED_UNREADABLE, f"mask: {error}"


def _result(film: Film, action: Action, *detail: str, image: _Image | None = None,
            mask: np.ndarray | None = None) -> FilmPixels:  # fmt: skip
    row = LedgerRow(film.lesions[0].lesion_id, film.files.image, film.files.mask, action, "; ".join(detail))
    if image is None:
        return FilmPixels(None, (), (row,))
    return FilmPixels(image.pixels, ((film.lesions[0], mask),), (row,), image.spacing_mm)


def _film(root: Path, pair: folder_files.Pair, facts: dict) -> Film:
    name = folder_files.identifier(pair.name)
    known = {"patient_id": name, "split": "train"} | facts
    return Film(name, (Lesion(lesion_id=name, film_id=name, source=_name(root), **known),),
                FolderFiles(str(root), pair.image, pair.mask))  # fmt: skip


def _name(root: Path) -> str:
    """Convert the folder's name to an identifier for folder and file names."""
    name = re.sub(r"[^a-z0-9]+", "_", root.name.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"set_{name}".rstrip("_")
