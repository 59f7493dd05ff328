"""Small downloads in the published layouts of INbreast, mini-MIAS, BUSI and CDD-CESM."""

import csv
import json
import pickle
import plistlib
from pathlib import Path

import cv2
import dicom_files
import numpy as np

INBREAST_FILM = np.random.default_rng(0).integers(0, 4096, (60, 40)).astype(np.uint16)

MIAS_INFO = """REFNUM BG CLASS SEVERITY X Y RADIUS
mdb001 G CIRC B 535 425 197
mdb003 D NORM
mdb005 F CIRC B 477 133 30
mdb005 F CIRC B 500 168 26
mdb010 F CIRC B 525 425 33
mdb058 D MISC M 318 359 27
mdb059 F CIRC B
mdb115 G ARCH M 461 532 117
mdb178 G SPIC M 492 600 70
mdb216 D CALC M *NOTE 3*
mdb245 F CALC M *NOTE 3*
"""


def read_all(source, root: Path) -> tuple:
    """Return the inventory, films by id as a worker process reads them, and the whole ledger by lesion."""
    inventory = source.scan(root)
    films = {film.film_id: source.read(pickle.loads(pickle.dumps(film))) for film in inventory.films}
    rows = [*inventory.ledger, *(row for film in films.values() for row in film.ledger)]
    return inventory, films, {row.lesion_id: row for row in rows}


def picture(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Return smooth noise, uint8 (H, W), different for each seed."""
    noise = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), size[1] / 20)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def annotate_inbreast(home: Path, number: int, regions: list[tuple[str, list]]) -> None:
    """AllXML/<number>.xml with `regions`: (name, points (x, y))."""
    rois = [{"Name": name, "NumberOfPoints": len(points), "IndexInImage": k, "Type": 15,
             "Point_px": [f"({x:.6f}, {y:.6f})" for x, y in points]} for k, (name, points) in enumerate(regions)]
    (home / "AllXML").mkdir(parents=True, exist_ok=True)
    content = {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}]}
    (home / "AllXML" / f"{number}.xml").write_bytes(plistlib.dumps(content))


def put_inbreast_film(home: Path, number: int, patient: str = "6c613a14b80a8591", **elements) -> None:
    """Write INBREAST_FILM as the MLO view of a right breast; `elements` replace or add DICOM elements."""
    elements = {"SOPClassUID": dicom_files.MAMMOGRAPHY, "ImagerPixelSpacing": [0.07, 0.07], "BitsStored": 14,
                "HighBit": 13} | elements
    dicom_files.write(home / "AllDICOMs" / f"{number}_{patient}_MG_R_ML_ANON.dcm", INBREAST_FILM, **elements)


def write_mias(home: Path, info: str = MIAS_INFO, size: int = 1024) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "Info.txt").write_text(info)
    for number, name in enumerate(sorted({line.split()[0] for line in info.splitlines()[1:] if line.strip()})):
        write(home / f"{name}.pgm", picture(number, (size, size)))


def write_busi(home: Path, benign: int = 4, malignant: int = 2, size: tuple[int, int] = (90, 120)) -> None:
    """Write a BUSI download, with two normal images and a second lesion on `benign (1)`."""
    for kind, count, seed in (("benign", benign, 0), ("malignant", malignant, 100), ("normal", 2, 200)):
        for number in range(1, count + 1):
            put_busi(home, kind, number, picture(seed + number, size))
    write(home / "benign" / "benign (1)_mask_1.png", disk((20, 20), 8, size))


def put_busi(home: Path, kind: str, number: int, pixels: np.ndarray) -> None:
    mask = disk((60, 40), 15, pixels.shape) if kind != "normal" else np.zeros_like(pixels)
    write(home / kind / f"{kind} ({number}).png", pixels)
    write(home / kind / f"{kind} ({number})_mask.png", mask)


def disk(centre: tuple[int, int], radius: int, size: tuple[int, int]) -> np.ndarray:
    return cv2.circle(np.zeros(size, np.uint8), centre, radius, 255, -1)


def write_cesm(home: Path, regions: list[tuple[str, dict]], size: tuple[int, int] = (120, 80)) -> None:
    """Write a CDD-CESM download. `regions`: (file name as in the table, shape attributes); named images are written."""
    home.mkdir(parents=True, exist_ok=True)
    columns = ("#filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes",
               "region_attributes")  # fmt: skip
    with open(home / "Radiology_hand_drawn_segmentations_v2.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for number, (name, shape) in enumerate(regions):
            rows.writerow([name, 1, "{}", 1, number, json.dumps(shape) if shape else "{}", "{}"])
    for seed, name in enumerate(sorted({name.replace(" .", ".") for name, _ in regions})):
        folder = "Low energy images of CDD-CESM" if "_DM_" in name else "Subtracted images of CDD-CESM"
        write(home / folder / name, picture(seed, size))


def write_sheet(path: Path, rows: list[dict]) -> None:
    """Write the first sheet of Radiology-manual-annotations.xlsx."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "all"
    columns = ["Image_name", "Patient_ID", "Side", "Type", "Age", "Breast density (ACR)", "BIRADS", "Findings", "View",
               "Tags", "Machine", "Pathology Classification/ Follow up"]  # fmt: skip
    book.active.append(columns)
    for row in rows:
        book.active.append([row.get(column) for column in columns])
    book.create_sheet("mass_description").append(["Image_name", "Mass shape"])
    book.save(path)
