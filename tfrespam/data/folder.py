"""A plain folder of pictures and masks: images/<name>.png and masks/<name>.png, and patients.csv if there is one.

Each picture's mask, however many parts it has, is one lesion. Whatever is not zero in a mask is lesion.
"""

import csv
import dataclasses
import re
from pathlib import Path

import numpy as np

from tfrespam.data import masks
from tfrespam.data.dicom_greys import stretch
from tfrespam.data.pictures import LOSSY, SUFFIXES, read_picture, why_unreadable
from tfrespam.data.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion
from tfrespam.errors import UserError

PATIENTS = "patients.csv"
TEXTS = ("laterality", "view", "pathology", "shape", "margins")
NUMBERS = ("assessment", "subtlety", "breast_density")
NO_PATIENTS = ("no patients.csv: every picture is taken for a patient of its own. If patients have several pictures, "
               "splits leak; a patients.csv with the columns image,patient_id prevents that")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """A picture and its mask, below `root`."""

    root: str
    image: str
    mask: str


def recognise(root: Path) -> bool:
    """Whether `root` holds the folders images/ and masks/."""
    return (Path(root) / "images").is_dir() and (Path(root) / "masks").is_dir()


def scan(root: Path) -> Inventory:
    """Pairs pictures and masks by name without suffix. Raises UserError without a pair, or for a bad patients.csv."""
    root = Path(root).resolve()
    images, repeated = _by_stem(root / "images")
    outlines, repeated_masks = _by_stem(root / "masks")
    if not images.keys() & outlines.keys():
        raise UserError(f"no picture in {root / 'images'} has a mask of the same name in {root / 'masks'}: expected "
                        f"files such as images/a.png and masks/a.png with suffixes {', '.join(SUFFIXES)}")
    records = _read_patients(root / PATIENTS, images)
    films, ledger = [], []
    for stem in sorted(images.keys() | outlines.keys() | records.keys()):
        files = tuple(found.get(stem, "") for found in (images, outlines))
        if problem := _problem(stem, files, repeated | repeated_masks):
            ledger.append(LedgerRow(stem, *files, *problem))
        else:
            lesion = _lesion(stem, records.get(stem, {}), _name(root))
            films.append(Film(stem, (lesion,), FolderFiles(str(root), *files)))
    notes = () if records else (NO_PATIENTS,)
    return Inventory(_name(root), "folder", tuple(films), tuple(ledger), notes)


def read(film: Film) -> FilmPixels:
    """Reads a picture, scaled to the full range of uint16, and its mask."""
    try:
        return _read(film)
    except Exception as error:
        return _result(film, Action.SKIPPED_UNREADABLE, why_unreadable(error))


def _read(film: Film) -> FilmPixels:
    files: FolderFiles = film.files
    image = stretch(read_picture(Path(files.root, files.image)))
    levels = read_picture(Path(files.root, files.mask))
    lossy = files.mask.lower().endswith(LOSSY)
    mask = masks.brighter(levels, lossy) if lossy else levels > 0
    if not mask.any():
        return _result(film, Action.SKIPPED_EMPTY, "the mask is empty")
    detail = [] if masks.is_two_grey(levels, lossy) else ["the mask has more than two greys: all but 0 are lesion"]
    fitted, action, sizes = masks.at_size(mask, image.shape)
    if fitted is None:
        return _result(film, action, *detail, sizes)
    return _result(film, action, *filter(None, [sizes]), *detail, image=image, mask=fitted)


def _result(film: Film, action: Action, *detail: str, image: np.ndarray | None = None,
            mask: np.ndarray | None = None) -> FilmPixels:  # fmt: skip
    row = LedgerRow(film.lesions[0].lesion_id, film.files.image, film.files.mask, action, "; ".join(detail))
    return FilmPixels(image, () if mask is None else ((film.lesions[0], mask),), (row,))


def _by_stem(folder: Path) -> tuple[dict[str, str], set[str]]:
    """Pictures of a folder by name without suffix, and the names that occur with two suffixes."""
    found, repeated = {}, set()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            repeated |= {path.stem} & found.keys()
            found.setdefault(path.stem, f"{folder.name}/{path.name}")
    return found, repeated


def _problem(stem: str, files: tuple[str, str], repeated: set[str]) -> tuple[Action, str] | None:
    if any("\udc80" <= letter <= "\udcff" for letter in stem):
        return Action.SKIPPED_UNREADABLE, "the file's name is no text in UTF-8: rename it"
    if stem in repeated:
        return Action.SKIPPED_AMBIGUOUS, "several files of this name, with different suffixes"
    missing = [kind for kind, file in zip(("picture", "mask"), files, strict=True) if not file]
    return (Action.SKIPPED_MISSING, f"no {' and no '.join(missing)} of this name") if missing else None


def _read_patients(path: Path, images: dict[str, str]) -> dict[str, dict[str, str]]:
    """Rows of patients.csv by picture name without suffix; empty when there is no such file."""
    if not path.exists():
        return {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [{str(key).strip().lower(): str(value or "").strip() for key, value in row.items()}
                    for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    records = {}
    for row in rows:
        _check_patient(row, path)
        if records.setdefault(_stem(row["image"]), row) != row:
            raise UserError(f"{path} has two different rows for {row['image']!r}")
    unknown = sorted(images.keys() - records.keys())
    if unknown:
        raise UserError(f"{path} names no patient for {len(unknown)} pictures, so that splits could leak: "
                        f"{', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}")
    return records


def _check_patient(row: dict[str, str], path: Path) -> None:
    if not row.get("image") or not row.get("patient_id"):
        raise UserError(f"{path}: every row needs image and patient_id. Received: {row}")
    if row.get("split", "") not in ("", "train", "test"):
        raise UserError(f"{path}: split must be train, test or empty. Received: {row['split']!r}")


def _stem(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in SUFFIXES else Path(name).name


def _lesion(stem: str, row: dict[str, str], source: str) -> Lesion:
    numbers = {name: int(row[name]) if row.get(name, "").isdigit() else -1 for name in NUMBERS}
    texts = {name: row.get(name, "") for name in TEXTS}
    return Lesion(lesion_id=stem, film_id=stem, patient_id=row.get("patient_id", stem),
                  split=row.get("split") or "train", source=source, **texts, **numbers)


def _name(root: Path) -> str:
    """The folder's name as an identifier: it becomes a folder and part of file names."""
    name = re.sub(r"[^a-z0-9]+", "_", root.name.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"set_{name}".rstrip("_")
