"""Read BUSI (breast ultrasound) in its published layout: benign/, malignant/, normal/ with `benign (1).png` and masks.

W. Al-Dhabyani, M. Gomaa, H. Khaled, A. Fahmy, Dataset of breast ultrasound images, Data in Brief 28:104863 (2020),
doi 10.1016/j.dib.2019.104863.

It does not number patients, and contains images twice or with small changes (A. Pawłowska, P. Karwat, N. Żołek, Data
in Brief 48:109247 (2023), doi 10.1016/j.dib.2023.109247), some in both classes. Nearly equal images are therefore
treated as those of one patient.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.core.files import with_subfolders
from tfrespam.data.dicom.greys import stretch
from tfrespam.data.readers import mask_levels, masks, near_duplicates
from tfrespam.data.readers.image_file import LOSSY, SUFFIXES, read_grey, read_image, why_unreadable
from tfrespam.data.readers.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion

NAME = "busi"
CLASSES = {"benign": "BENIGN", "malignant": "MALIGNANT"}  # images of the third class, normal, have no lesion
IMAGE_NAME = re.compile(r"(?P<kind>benign|malignant|normal) ?\((?P<number>\d+)\)(?P<mask>_mask(_\d+)?)?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class BusiFiles:
    """Paths of an image below `root` and of a mask for each of its lesions."""

    root: str
    image: str
    masks: tuple[str, ...]


def recognise(root: Path) -> bool:
    """Return whether `root`, or a folder in it, contains benign/ and malignant/ with images named as in BUSI."""
    return _home(Path(root)) is not None


def scan(root: Path) -> Inventory:
    """List the images with a mask, grouped by similarity, for which each image is read. Raises UserError."""
    home = _home(Path(root).resolve())
    films, ledger, prints = [], [], {}
    for name, (image, outlines) in _images(home).items():
        missing = "no image" if not image else "no mask" if not outlines else ""
        if missing:
            file, mask = image, outlines[0] if outlines else ""
            ledger.append(LedgerRow(f"{name}_1", file, mask, Action.SKIPPED_MISSING, f"{missing} of this number"))
            continue
        films.append((name, BusiFiles(str(home), image, outlines)))
        prints[name] = _fingerprint(home / image)
    if not films:
        raise UserError(f"{home} contains no image with a mask. Expected files such as 'benign/benign (1).png' and "
                        "'benign/benign (1)_mask.png'")  # fmt: skip
    readable = {name: found for name, found in prints.items() if found is not None}
    patients = near_duplicates.groups(readable)
    listed = tuple(_film(name, files, patients.get(name, name)) for name, files in films)
    grouped = len(readable) - len(set(patients.values()))
    note = (f"BUSI does not number its patients: {grouped} images that nearly repeat another one are assigned to the "
            "same patient. Other images of one patient cannot be recognised, so splits may still leak")
    # a sonogram has no dark background around a breast
    return Inventory(NAME, NAME, listed, tuple(ledger), (note,), views=("roi",))


def read(film: Film) -> FilmPixels:
    """Read an image and the masks of its lesions."""
    files: BusiFiles = film.files
    try:
        image = stretch(read_grey(Path(files.root, files.image)))
    except Exception as error:
        return FilmPixels(None, (), tuple(LedgerRow(lesion.lesion_id, files.image, mask, *_unreadable(error))
                                          for lesion, mask in zip(film.lesions, files.masks, strict=True)))
    kept, ledger = [], []
    for lesion, file in zip(film.lesions, files.masks, strict=True):
        mask, action, detail = _read_mask(Path(files.root, file), image.shape)
        ledger.append(LedgerRow(lesion.lesion_id, files.image, file, action, detail))
        kept += [(lesion, mask)] if action.kept else []
    return FilmPixels(image if kept else None, tuple(kept), tuple(ledger))


def _read_mask(path: Path, size: tuple[int, int]) -> tuple[np.ndarray | None, Action, str]:
    try:
        levels = mask_levels.read_levels(read_image(path))
    except Exception as error:
        return None, *_unreadable(error)
    mask, action, detail = mask_levels.lesion(levels, path.suffix.lower() in LOSSY)
    if mask is None:
        return None, action, detail
    fitted, action, sizes = masks.at_size(mask, size)
    return fitted, action, "; ".join(filter(None, [sizes, detail]))


def _unreadable(error: Exception) -> tuple[Action, str]:
    return Action.SKIPPED_UNREADABLE, why_unreadable(error)


def _images(home: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return name, such as benign_0001 -> image ("" if missing) and masks, below `home`, without normal ones."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for kind in CLASSES:
        for path in sorted((home / kind).iterdir()):
            match = IMAGE_NAME.fullmatch(path.stem)
            if match is None or match["kind"].lower() != kind or path.suffix.lower() not in SUFFIXES:
                continue
            name, file = f"{kind}_{int(match['number']):04}", f"{kind}/{path.name}"
            image, outlines = found.get(name, ("", ()))
            found[name] = (image, (*outlines, file)) if match["mask"] else (file, outlines)
    return dict(sorted(found.items()))


def _fingerprint(path: Path) -> np.ndarray | None:
    """Compute an image's fingerprints; None if it is unreadable, which `read` records."""
    try:
        return near_duplicates.fingerprint(read_grey(path))
    except UserError:
        return None


def _film(name: str, files: BusiFiles, first: str) -> Film:
    """Create the record of an image; `first` is the first image of its group, which represents a patient."""
    kind = CLASSES[name.partition("_")[0]]
    lesions = tuple(Lesion(lesion_id=f"{name}_{k}", film_id=name, patient_id=f"like_{first}", split="train",
                           source=NAME, pathology=kind) for k in range(1, len(files.masks) + 1))  # fmt: skip
    return Film(name, lesions, files)


def _home(root: Path) -> Path | None:
    return next((folder for folder in with_subfolders(root) if all((folder / kind).is_dir() for kind in CLASSES)
                 and any(folder.glob("*/*(*)_mask.*"))), None)  # fmt: skip
