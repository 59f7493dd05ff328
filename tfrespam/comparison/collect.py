"""What finished trainings left behind, pooled per row of a table.

A row is one network under one recipe and one protocol. Its runs differ in seed and fold: folds judge different images,
which are put together; seeds judge the same ones, and each image then counts with the mean over the runs that judged
it. So every image counts once in each mean, and every pixel once in each pooled score, however many runs there are.
"""

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

COLUMNS = ("dice", "iou", "miou", "dice_two_class", "tp", "fp", "fn", "tn", "coverage")


@dataclasses.dataclass(frozen=True)
class Run:
    """One finished training.

    Args:
        folder: Its folder.
        summary: summary.json.
        images: Rows of per_image.csv, numbers still text.
        history: Rows of history.csv, as numbers.
    """

    folder: Path
    summary: dict
    images: list[dict[str, str]]
    history: list[dict[str, float]]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Raises OSError or ValueError where a file is missing or damaged."""
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        history = [{name: float(value) for name, value in row.items()} for row in _rows(folder / "history.csv")]
        return cls(folder, summary, _rows(folder / summary["split"] / "per_image.csv"), history)

    @property
    def training_seconds(self) -> float:
        """Time in epochs, validation and saving included; what came before and after is not."""
        return sum(row["seconds"] for row in self.history)

    @property
    def probe(self) -> dict | None:
        """probe.json of `tfrespam.comparison.probe`, where it has been written."""
        file = self.folder / "probe.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of the images that the runs of one row judged.

    Args:
        images: (N,) names, sorted.
        patients: (N,) the patient of each.
        columns: (N,) floats for each name of `COLUMNS`.
    """

    images: np.ndarray
    patients: np.ndarray
    columns: dict[str, np.ndarray]

    @classmethod
    def pool(cls, runs: Sequence[Run]) -> "Scores":
        """The images of all runs, each with its mean over the runs that judged it."""
        rows = [row for run in runs for row in run.images]
        names, owner = np.unique([_identity(row) for row in rows], return_inverse=True)
        times = np.bincount(owner)
        columns = {name: np.bincount(owner, [float(row[name]) for row in rows]) / times for name in COLUMNS}
        patients = dict(zip(owner, (row["patient_id"] for row in rows), strict=True))
        return cls(names, np.array([patients[number] for number in range(len(names))]), columns)

    def only(self, images: Sequence[str]) -> "Scores":
        """The images of that list, each of which must be here."""
        place = np.searchsorted(self.images, np.sort(np.asarray(images)))
        return Scores(self.images[place], self.patients[place],
                      {name: values[place] for name, values in self.columns.items()})  # fmt: skip


def shared_images(several: Sequence[Scores]) -> list[str]:
    """Names of the images that all of them judged."""
    return sorted(set.intersection(*(set(scores.images.tolist()) for scores in several))) if several else []


def _identity(row: dict[str, str]) -> str:
    return f"{row['lesion_id']} {row['copy']}"


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
