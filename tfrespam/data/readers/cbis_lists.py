"""Read CBIS-DDSM's case lists, which assign lesions to films and series.

R. S. Lee et al., Sci. Data 4:170177 (2017). Known quirks are counted in datasets/cbis_ddsm_mass/README.md.
"""

import dataclasses
import re
from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.data.readers import csv_tables
from tfrespam.data.readers.records import Lesion

LIST_NAMES = {"train": "mass_case_description_train_set.csv", "test": "mass_case_description_test_set.csv"}
NEEDED = ("patient id", "left or right breast", "image view", "abnormality id", "image file path",
          "cropped image file path", "roi mask file path")  # fmt: skip
DEPTH = 3  # depth of folders below the root that are searched for lists


@dataclasses.dataclass(frozen=True)
class Place:
    """Listed location of an image, without its file name, which most downloads change."""

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
    """Find the mass lists at most DEPTH folders below `root`, by split; the shallowest of each name."""
    found = {}
    for depth in range(DEPTH + 1):
        for split, name in LIST_NAMES.items():
            if split not in found and (paths := sorted(root.glob("*/" * depth + name))):
                found[split] = paths[0]
    return found


def read_list(path: Path, split: str, source: str) -> list[Listed]:
    """Read all rows of one list, in its order. Raises UserError if it is not a mass case list."""
    rows = csv_tables.records(path, NEEDED)  # nearly every mask path ends with a newline inside its quotes
    missing = [name for name in NEEDED if rows and name not in rows[0]]
    if missing:
        raise UserError(f"{path} is not a CBIS-DDSM mass list. Expected columns {', '.join(NEEDED)}. "
                        f"Missing: {missing}")  # fmt: skip
    return [_listed(row, split, source, path) for row in rows if row.get("abnormality type", "mass").lower() == "mass"]


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
        assessment=csv_tables.whole(row.get("assessment", "")),
        subtlety=csv_tables.whole(row.get("subtlety", "")),
        breast_density=csv_tables.whole(row.get("breast density", "")),
    )
    places = [_place(row[f"{name} file path"], path) for name in ("image", "cropped image", "roi mask")]
    return Listed(lesion, *places, film_path=row["image file path"])


def _place(text: str, path: Path) -> Place:
    parts = re.split(r"[/\\]", text)
    if len(parts) != 4:
        raise UserError(f"{path}: expected case/study UID/series UID/file. Received: {text!r}")
    return Place(case=parts[0], series=parts[2])
