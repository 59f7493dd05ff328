"""Evaluate a network in memory, and write the files that the stage `evaluate` writes for an exported model."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfrespam.core import provenance
from tfrespam.core.files import write_csv, write_json
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.evaluation.summary import per_image_rows, summarise
from tfrespam.evaluation.trivial import TrivialMasks, trivial_dice
from tfrespam.training.accelerator.learner import Learner
from tfrespam.training.accelerator.loop import Rows
from tfrespam.training.objectives.side_outputs import MAIN

THRESHOLD = 0.5
_BATCH = 32


def evaluate(learner: Learner, rows: Rows, table: dict[str, np.ndarray], facts: dict[str, Any],
             context: dict[str, Any], folder: Path) -> dict[str, Any]:  # fmt: skip
    """Evaluate the network with its current weights; write per_image.csv, calibration.csv and summary.json.

    Detection on whole films is not evaluated here; the stage `evaluate` does it after the run is exported.

    Args:
        learner: Network and images.
        rows: Examples to evaluate.
        table: Columns of index.csv for these rows.
        facts: Content of the run's facts.json: settings, trivial masks, data set.
        context: "protocol", "split", "leak_audit", "data_sha256".
        folder: Folder of the files.

    Returns:
        The content of summary.json.
    """
    started = time.perf_counter()
    counts = ProbabilityCounts()
    scores = per_image_rows(table, counts.watch(predictions(learner, rows)), THRESHOLD)
    trivial = trivial_dice((mask for mask, _ in predictions(learner, rows, masks_only=True)),
                           TrivialMasks.from_dict(facts["trivial_masks"]))  # fmt: skip
    about = {
        "model": facts["model"], "experiment": facts["experiment"], "dataset": facts["dataset"]["dataset"],
        "protocol": context["protocol"], "split": context["split"], "threshold": THRESHOLD,
        "leak_audit": context["leak_audit"], "parameters": learner.network.count_params(), "flops": facts["flops"],
        "seconds": round(time.perf_counter() - started, 2), "versions": provenance.versions(),
        "command": provenance.command(), "seed": facts["seed"], "git": provenance.git(),
    }  # fmt: skip
    settings = {name: facts[name] for name in ("width", "options", "data", "augment", "training")}
    summary = {**summarise(scores, trivial, about), "data_sha256": context["data_sha256"],
               "machine": facts["machine"], "settings": settings, "images_seen": facts["images_seen"]}  # fmt: skip
    write_csv(folder / "per_image.csv", scores)
    write_csv(folder / "calibration.csv", counts.rows())
    write_json(folder / "summary.json", summary)
    return summary


def predictions(learner: Learner, rows: Rows, masks_only: bool = False) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield mask (H, W) bool and probability (H, W) float32 of each row.

    With `masks_only` the network is not run, and the mask is yielded in place of the probability.
    """
    for start in range(0, len(rows.image_index), _BATCH):
        batch = slice(start, start + _BATCH)
        inputs = {"image_index": rows.image_index[batch], "transform": rows.transform[batch]}
        outputs = {"mask": learner.masks(inputs)} if masks_only else learner.predict_on_batch(inputs)
        for mask, probability in zip(outputs["mask"], outputs["mask" if masks_only else MAIN], strict=True):
            yield np.asarray(mask)[..., 0] > 0, np.asarray(probability, np.float32)[..., 0]
