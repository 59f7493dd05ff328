"""Store the pixel counts of all evaluated images in one compressed table, from which scores and intervals follow.

The paper's protocol has thousands of copies per run: per_image.csv is too large to store with the results, while
counts in a gzip file need some hundred kilobytes.
"""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrespam.core.csv_cells import guarded, unguarded
from tfrespam.core.files import whole_file
from tfrespam.evaluation import confusion
from tfrespam.studies.comparison.collect import Scores
from tfrespam.studies.comparison.plan import Training
from tfrespam.training.run_results import RunResults

FILE = "rows.csv.gz"
_RUN = ("recipe", "protocol", "network", "fold", "seed")
_IMAGE = ("lesion_id", "copy", "patient_id")
_COUNTS = confusion.Counts._fields


def write(evaluated: Sequence[tuple[Training, RunResults]], path: Path) -> None:
    """Write one row for each image of each run; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_RUN, *_IMAGE, *_COUNTS])
    for training, run in evaluated:
        of_run = [*training.row, training.experiment.data.fold, training.experiment.seed]
        writer.writerows(map(guarded, [*of_run, *(row[name] for name in (*_IMAGE, *_COUNTS))]) for row in run.images)
    with whole_file(path) as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def read(path: Path) -> dict[tuple[str, str, str], Scores]:
    """Read scores by (recipe, protocol, network), each image with its mean over the runs that evaluated it.

    Examples:
        Recompute the interval of a row of a table::

            known = rows_file.read(Path("experiments/results/crop-gain/rows.csv.gz"))
            scores = known["controlled", "folds", "U-Net"]
            patient_bootstrap(scores.columns["dice"], scores.patients)
    """
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        rows = [{name: unguarded(value) for name, value in row.items()} for row in csv.DictReader(file)]
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["recipe"], row["protocol"], row["network"]), []).append(row)
    return {name: Scores.pool([RunResults(path, {}, _scored(group), [])]) for name, group in groups.items()}


def _scored(rows: list[dict]) -> list[dict]:
    counts = confusion.Counts(*(np.array([int(row[name]) for row in rows]) for name in _COUNTS))
    scores = {name: score(counts) for name, score in confusion.SCORES.items()}
    coverage = (counts.tp + counts.fn) / sum(counts)
    return [{**row, **{name: values[place] for name, values in scores.items()}, "coverage": coverage[place]}
            for place, row in enumerate(rows)]  # fmt: skip
