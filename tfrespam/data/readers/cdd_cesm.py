"""Read CDD-CESM (contrast-enhanced mammograms): low-energy and subtracted images, a table of outlines, and a sheet.

R. Khaled et al., Categorized contrast enhanced mammography dataset for diagnostic and artificial intelligence research,
Sci. Data 9:122 (2022), doi 10.1038/s41597-022-01238-0.
"""

import dataclasses
import re
from pathlib import Path, PurePosixPath

from tfrespam.core.errors import UserError
from tfrespam.core.files import below
from tfrespam.data.readers import cesm_regions, cesm_sheet, csv_tables, drawn_masks
from tfrespam.data.readers.image_file import SUFFIXES
from tfrespam.data.readers.records import Action, Film, FilmPixels, Inventory, LedgerRow, Lesion

NAME = "cdd_cesm"
DEPTH = 3  # depth of folders between the download and its images
REGIONS = "*segmentation*.csv"  # Radiology_hand_drawn_segmentations_v2.csv: what the VGG Image Annotator writes
COLUMNS = ("#filename", "region_shape_attributes")
IMAGE_NAME = re.compile(r"P(?P<patient>\d+)_(?P<side>[LR])_(?P<kind>DM|CM)_(?P<view>CC|MLO)\w*", re.IGNORECASE)
MANY = 0.1  # share of images with outlines outside of them, above which all images were resized
SIDES = {"L": "LEFT", "R": "RIGHT"}
NO_SHEET = ("no Radiology-manual-annotations.xlsx: every outlined finding is used as a mass, including calcifications "
            "and distortions; assessment, density and pathology are unknown")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class CesmFiles:
    """Paths of an image and the table below `root`, and each lesion's region as JSON text."""

    root: str
    image: str
    table: str
    regions: tuple[str, ...]


def recognise(root: Path) -> bool:
    """Return whether `root` contains the table of regions and images of CDD-CESM, at most three folders deep."""
    root = Path(root)
    return _table(root) is not None and bool(_images(root))


def scan(root: Path) -> Inventory:
    """List the images of both kinds with an outlined mass. Raises UserError without any, or for an invalid sheet."""
    root = Path(root).resolve()
    table, images = _table(root), _images(root)
    sheet = cesm_sheet.find(root)
    known = cesm_sheet.read(sheet) if sheet else {}
    listed = _regions(table)
    resized = _resized(root, listed, images)
    films, ledger = [], []
    for name, regions in listed.items():
        facts = known.get(name.upper(), {})
        if known and not facts.get("masses"):
            continue  # findings of other kinds
        problem = _problem(name, facts, images) or resized
        if problem:
            file = images.get(name.upper(), "")
            ledger += [LedgerRow(f"{name}_{k}", file, table.name, *problem) for k in range(1, len(regions) + 1)]
        else:
            lesions = tuple(_lesion(name, number, facts) for number in range(1, len(regions) + 1))
            where = CesmFiles(str(root), images[name.upper()], str(table.relative_to(root)), tuple(regions))
            films.append(Film(name, lesions, where))
    if not films:
        raise UserError(f"{root} contains no image with an outlined mass. Expected images such as P1_L_DM_CC.jpg that "
                        f"{table.name} lists and that the sheet of findings, if there is one, describes as a mass")
    return Inventory(NAME, NAME, tuple(films), tuple(ledger), () if known else (NO_SHEET,))


def read(film: Film) -> FilmPixels:
    """Read an image and fill the outlines of its masses."""
    files: CesmFiles = film.files
    return drawn_masks.read_drawn(
        film, files.root, files.image, files.table,
        lambda size: (cesm_regions.draw(region, size) for region in files.regions),
    )  # fmt: skip


def _table(root: Path) -> Path | None:
    return next(iter(below(root, REGIONS, DEPTH)), None)


def _images(root: Path) -> dict[str, str]:
    """Return name in capitals without suffix -> file below `root`."""
    found = {}
    for path in below(root, "[Pp]*_*", DEPTH):
        if IMAGE_NAME.fullmatch(path.stem.strip()) and path.suffix.lower() in SUFFIXES:
            found.setdefault(path.stem.strip().upper(), str(path.relative_to(root)))
    return found


def _regions(table: Path) -> dict[str, list[str]]:
    """Return name of an image without suffix -> its regions as JSON text, in the table's order."""
    found: dict[str, list[str]] = {}
    rows = csv_tables.records(table, COLUMNS)
    if rows and not {csv_tables.key(name) for name in COLUMNS} <= rows[0].keys():
        raise UserError(f"{table}: expected the columns {' and '.join(COLUMNS)}. Received: {', '.join(rows[0])}")
    for row in rows:
        parts = csv_tables.path_parts(row["#filename"]) or ("",)
        name = PurePosixPath(parts[-1]).stem.strip()  # "P1_L_DM_CC .jpg" occurs
        region = row["region shape attributes"]
        if IMAGE_NAME.fullmatch(name) and region not in ("", "{}"):
            found.setdefault(name, []).append(region)
    return found


def _resized(root: Path, listed: dict[str, list[str]], images: dict[str, str]) -> tuple[Action, str] | None:
    """Return the reason if no outline is reliable: if many are outside of their images, all are displaced."""
    there = {name: regions for name, regions in listed.items() if name.upper() in images}
    beyond = [name for name, regions in there.items()
              if cesm_regions.any_beyond(root / images[name.upper()], regions)]  # fmt: skip
    if len(beyond) < 2 or len(beyond) < MANY * len(there):
        return None
    return Action.SKIPPED_AMBIGUOUS, (f"the outlines of {len(beyond)} of {len(there)} images exceed the image: the "
                                      "images do not have the published size")  # fmt: skip


def _problem(name: str, facts: dict, images: dict[str, str]) -> tuple[Action, str] | None:
    if name.upper() not in images:
        return Action.SKIPPED_MISSING, "no image of this name was found"
    if facts.get("others"):
        others = ", ".join(facts["others"])
        return Action.SKIPPED_AMBIGUOUS, f"it is unknown which region is the mass. Other findings: {others}"
    return None


def _lesion(name: str, number: int, facts: dict) -> Lesion:
    match = IMAGE_NAME.fullmatch(name)
    return Lesion(lesion_id=f"{name}_{number}", film_id=name, patient_id=f"P{int(match['patient'])}", split="train",
                  source=NAME, laterality=SIDES[match["side"].upper()], view=match["view"].upper(),
                  pathology=facts.get("pathology", ""), assessment=facts.get("assessment", -1),
                  breast_density=facts.get("breast_density", -1))  # fmt: skip
