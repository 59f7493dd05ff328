"""Record the output files of `predict`, which it may replace and which are not input images."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.core.files import read_csv, whole_file

IMAGE_ENDINGS = ("_mask.png", "_probability.png", "_overlay.png")  # of each case
OBJECTS = SEG, PROBABILITY, SR = ("_seg.dcm", "_probability.dcm", "_sr.dcm")  # of DICOM files, where asked for
CANDIDATES = "candidates.csv"  # of films
_NAMES = ".predict.names"  # names in earlier calls that predictions.csv does not list, such as killed ones


def files(folder: Path) -> set[Path]:
    """Return the files that earlier calls wrote into `folder`, or might have written before they were killed."""
    return {folder / f"{name}{ending}" for name in _names(folder) for ending in IMAGE_ENDINGS + OBJECTS}


def claim(folder: Path, endings: Mapping[str, Iterable[str]]) -> None:
    """Record that each name of `endings`, with each of its endings, will be written into `folder`.

    Raises:
        UserError: A file to be replaced was not written by an earlier call.
    """
    table = folder / "predictions.csv"
    if table.exists() and not _is_ours(_rows(table)):
        raise UserError(f"{table} exists and was not written by predict, which would replace it. Choose another "
                        "`output`")  # fmt: skip
    if (folder / CANDIDATES).exists() and not table.exists():
        raise UserError(f"{folder / CANDIDATES} exists and was not written by predict, which would replace it. "
                        "Choose another `output`")  # fmt: skip
    known = _names(folder)
    for name in endings:
        for path in (folder / f"{name}{ending}" for ending in endings[name]):
            if name not in known and path.exists():
                raise UserError(f"{path} exists and was not written by predict, which would replace it. Choose "
                                "another `output`")  # fmt: skip
    with whole_file(folder / _NAMES) as temporary:
        temporary.write_text(json.dumps(sorted(known.union(endings))), encoding="utf-8")


def settle(folder: Path) -> None:
    """Delete the record if predictions.csv, which was just written, lists all its names."""
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
    """Return the names in predictions.csv; earlier releases recorded no others."""
    rows = _rows(file)
    return {row["name"] for row in rows if row.get("name")} if _is_ours(rows) else set()


def _is_ours(rows: list[dict[str, str]]) -> bool:
    """Return whether a table has rows and the columns of predictions.csv in all releases."""
    return bool(rows) and rows[0].keys() >= {"file", "area_px", "status"}


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        return read_csv(table, errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, csv.Error):
        return []
