"""CBIS-DDSM's case lists: which lesion lies on which film, and in which series its pictures are.

R. S. Lee et al., Sci. Data 4:170177 (2017). Known quirks are counted in datasets/cbis_ddsm_mass/README.md.
"""

import csv
import dataclasses
import re
from pathlib import Path

from tfrespam.data.records import Lesion
from tfrespam.errors import UserError

LIST_NAMES = {"train": "mass_case_description_train_set.csv", "test": "mass_case_description_test_set.csv"}
NEEDED = ("patient id", "left or right breast", "image view", "abnormality id", "image file path",
          "cropped image file path", "roi mask file path")  # fmt: skip
DEPTH = 3  # folders below the root in which the lists are looked for


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the list says a picture is. File names are left out: most downloads do not keep them."""

    case: str  # PatientID in the DICOM header, e.g. Mass-Training_P_00001_LEFT_CC_1
    series: str  # SeriesInstanceUID


@dataclasses.dataclass(frozen=True)
class Listed:
    """One row of a case list."""

    lesion: Lesion
    film: Place
    crop: Place
    mask: Place
    film_path: str  # as listed


def find_lists(root: Path) -> dict[str, Path]:
    """The mass lists at most DEPTH folders below `root`, by split; the shallowest one of each name."""
    found = {}
    for depth in range(DEPTH + 1):
        for split, name in LIST_NAMES.items():
            if split not in found and (paths := sorted(root.glob("*/" * depth + name))):
                found[split] = paths[0]
    return found


def read_list(path: Path, split: str, source: str) -> list[Listed]:
    """All rows of one list, in its order. Raises UserError when it is not a mass case list."""
    try:
        # csv, not lines: nearly every mask path ends in a newline inside its quotes
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [_normal(row) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read the case list {path}: {error}") from None
    missing = [name for name in NEEDED if rows and name not in rows[0]]
    if missing:
        raise UserError(f"{path} is no CBIS-DDSM mass list: expected columns {', '.join(NEEDED)}. Missing: {missing}")
    return [_listed(row, split, source, path) for row in rows if row.get("abnormality type", "mass") == "mass"]


def _normal(row: dict) -> dict[str, str]:
    """The mass lists write breast_density, the calcification lists breast density: one spelling for all columns."""
    return {str(key).strip().lower().replace("_", " "): str(value or "").strip() for key, value in row.items()}


def _listed(row: dict[str, str], split: str, source: str, path: Path) -> Listed:
    patient, side, view = row["patient id"], row["left or right breast"], row["image view"]
    film = f"{patient}_{side}_{view}"
    lesion = Lesion(
        lesion_id=f"{film}_{row['abnormality id']}",
        film_id=film,
        patient_id=patient,
        split=split,
        source=source,
        laterality=side,
        view=view,
        pathology=row.get("pathology", ""),
        shape=row.get("mass shape", ""),
        margins=row.get("mass margins", ""),
        assessment=_number(row.get("assessment", "")),
        subtlety=_number(row.get("subtlety", "")),
        breast_density=_number(row.get("breast density", "")),
    )
    places = [_place(row[f"{name} file path"], path) for name in ("image", "cropped image", "roi mask")]
    return Listed(lesion, *places, film_path=row["image file path"])


def _place(text: str, path: Path) -> Place:
    parts = re.split(r"[/\\]", text)
    if len(parts) != 4:
        raise UserError(f"{path}: expected case/study UID/series UID/file. Received: {text!r}")
    return Place(case=parts[0], series=parts[2])


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1
