"""Read CDD-CESM's sheet Radiology-manual-annotations: findings, assessment, density and pathology of each image."""

import itertools
import re
from pathlib import Path, PurePosixPath

from tfrespam.core.errors import UserError, extra
from tfrespam.core.files import below
from tfrespam.data.readers import csv_tables

PATTERN = "[Rr]adiology*manual*annotations*"  # with blanks, hyphens or underscores; .xlsx, or saved as .csv
DENSITIES = {"A": 1, "B": 2, "C": 3, "D": 4}


def find(root: Path) -> Path | None:
    """Find the sheet, at most two folders below `root`."""
    return next((path for path in below(root, PATTERN, 2) if path.suffix.lower() in (".xlsx", ".csv")), None)


def read(path: Path) -> dict[str, dict]:
    """Read the sheet. Raises UserError.

    Returns:
        Name of an image in capitals -> `masses` (bool), `others` (findings of other kinds), `pathology`, `assessment`
        and `breast_density`. Several findings are in one cell, separated by `$`, or in several rows.
    """
    if path.suffix.lower() == ".csv":
        rows = [cells for _, cells in csv_tables.numbered_rows(path, ("Image_name", "Findings"))]
    else:
        rows = _rows_of_workbook(path)
    header = [_key(cell) for cell in rows[0]] if rows else []
    if "imagename" not in header or "findings" not in header:
        received = ", ".join(rows[0]) if rows else "nothing"
        raise UserError(f"{path}: expected the columns Image_name and Findings. Received: {received}")
    known: dict[str, dict] = {}
    for cells in rows[1:]:
        row = dict(itertools.zip_longest(header, cells[: len(header)], fillvalue=""))  # a line may be short, or blank
        if name := _image_name(row["imagename"]):
            _add(known.setdefault(name, {"masses": False, "others": []}), row)
    return known


def _add(facts: dict, row: dict[str, str]) -> None:
    for finding in filter(None, (part.strip() for part in row["findings"].split("$"))):
        if _is_mass(finding):
            facts["masses"] = True
        elif finding.lower() not in ("normal", "_") and finding not in facts["others"]:
            facts["others"].append(finding)
    pathology = next((value for key, value in row.items() if key.startswith("pathology")), "")
    facts["pathology"] = facts.get("pathology") or pathology.upper()
    grades = [int(digit) for digit in re.findall(r"[0-6]", re.sub(r"[.,]0+", "", row.get("birads", "")))]
    facts["assessment"] = max([facts.get("assessment", -1), *grades])
    density = next((value for key, value in row.items() if key.startswith("breastdensity")), "").strip().upper()
    facts["breast_density"] = max(facts.get("breast_density", -1), DENSITIES.get(density[:1], -1))


def _is_mass(finding: str) -> bool:
    """Return whether a finding is a mass or a mass enhancement; a non-mass enhancement is not."""
    return re.search(r"\bmass", finding.lower()) is not None and re.search(r"non\W*mass", finding.lower()) is None


def _key(cell: str) -> str:
    return re.sub(r"[^a-z]", "", cell.lower())


def _image_name(cell: str) -> str:
    """Return the name of an image in capitals, without folders and suffix."""
    name = PurePosixPath("/".join(csv_tables.path_parts(cell)[-1:])).stem.strip() if "." in cell else cell
    return name.upper()


def _rows_of_workbook(path: Path) -> list[list[str]]:
    """Read the first sheet, `all`; the others repeat it by kind of finding."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise UserError(f"{path.name}, which lists the outlines that are masses, is an Excel workbook. Its "
                        f"reader is {extra('xlsx')}. Or save its first sheet as .csv") from None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        sheet = book["all"] if "all" in book.sheetnames else book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        return [["" if cell is None else str(cell).strip() for cell in row] for row in rows]
    except Exception as error:  # zipfile, XML and openpyxl each raise their own
        raise UserError(f"{path} cannot be read as an Excel workbook ({type(error).__name__}). Save its first sheet as "
                        ".csv") from None  # fmt: skip
