"""Find CBIS-DDSM's images on disk, independent of the folder and file names of download tools.

Files are identified by the SeriesInstanceUID and PatientID of their DICOM header; in the Kaggle copy, which has no
headers, by dicom_info.csv or the folder named after the series.
"""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tfrespam.core.errors import UserError
from tfrespam.core.files import walk
from tfrespam.data.dicom.reader import read_header
from tfrespam.data.readers import csv_tables
from tfrespam.data.readers.cbis_lists import Place
from tfrespam.data.readers.image_file import SUFFIXES

DICOM_SUFFIXES = (".dcm", ".dicom", "")
CASE_PREFIX = "Mass-"


@dataclasses.dataclass(frozen=True)
class Found:
    """One file of the download."""

    path: str  # relative to the root, with forward slashes
    series: str
    case: str
    damaged: bool = False  # unreadable header: series and case are those of its folders


class Index:
    """Index of files by series and by case."""

    def __init__(self, files: list[Found]):
        self._by_series, self._by_case = defaultdict(list), defaultdict(list)
        for file in sorted(files, key=lambda file: file.path):
            self._by_series[file.series].append(file)
            self._by_case[file.case].append(file)

    def find(self, place: Place) -> list[Found]:
        """Return the files of the listed series, or of the listed case if an anonymiser changed the UIDs."""
        files = self._by_series.get(place.series)
        if not files:
            return list(self._by_case.get(place.case, ()))
        damaged = [file for file in self._by_case.get(place.case, ()) if file.damaged and file not in files]
        return sorted(files + damaged, key=lambda file: file.path)


def index_dicom(root: Path) -> Index:
    """Read the header of every DICOM file below `root`, except in folders of calcification cases."""
    return Index([_found(root, path) for path in _walk(root, DICOM_SUFFIXES)])


def index_images(root: Path) -> Index:
    """Index the Kaggle copy: jpeg/<SeriesInstanceUID>/<name>.jpg, with PatientIDs of csv/dicom_info.csv if any."""
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
    """Yield the files below `root` in a stable order; links are followed."""
    for folder, names in walk(root, ("Calc-", ".", "__MACOSX")):
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield Path(folder, name).relative_to(root).as_posix()


def _dicom_info(root: Path) -> dict[str, tuple[str, str]]:
    """Return series and case of each image in dicom_info.csv, by the last two components of its path."""
    found = sorted(path for pattern in ("", "*/", "*/*/") for path in root.glob(pattern + "dicom_info.csv"))
    if not found:
        return {}
    try:
        rows = csv_tables.records(found[0], ("image_path", "SeriesInstanceUID", "PatientID"))
        return {_tail(row["image path"]): (row["seriesinstanceuid"], row["patientid"]) for row in rows}
    except (UserError, KeyError):
        return {}  # the names of the folders contain the series too


def _tail(path: str) -> str:
    return "/".join(csv_tables.path_parts(path)[-2:])
