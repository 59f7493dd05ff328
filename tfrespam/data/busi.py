"""BUSI, breast ultrasound, from its published layout: benign/, malignant/ and normal/ with `benign (1).png` and masks.

W. Al-Dhabyani, M. Gomaa, H. Khaled, A. Fahmy, Dataset of breast ultrasound images, Data in Brief 28:104863 (2020),
doi 10.1016/j.dib.2019.104863.

It numbers no patients, and has pictures twice and with small changes (A. Pawłowska, P. Karwat, N. Żołek, Data in Brief
48:109247 (2023), doi 10.1016/j.dib.2023.109247), some under both classes. Pictures that show nearly the same are
therefore taken for one patient's.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np

from tfrespam.data import masks, near_duplicates
from tfrespam.data.dicom_greys import stretch
from tfrespam.data.pictures import LOSSY, SUFFIXES, read_picture, why_unreadable
from tfrespam.data.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion
from tfrespam.errors import UserError
from tfrespam.files import with_subfolders

NAME = "busi"
CLASSES = {"benign": "BENIGN", "malignant": "MALIGNANT"}  # of the third, normal, no picture has a lesion
PICTURE = re.compile(r"(?P<kind>benign|malignant|normal) ?\((?P<number>\d+)\)(?P<mask>_mask(_\d+)?)?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class BusiFiles:
    """A picture below `root` and a mask for each of its lesions."""

    root: str
    image: str
    masks: tuple[str, ...]


def recognise(root: Path) -> bool:
    """Whether `root`, or a folder in it, holds benign/ and malignant/ with pictures named as BUSI's are."""
    return _home(Path(root)) is not None


def scan(root: Path) -> Inventory:
    """Lists the pictures with a mask, grouped by what they show, for which each is read. Raises UserError."""
    home = _home(Path(root).resolve())
    films, ledger, prints = [], [], {}
    for name, (image, outlines) in _pictures(home).items():
        missing = "no picture" if not image else "no mask" if not outlines else ""
        if missing:
            file, mask = image, outlines[0] if outlines else ""
            ledger.append(LedgerRow(f"{name}_1", file, mask, Action.SKIPPED_MISSING, f"{missing} of this number"))
            continue
        films.append((name, BusiFiles(str(home), image, outlines)))
        prints[name] = _fingerprint(home / image)
    if not films:
        raise UserError(f"{home} holds no picture with a mask: expected files such as 'benign/benign (1).png' and "
                        "'benign/benign (1)_mask.png'")  # fmt: skip
    readable = {name: found for name, found in prints.items() if found is not None}
    patients = near_duplicates.groups(readable)
    listed = tuple(_film(name, files, patients.get(name, name)) for name, files in films)
    grouped = len(readable) - len(set(patients.values()))
    note = (f"no patient is numbered: {grouped} pictures that nearly repeat another count as that one's patient. "
            "Other pictures of one patient cannot be told, so splits may still leak")
    # a sonogram has no dark surroundings in which a breast could be found
    return Inventory(NAME, NAME, listed, tuple(ledger), (note,), views=("roi",))


def read(film: Film) -> FilmPixels:
    """Reads a picture and the masks of its lesions."""
    files: BusiFiles = film.files
    try:
        image = stretch(read_picture(Path(files.root, files.image)))
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
        levels = read_picture(path)
    except Exception as error:
        return None, *_unreadable(error)
    mask = masks.brighter(levels, path.suffix.lower() in LOSSY)
    if not mask.any():
        return None, Action.SKIPPED_EMPTY, "the mask is empty"
    return masks.at_size(mask, size)


def _unreadable(error: Exception) -> tuple[Action, str]:
    return Action.SKIPPED_UNREADABLE, why_unreadable(error)


def _pictures(home: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name such as benign_0001 -> picture ("" when missing) and masks, below `home`, without the normal ones."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for kind in CLASSES:
        for path in sorted((home / kind).iterdir()):
            match = PICTURE.fullmatch(path.stem)
            if match is None or match["kind"].lower() != kind or path.suffix.lower() not in SUFFIXES:
                continue
            name, file = f"{kind}_{int(match['number']):04}", f"{kind}/{path.name}"
            image, outlines = found.get(name, ("", ()))
            found[name] = (image, (*outlines, file)) if match["mask"] else (file, outlines)
    return dict(sorted(found.items()))


def _fingerprint(path: Path) -> np.ndarray | None:
    """None for a picture that cannot be read: `read` tells the ledger."""
    try:
        return near_duplicates.fingerprint(read_picture(path))
    except UserError:
        return None


def _film(name: str, files: BusiFiles, first: str) -> Film:
    """`first` is the first picture of the group that stands for a patient."""
    kind = CLASSES[name.partition("_")[0]]
    lesions = tuple(Lesion(lesion_id=f"{name}_{k}", film_id=name, patient_id=f"like_{first}", split="train",
                           source=NAME, pathology=kind) for k in range(1, len(files.masks) + 1))  # fmt: skip
    return Film(name, lesions, files)


def _home(root: Path) -> Path | None:
    return next((folder for folder in with_subfolders(root) if all((folder / kind).is_dir() for kind in CLASSES)
                 and any(folder.glob("*/*(*)_mask.*"))), None)  # fmt: skip
