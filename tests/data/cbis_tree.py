"""Small CBIS-DDSM downloads for tests: films of 48 x 36 pixels with the original column names, in each layout."""

import csv
import dataclasses
from pathlib import Path

import dicom_files
import numpy as np
from PIL import Image

COLUMNS = ["patient_id", "breast_density", "left or right breast", "image view", "abnormality id", "abnormality type",
           "mass shape", "mass margins", "assessment", "pathology", "subtlety", "image file path",
           "cropped image file path", "ROI mask file path"]  # fmt: skip
SIZE = (48, 36)


@dataclasses.dataclass
class Entry:
    """One lesion of the list; its images and paths may be changed before the tree is written."""

    patient: str
    number: int = 1
    split: str = "Training"
    one_series: bool = True
    fields: dict = dataclasses.field(default_factory=dict)
    film: np.ndarray = None
    crop: np.ndarray = None
    mask: np.ndarray = None
    swapped: bool = False
    photometric: str = "MONOCHROME2"

    def __post_init__(self):
        generator = np.random.default_rng(sum(map(ord, self.patient)))
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        breast = np.clip(1 - np.hypot((rows - 24) / 26, columns / 24), 0, 1)
        self.film = (breast * 50000).astype(np.uint16) + generator.integers(0, 200, SIZE).astype(np.uint16)
        self.crop = self.film[12:30, 2:18]
        self.mask = (np.hypot(rows - 20 - self.number, columns - 9) < 6).astype(np.uint8) * 255

    @property
    def film_id(self):
        return f"{self.patient}_LEFT_CC"

    def places(self):
        """Listed (path, series) of film, crop and mask."""
        case, key = f"Mass-{self.split}_{self.film_id}", sum(map(ord, self.patient))
        lesion = f"1.2.{key}.{self.number}"
        series = [f"1.2.{key}.1", f"{lesion}.2", f"{lesion}.2" if self.one_series else f"{lesion}.3"]
        names = ["000000.dcm", "000000.dcm", "000001.dcm" if self.one_series else "000000.dcm"]
        cases = [case, f"{case}_{self.number}", f"{case}_{self.number}"]
        return [(f"{c}/1.2.{key}.9/{s}/{n}", s) for c, s, n in zip(cases, series, names, strict=True)]

    def row(self):
        film, crop, mask = (path for path, _ in self.places())
        own = [self.patient, "3", "LEFT", "CC", str(self.number), "mass", "OVAL", "", "4", "BENIGN_WITHOUT_CALLBACK",
               "5", film, crop, mask + "\n"]  # fmt: skip
        return dict(zip(COLUMNS, own, strict=True)) | self.fields


def write(root: Path, entries: list[Entry], layout: str = "tcia", lists: tuple[str, ...] = ("train", "test")) -> Path:
    """Write the images of `entries` and both lists with their rows."""
    for entry in entries:
        for picture, description, (path, series), order in _pictures(entry):
            _put(root, layout, picture, description, path, series, order, entry)
    names = {"train": "Training", "test": "Test"}
    for split in lists:
        write_list(root, split, [entry for entry in entries if entry.split == names[split]])
    return root


def write_list(root: Path, split: str, entries: list[Entry]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with open(root / f"mass_case_description_{split}_set.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(entry.row() for entry in entries)


def files(root: Path, entry: Entry) -> dict[str, Path]:
    """Paths of film, crop and mask in the tcia layout."""
    return {kind: root / "CBIS-DDSM" / path
            for kind, (path, _) in zip(("film", "crop", "mask"), entry.places(), strict=True)}


def _pictures(entry):
    film, crop, mask = entry.places()
    if entry.swapped:
        crop, mask = mask, crop
    first, second = (2, 1) if entry.swapped else (1, 2)
    yield entry.film, "full mammogram images", film, 1
    yield entry.crop, "cropped images", crop, first if entry.one_series else 1
    yield entry.mask, "ROI mask images", mask, second if entry.one_series else 1


def _put(root, layout, picture, description, path, series, order, entry):
    case = path.split("/")[0]
    if layout == "kaggle":
        target = root / "jpeg" / series / f"{order}-{len(description):03d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        eight = picture if picture.dtype == np.uint8 else (picture // 257).astype(np.uint8)
        Image.fromarray(eight).save(target, quality=95)
        return
    target = root / "CBIS-DDSM" / path
    if layout == "nbia":
        target = root / case / "07-20-2016-DDSM-NA-1" / f"1.000000-ROI mask images-{series[-7:]}" / f"1-{order}.dcm"
    dicom_files.write(target, picture, SeriesDescription=description, PatientID=case, SeriesInstanceUID=series,
                      PhotometricInterpretation=entry.photometric if "full" in description else "MONOCHROME2")
