"""Finds CBIS-DDSM's pictures on disk, whatever folders and file names a download tool gave them.

Files are known by the SeriesInstanceUID and PatientID of their DICOM header; in the Kaggle copy, which has no headers,
by dicom_info.csv or the folder named after the series.
"""

import csv
import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tfrespam.data.cbis_lists import Place
from tfrespam.data.dicom import read_header
from tfrespam.data.pictures import SUFFIXES
from tfrespam.files import walk

DICOM_SUFFIXES = (".dcm", ".dicom", "")
CASE_PREFIX = "Mass-"


@dataclasses.dataclass(frozen=True)
class Found:
    """One file of the download."""

    path: str  # below the root, with forward slashes
    series: str
    case: str
    damaged: bool = False  # its header could not be read: series and case are those of its folders


class Index:
    """Files by series and by case."""

    def __init__(self, files: list[Found]):
        self._by_series, self._by_case = defaultdict(list), defaultdict(list)
        for file in sorted(files, key=lambda file: file.path):
            self._by_series[file.series].append(file)
            self._by_case[file.case].append(file)

    def find(self, place: Place) -> list[Found]:
        """The files of the listed series; of the listed case when an anonymiser has given new UIDs."""
        files = self._by_series.get(place.series)
        if not files:
            return list(self._by_case.get(place.case, ()))
        damaged = [file for file in self._by_case.get(place.case, ()) if file.damaged and file not in files]
        return sorted(files + damaged, key=lambda file: file.path)


def index_dicom(root: Path) -> Index:
    """Reads the header of every DICOM file below `root`; folders of calcification cases are passed over."""
    return Index([_found(root, path) for path in _walk(root, DICOM_SUFFIXES)])


def index_pictures(root: Path) -> Index:
    """The Kaggle copy: jpeg/<SeriesInstanceUID>/<name>.jpg, with PatientIDs from csv/dicom_info.csv if it is there."""
    cases, files = _dicom_info(root), []
    for path in _walk(root, SUFFIXES):
        series = PurePosixPath(path).parent.name
        series, case = cases.get(_tail(path), (series, ""))
        files.append(Found(path, series, case))
    return Index(files)


def _found(root: Path, path: str) -> Found:
    header = read_header(root / path)
    if header and header["SeriesInstanceUID"]:
        return Found(path, header["SeriesInstanceUID"], header["PatientID"])
    folders = PurePosixPath(path).parent.parts
    case = next((name for name in reversed(folders) if name.startswith(CASE_PREFIX)), "")
    return Found(path, folders[-1] if folders else "", case, damaged=True)


def _walk(root: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Files below `root` in a stable order; links are followed."""
    for folder, names in walk(root, ("Calc-", ".", "__MACOSX")):
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield Path(folder, name).relative_to(root).as_posix()


def _dicom_info(root: Path) -> dict[str, tuple[str, str]]:
    """Series and case of each picture that dicom_info.csv names, by the last two parts of its path."""
    found = sorted(path for pattern in ("", "*/", "*/*/") for path in root.glob(pattern + "dicom_info.csv"))
    if not found:
        return {}
    try:
        with open(found[0], newline="", encoding="utf-8-sig") as file:
            return {_tail(row["image_path"]): (row["SeriesInstanceUID"], row["PatientID"])
                    for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError):
        return {}  # the folders' names carry the series as well


def _tail(path: str) -> str:
    return "/".join(PurePosixPath(path).parts[-2:])
