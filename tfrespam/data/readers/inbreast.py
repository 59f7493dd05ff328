"""Read the masses of INbreast in its published layout: AllDICOMs/, AllXML/ with OsiriX outlines, INbreast.csv.

I. C. Moreira et al., INbreast: toward a full-field digital mammographic database, Acad. Radiol. 19:236-248 (2012).
"""

import dataclasses
import math
import plistlib
import re
from pathlib import Path

import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.core.files import below
from tfrespam.data.dicom.reader import read_dicom
from tfrespam.data.readers import csv_tables, drawn_masks
from tfrespam.data.readers.image_file import why_unreadable
from tfrespam.data.readers.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion

NAME = "inbreast"
DICOM_NAME = re.compile(r"(?P<film>\d+)_(?P<patient>\w+)_MG_(?P<side>[LR])_(?P<view>[A-Z]+)_ANON\.dcm", re.IGNORECASE)
SIDES = {"L": "LEFT", "R": "RIGHT"}
VIEW_NAMES = {"ML": "MLO"}  # ML in file names is MLO in the list
MASS, SPICULES = ("mass",), ("spiculated region", "espiculated region")  # both spellings occur

Polygon = tuple[tuple[float, float], ...]  # (x, y) in pixels


@dataclasses.dataclass(frozen=True)
class InbreastFiles:
    """Path of a film below `root`, and the outline of each of its lesions."""

    root: str
    image: str
    annotation: str
    polygons: tuple[Polygon, ...]


def recognise(root: Path) -> bool:
    """Return whether `root`, or a folder in it, contains AllDICOMs/ and AllXML/."""
    return _home(Path(root)) is not None


def scan(root: Path) -> Inventory:
    """List the films with a mass. Raises UserError if there is none."""
    home = _home(Path(root).resolve())
    films, ledger, records = [], [], _read_list(home / "INbreast.csv")
    names = {match["film"]: match for path in sorted((home / "AllDICOMs").iterdir())
             if (match := DICOM_NAME.fullmatch(path.name))}
    for path in sorted((home / "AllXML").glob("*.xml")):
        annotation = f"AllXML/{path.name}"
        try:
            polygons = read_masses(path)
        except UserError as error:
            ledger.append(LedgerRow(f"{path.stem}_1", "", annotation, Action.SKIPPED_UNREADABLE, str(error)))
            continue
        if path.stem in names:
            films += _film(home, names[path.stem], annotation, polygons, records.get(path.stem, {}))
        else:
            missing = Action.SKIPPED_MISSING, "no film of this number was found in AllDICOMs"
            ledger += [LedgerRow(f"{path.stem}_{k}", "", annotation, *missing) for k in range(1, len(polygons) + 1)]
    if not films:
        raise UserError(f"{home} contains no film with an outlined mass. Expected AllXML/<number>.xml with regions "
                        "named Mass and AllDICOMs/<number>_<patient>_MG_<L|R>_<CC|ML>_ANON.dcm")
    notes = () if records else ("no INbreast.csv: assessment and breast density are unknown",)
    return Inventory(NAME, NAME, tuple(films), tuple(ledger), notes)


def read(film: Film) -> FilmPixels:
    """Read a film with its window applied, and fill the outlines of its masses."""
    files: InbreastFiles = film.files
    try:
        film_image = read_dicom(Path(files.root, files.image))
        drawn = [drawn_masks.polygon(polygon, film_image.pixels.shape) for polygon in files.polygons]
    except Exception as error:
        return FilmPixels(None, (), tuple(_row(lesion, files, Action.SKIPPED_UNREADABLE, why_unreadable(error))
                                          for lesion in film.lesions))
    kept = tuple((lesion, mask) for lesion, mask in zip(film.lesions, drawn, strict=True) if mask.any())
    used = Action.INVERTED if film_image.inverted else Action.USED
    ledger = tuple(_row(lesion, files, used, "; ".join(film_image.notes)) if mask.any()
                   else _row(lesion, files, Action.SKIPPED_EMPTY, "the outline encloses no pixel of the film")
                   for lesion, mask in zip(film.lesions, drawn, strict=True))
    return FilmPixels(film_image.pixels if kept else None, kept, ledger, film_image.spacing_mm)


def read_masses(path: Path) -> list[Polygon]:
    """Read the outlines of the masses in an OsiriX annotation file, in its order.

    A spiculated region surrounds a mass and its spicules. If the mass has a separate outline, that is used; else the
    region is used as the mass.
    """
    try:
        with open(path, "rb") as file:
            regions = [region for image in plistlib.load(file)["Images"] for region in image["ROIs"]]
        names = [str(region.get("Name", "")).strip().lower() for region in regions]
        named = [(name, _points(region.get("Point_px") or [])) for name, region in zip(names, regions, strict=True)
                 if name in MASS + SPICULES]
    except Exception as error:  # plistlib and missing entries raise errors of many types
        raise UserError(f"the annotation file is damaged ({type(error).__name__})") from None
    cores = [polygon for name, polygon in named if name in MASS]
    return [polygon for name, polygon in named
            if name in MASS or not any(_boxes_meet(polygon, core) for core in cores)]


def _home(root: Path) -> Path | None:
    folders = [path.parent for path in below(root, "AllDICOMs", 1)]
    return next((folder for folder in folders if (folder / "AllXML").is_dir()), None)


def _points(texts: list[str]) -> Polygon:
    """Parse "(x, y)" of OsiriX, also with decimal commas. Raises ValueError for other texts."""
    return tuple(_point(text) for text in texts)


def _point(text: str) -> tuple[float, float]:
    numbers = re.split(r"\s*;\s*|,\s+|\s+", text.strip(" ()"))
    if len(numbers) == 1:
        parts = numbers[0].split(",")
        numbers = {2: parts, 4: [",".join(parts[:2]), ",".join(parts[2:])]}.get(len(parts), [])
    if len(numbers) not in (2, 3):
        raise ValueError("expected two numbers")
    x, y = (float(number.replace(",", ".")) for number in numbers[:2])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("a coordinate is not finite")
    return x, y


def _boxes_meet(one: Polygon, other: Polygon) -> bool:
    if not one or not other:
        return False
    a, b = np.array(one), np.array(other)
    return bool((a.min(axis=0) <= b.max(axis=0)).all() and (b.min(axis=0) <= a.max(axis=0)).all())


def _read_list(path: Path) -> dict[str, dict[str, str]]:
    """Read INbreast.csv by film number; empty if there is none."""
    if not path.exists():
        return {}
    rows = csv_tables.records(path, ("File Name", "ACR", "Bi-Rads"))
    return {csv_tables.digits(row.get("file name", "")): row for row in rows}


def _film(home: Path, match: re.Match, annotation: str, polygons: list[Polygon], row: dict[str, str]) -> list[Film]:
    if not polygons:
        return []
    number, view = match["film"], match["view"].upper()
    lesions = tuple(Lesion(
        lesion_id=f"{number}_{k}",
        film_id=number,
        patient_id=match["patient"],
        split="train",
        source=NAME,
        laterality=SIDES[match["side"].upper()],
        view=VIEW_NAMES.get(view, view),
        assessment=csv_tables.grade(row.get("bi-rads", "")),  # 4a, 4b and 4c are 4
        breast_density=csv_tables.grade(row.get("acr", "")),
    ) for k in range(1, len(polygons) + 1))  # fmt: skip
    return [Film(number, lesions, InbreastFiles(str(home), f"AllDICOMs/{match.string}", annotation, tuple(polygons)))]


def _row(lesion: Lesion, files: InbreastFiles, action: Action, detail: str = "") -> LedgerRow:
    return LedgerRow(lesion.lesion_id, files.image, files.annotation, action, detail)
