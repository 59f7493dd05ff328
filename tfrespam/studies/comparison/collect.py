"""Pool the results of finished trainings for each row of a table.

A row is one network with one recipe and one protocol. Its runs differ in seed and fold. Folds evaluate different
images, which are combined. Seeds evaluate the same images, and each image then has its mean over the runs. Every image
therefore counts once in each mean, and every pixel once in each pooled score, whatever the number of runs.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfrespam.training.run_results import RunResults

COLUMNS = ("dice", "iou", "miou", "dice_two_class", "tp", "fp", "fn", "tn", "coverage")


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of the images that the runs of one row evaluated.

    Args:
        images: (N,) names, sorted.
        patients: (N,) the patient of each.
        columns: (N,) floats for each name of `COLUMNS`.
    """

    images: np.ndarray
    patients: np.ndarray
    columns: dict[str, np.ndarray]

    @classmethod
    def pool(cls, runs: Sequence[RunResults]) -> "Scores":
        """Combine the images of all runs, each with its mean over the runs that evaluated it."""
        rows = [row for run in runs for row in run.images]
        names, owner = np.unique([_identity(row) for row in rows], return_inverse=True)
        times = np.bincount(owner)
        columns = {name: np.bincount(owner, [float(row[name]) for row in rows]) / times for name in COLUMNS}
        patients = dict(zip(owner, (row["patient_id"] for row in rows), strict=True))
        return cls(names, np.array([patients[number] for number in range(len(names))]), columns)

    def only(self, images: Sequence[str]) -> "Scores":
        """Select the given images, all of which must exist."""
        place = np.searchsorted(self.images, np.sort(np.asarray(images)))
        return Scores(self.images[place], self.patients[place],
                      {name: values[place] for name, values in self.columns.items()})  # fmt: skip


def by_images(runs: Sequence[RunResults]) -> list[list[RunResults]]:
    """Group the runs that evaluated the same images, such as the seeds of a fold."""
    groups: dict[frozenset[str], list[RunResults]] = {}
    for run in runs:
        groups.setdefault(frozenset(map(_identity, run.images)), []).append(run)
    return list(groups.values())


def shared_images(several: Sequence[Scores]) -> list[str]:
    """Return the names of the images that all of them evaluated."""
    return sorted(set.intersection(*(set(scores.images.tolist()) for scores in several))) if several else []


def _identity(row: dict[str, str]) -> str:
    return f"{row['lesion_id']} {row['copy']}"
