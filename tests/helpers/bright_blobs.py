"""Images of smooth noise, and reading of predictions.csv, for tests of `predict`."""

import csv

import cv2
import numpy as np


def blob(height: int, width: int, dtype=np.uint16) -> np.ndarray:
    noise = np.random.default_rng(height).random((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.rint(cv2.normalize(smooth, None, 0, np.iinfo(dtype).max, cv2.NORM_MINMAX)).astype(dtype)


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def table(folder) -> dict[str, dict[str, str]]:
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}
