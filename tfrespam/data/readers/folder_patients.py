"""Read patients.csv of the user's own data set: patient and attributes of each image."""

from collections import Counter
from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.data.readers import csv_tables
from tfrespam.data.readers.folder_files import IMAGES, stem

NAME = "patients.csv"
TEXTS = ("laterality", "view", "pathology", "shape", "margins")
NUMBERS = {"assessment": 6, "subtlety": 5, "breast_density": 4}  # column -> largest value
DENSITIES = {"a": 1, "b": 2, "c": 3, "d": 4}


def read(path: Path, images: set[str]) -> tuple[dict[str, dict], list[str]]:
    """Read the attributes of each image by its name without suffix, and notes; ({}, []) if there is no such file.

    Raises UserError if a row lacks image or patient, rows contradict each other, or an image has no row.
    """
    if not path.exists():
        return {}, []
    records, strange = {}, Counter()
    for row in csv_tables.records(path, ("image", "patient_id", *TEXTS, *NUMBERS, "split")):
        _check(row, path)
        known, name = _facts(row, strange), _name(row["image"], images)
        if records.setdefault(name, known) != known:
            raise UserError(f"{path} has two different rows for {row['image']!r}. Expected one row, or equal ones")
    unknown = sorted(images - records.keys())
    if unknown:
        raise UserError(f"{path} names no patient for {len(unknown)} images, so that splits could leak: "
                        f"{', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}")
    return records, [f"{NAME}: {count} cells of {name} are not numbers from 0 to {NUMBERS[name]}; used as unknown"
                     for name, count in strange.items() if count]  # fmt: skip


def _check(row: dict[str, str], path: Path) -> None:
    if not row.get("image") or not row.get("patient id"):
        raise UserError(f"{path}: every row must have image and patient_id, in columns of these names separated by "
                        f"commas, semicolons or tabs. Received: {row}")  # fmt: skip
    if row.get("split", "") not in ("", "train", "test"):
        raise UserError(f"{path}: split must be train, test or empty. Received: {row['split']!r}")


def _facts(row: dict[str, str], strange: Counter) -> dict:
    facts = {"patient_id": row["patient id"], "split": row.get("split") or "train"}
    facts |= {name: row.get(name, "") for name in TEXTS}
    for name, largest in NUMBERS.items():
        text = row.get(csv_tables.key(name), "")
        facts[name] = _number(name, text, largest)
        strange[name] += bool(text) and facts[name] < 0
    return facts


def _number(name: str, text: str, largest: int) -> int:
    value = csv_tables.grade(text)
    if name == "breast_density" and value < 0:
        value = DENSITIES.get(text.strip().lower(), -1)
    return value if value <= largest else -1


def _name(cell: str, images: set[str]) -> str:
    """Return the image of a row, by its path below images/, or by its file name if that is unique."""
    parts = csv_tables.path_parts(cell)
    parts = parts[len(parts) - parts[::-1].index(IMAGES) :] if IMAGES in parts else parts
    name = stem("/".join(parts))
    if name not in images:
        alike = [image for image in images if image.rpartition("/")[2] == name.rpartition("/")[2]]
        name = alike[0] if len(alike) == 1 else name
    return name
