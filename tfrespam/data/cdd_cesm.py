"""CDD-CESM, contrast-enhanced mammograms: low-energy and subtracted pictures, outlines in a table, findings in a sheet.

R. Khaled et al., Categorized contrast enhanced mammography dataset for diagnostic and artificial intelligence research,
Sci. Data 9:122 (2022), doi 10.1038/s41597-022-01238-0.
"""

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np

from tfrespam.data import cesm_sheet, outlines
from tfrespam.data.pictures import SUFFIXES
from tfrespam.data.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion
from tfrespam.errors import UserError
from tfrespam.files import below

NAME = "cdd_cesm"
DEPTH = 3  # folders between the download and its pictures
REGIONS = "*segmentation*.csv"  # Radiology_hand_drawn_segmentations_v2.csv: what the VGG Image Annotator writes
PICTURE = re.compile(r"P(?P<patient>\d+)_(?P<side>[LR])_(?P<kind>DM|CM)_(?P<view>CC|MLO)\w*", re.IGNORECASE)
SIDES = {"L": "LEFT", "R": "RIGHT"}
NO_SHEET = ("no Radiology-manual-annotations.xlsx: every outlined finding is taken for a mass, calcifications and "
            "distortions too; assessment, density and pathology are unknown")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class CesmFiles:
    """A picture below `root`, the table below it, and each lesion's region as JSON text."""

    root: str
    image: str
    table: str
    regions: tuple[str, ...]


def recognise(root: Path) -> bool:
    """Whether `root` holds the table of regions, and pictures named as CDD-CESM's are, at most three folders deep."""
    root = Path(root)
    return _table(root) is not None and bool(_pictures(root))


def scan(root: Path) -> Inventory:
    """Lists the pictures with an outlined mass, of both kinds. Raises UserError without any, or for a bad sheet."""
    root = Path(root).resolve()
    table, pictures = _table(root), _pictures(root)
    sheet = cesm_sheet.find(root)
    known = cesm_sheet.read(sheet) if sheet else {}
    films, ledger = [], []
    for name, regions in _regions(table).items():
        facts = known.get(name.upper(), {})
        if known and not facts.get("masses"):
            continue  # findings of other kinds
        problem = _problem(name, facts, pictures)
        if problem:
            file = pictures.get(name.upper(), "")
            ledger += [LedgerRow(f"{name}_{k}", file, table.name, *problem) for k in range(1, len(regions) + 1)]
        else:
            lesions = tuple(_lesion(name, number, facts) for number in range(1, len(regions) + 1))
            where = CesmFiles(str(root), pictures[name.upper()], str(table.relative_to(root)), tuple(regions))
            films.append(Film(name, lesions, where))
    if not films:
        raise UserError(f"{root} holds no picture with an outlined mass: expected pictures such as P1_L_DM_CC.jpg that "
                        f"{table.name} names and, where there is a sheet of findings, that it calls a mass")
    return Inventory(NAME, NAME, tuple(films), tuple(ledger), () if known else (NO_SHEET,))


def read(film: Film) -> FilmPixels:
    """Reads a picture and fills the outlines of its masses."""
    files: CesmFiles = film.files
    return outlines.read_drawn(film, files.root, files.image, files.table,
                               lambda size: (draw(region, size) for region in files.regions))  # fmt: skip


def draw(region: str, size: tuple[int, int]) -> tuple[np.ndarray, str]:
    """A region of the annotator, as JSON text, as a mask (H, W) bool, and the name of its shape.

    A point encloses nothing, and neither does a region that cannot be read.
    """
    try:
        shape = json.loads(region)
        match shape["name"]:
            case "polygon" | "polyline":
                points = list(zip(shape["all_points_x"], shape["all_points_y"], strict=True))
                return outlines.polygon(points, size), shape["name"]
            case "circle":
                return outlines.ellipse((shape["cx"], shape["cy"]), (shape["r"], shape["r"]), size), "circle"
            case "ellipse":
                return outlines.ellipse((shape["cx"], shape["cy"]), (shape["rx"], shape["ry"]), size,
                                        float(shape.get("theta", 0))), "ellipse"  # fmt: skip
            case other:
                return np.zeros(size, bool), f"a {other} encloses nothing"
    except (ValueError, KeyError, TypeError) as error:
        return np.zeros(size, bool), f"the region cannot be read ({type(error).__name__})"


def _table(root: Path) -> Path | None:
    return next(iter(below(root, REGIONS, DEPTH)), None)


def _pictures(root: Path) -> dict[str, str]:
    """Name in capitals, without suffix -> file below `root`."""
    found = {}
    for path in below(root, "[Pp]*_*", DEPTH):
        if PICTURE.fullmatch(path.stem.strip()) and path.suffix.lower() in SUFFIXES:
            found.setdefault(path.stem.strip().upper(), str(path.relative_to(root)))
    return found


def _regions(table: Path) -> dict[str, list[str]]:
    """Picture's name without suffix -> its regions, as JSON text, in the table's order."""
    found: dict[str, list[str]] = {}
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                name = Path(row["#filename"].strip()).stem.strip()  # some have a blank before the suffix
                region = (row["region_shape_attributes"] or "").strip()
                if PICTURE.fullmatch(name) and region not in ("", "{}"):
                    found.setdefault(name, []).append(region)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise UserError(f"{table} cannot be read ({type(error).__name__}: {error}). Expected the columns #filename and "
                        "region_shape_attributes") from None  # fmt: skip
    return found


def _problem(name: str, facts: dict, pictures: dict[str, str]) -> tuple[Action, str] | None:
    if name.upper() not in pictures:
        return Action.SKIPPED_MISSING, "no such picture"
    if facts.get("others"):
        return Action.SKIPPED_AMBIGUOUS, f"which region is the mass? Found beside it: {', '.join(facts['others'])}"
    return None


def _lesion(name: str, number: int, facts: dict) -> Lesion:
    match = PICTURE.fullmatch(name)
    return Lesion(lesion_id=f"{name}_{number}", film_id=name, patient_id=f"P{int(match['patient'])}", split="train",
                  source=NAME, laterality=SIDES[match["side"].upper()], view=match["view"].upper(),
                  pathology=facts.get("pathology", ""), assessment=facts.get("assessment", -1),
                  breast_density=facts.get("breast_density", -1))  # fmt: skip
