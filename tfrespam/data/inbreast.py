"""INbreast's masses from its published layout: AllDICOMs/, AllXML/ with OsiriX outlines, INbreast.csv.

I. C. Moreira et al., INbreast: toward a full-field digital mammographic database, Acad. Radiol. 19:236-248 (2012).
"""

import csv
import dataclasses
import plistlib
import re
from pathlib import Path

import numpy as np

from tfrespam.data import outlines
from tfrespam.data.dicom import read_dicom
from tfrespam.data.pictures import why_unreadable
from tfrespam.data.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion
from tfrespam.errors import UserError
from tfrespam.files import below

NAME = "inbreast"
DICOM_NAME = re.compile(r"(?P<film>\d+)_(?P<patient>\w+)_MG_(?P<side>[LR])_(?P<view>[A-Z]+)_ANON\.dcm", re.IGNORECASE)
SIDES = {"L": "LEFT", "R": "RIGHT"}
VIEW_NAMES = {"ML": "MLO"}  # what the files' names call ML is the list's MLO
MASS, SPICULES = ("mass",), ("spiculated region", "espiculated region")  # both spellings occur

Polygon = tuple[tuple[float, float], ...]  # (x, y) in pixels


@dataclasses.dataclass(frozen=True)
class InbreastFiles:
    """A film below `root` and the outline of each of its lesions."""

    root: str
    image: str
    annotation: str
    polygons: tuple[Polygon, ...]


def recognise(root: Path) -> bool:
    """Whether `root`, or a folder in it, holds AllDICOMs/ and AllXML/."""
    return _home(Path(root)) is not None


def scan(root: Path) -> Inventory:
    """Lists the films with a mass. Raises UserError when there is none."""
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
            missing = Action.SKIPPED_MISSING, "no such film in AllDICOMs"
            ledger += [LedgerRow(f"{path.stem}_{k}", "", annotation, *missing) for k in range(1, len(polygons) + 1)]
    if not films:
        raise UserError(f"{home} holds no film with an outlined mass: expected AllXML/<number>.xml with regions named "
                        "Mass and AllDICOMs/<number>_<patient>_MG_<L|R>_<CC|ML>_ANON.dcm")
    notes = () if records else ("no INbreast.csv: assessment and breast density are unknown",)
    return Inventory(NAME, NAME, tuple(films), tuple(ledger), notes)


def read(film: Film) -> FilmPixels:
    """Reads a film as presented (its window applied) and fills the outlines of its masses."""
    files: InbreastFiles = film.files
    try:
        picture = read_dicom(Path(files.root, files.image))
        drawn = [outlines.polygon(polygon, picture.pixels.shape) for polygon in files.polygons]
    except Exception as error:
        return FilmPixels(None, (), tuple(_row(lesion, files, Action.SKIPPED_UNREADABLE, why_unreadable(error))
                                          for lesion in film.lesions))
    kept = tuple((lesion, mask) for lesion, mask in zip(film.lesions, drawn, strict=True) if mask.any())
    used = Action.INVERTED if picture.inverted else Action.USED
    ledger = tuple(_row(lesion, files, used) if mask.any()
                   else _row(lesion, files, Action.SKIPPED_EMPTY, "the outline encloses no pixel of the film")
                   for lesion, mask in zip(film.lesions, drawn, strict=True))
    return FilmPixels(picture.pixels if kept else None, kept, ledger, picture.spacing_mm)


def read_masses(path: Path) -> list[Polygon]:
    """Outlines of the masses in an OsiriX annotation file, in its order.

    A spiculated region is drawn around a mass and its spicules. Where the mass has its own outline that one counts;
    where it has none, the region is taken for the mass.
    """
    try:
        with open(path, "rb") as file:
            regions = [region for picture in plistlib.load(file)["Images"] for region in picture["ROIs"]]
        named = [(str(region.get("Name", "")).strip().lower(), _points(region["Point_px"])) for region in regions
                 if str(region.get("Name", "")).strip().lower() in MASS + SPICULES]
    except Exception as error:  # plistlib and what is not in the file raise errors of many types
        raise UserError(f"the annotation file is damaged ({type(error).__name__})") from None
    cores = [polygon for name, polygon in named if name in MASS]
    return [polygon for name, polygon in named
            if name in MASS or not any(_boxes_meet(polygon, core) for core in cores)]


def _home(root: Path) -> Path | None:
    folders = [path.parent for path in below(root, "AllDICOMs", 1)]
    return next((folder for folder in folders if (folder / "AllXML").is_dir()), None)


def _points(texts: list[str]) -> Polygon:
    """OsiriX writes points as "(x, y)"."""
    return tuple(tuple(float(number) for number in text.strip(" ()").split(",")[:2]) for text in texts)


def _boxes_meet(one: Polygon, other: Polygon) -> bool:
    if not one or not other:
        return False
    a, b = np.array(one), np.array(other)
    return bool((a.min(axis=0) <= b.max(axis=0)).all() and (b.min(axis=0) <= a.max(axis=0)).all())


def _read_list(path: Path) -> dict[str, dict[str, str]]:
    """INbreast.csv by film number; empty when there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    rows = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    return {str(row.get("File Name") or "").strip(): row for row in rows}


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
        assessment=_leading_number(row.get("Bi-Rads")),  # 4a, 4b and 4c are 4
        breast_density=_leading_number(row.get("ACR")),
    ) for k in range(1, len(polygons) + 1))  # fmt: skip
    return [Film(number, lesions, InbreastFiles(str(home), f"AllDICOMs/{match.string}", annotation, tuple(polygons)))]


def _leading_number(text: str | None) -> int:
    digit = (text or "").strip()[:1]
    return int(digit) if digit.isdigit() else -1


def _row(lesion: Lesion, files: InbreastFiles, action: Action, detail: str = "") -> LedgerRow:
    return LedgerRow(lesion.lesion_id, files.image, files.annotation, action, detail)
