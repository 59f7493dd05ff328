"""Which files of a folder `predict` has written: those it may replace, and those that are no pictures to segment."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfrespam.errors import UserError
from tfrespam.files import whole_file

PICTURES = ("_mask.png", "_probability.png", "_overlay.png")  # of each case
OBJECTS = SEG, PROBABILITY, SR = ("_seg.dcm", "_probability.dcm", "_sr.dcm")  # of DICOM files, where asked for
_NAMES = ".predict.names"  # of calls that were killed, and of those before the last, of which predictions.csv tells


def files(folder: Path) -> set[Path]:
    """What earlier calls have written into `folder`, or were about to when they were killed."""
    return {folder / f"{name}{ending}" for name in _names(folder) for ending in PICTURES + OBJECTS}


def claim(folder: Path, endings: Mapping[str, Iterable[str]]) -> None:
    """Notes that each name of `endings`, with each of its endings, will be written into `folder`.

    Raises:
        UserError: There is such a file, and it is not an earlier call's.
    """
    table = folder / "predictions.csv"
    if table.exists() and not _is_ours(table):
        raise UserError(f"{table} is there and was not written by predict, which would replace it. Choose another "
                        "--output")  # fmt: skip
    known = _names(folder)
    for name in endings:
        for path in (folder / f"{name}{ending}" for ending in endings[name]):
            if name not in known and path.exists():
                raise UserError(f"{path} is there and was not written by predict, which would replace it. Choose "
                                "another --output")  # fmt: skip
    with whole_file(folder / _NAMES) as temporary:
        temporary.write_text(json.dumps(sorted(known.union(endings))), encoding="utf-8")


def settle(folder: Path) -> None:
    """Forgets the notes where predictions.csv, just written, tells it all."""
    if _noted(folder / _NAMES) <= _tabulated(folder / "predictions.csv"):
        (folder / _NAMES).unlink(missing_ok=True)


def _names(folder: Path) -> set[str]:
    return _noted(folder / _NAMES) | _tabulated(folder / "predictions.csv")


def _noted(file: Path) -> set[str]:
    try:
        return set(map(str, json.loads(file.read_text(encoding="utf-8"))))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return set()


def _tabulated(file: Path) -> set[str]:
    """By versions that noted no names."""
    return {row["name"] for row in _rows(file) if row.get("name")} if _is_ours(file) else set()


def _is_ours(table: Path) -> bool:
    """Whether a table has the columns that predictions.csv has always had, and rows."""
    return next(iter(_rows(table)), {}).keys() >= {"file", "area_px", "status"}


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with open(table, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, csv.Error):
        return []
