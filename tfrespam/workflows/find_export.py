"""Find the export of a training run, or of a file of weights."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfrespam.core.files import file_hash
from tfrespam.serving.inference.saved_model import is_saved_model, read_metadata, versions
from tfrespam.training.runs import TrainingRun


def exported(run: TrainingRun) -> Path | None:
    """Return the export of the run's selected weights, or None."""
    name, home = run.experiment.name, run.experiment.models_dir
    return exported_from(run.selected, home, name) if run.selected.exists() else None


def exported_from(weights: Path, models_dir: str | os.PathLike, name: str) -> Path | None:
    """Find the first version under `name` that `train` exported from the file `weights`; None if missing."""
    experiment, digest = Path(models_dir) / name, file_hash(weights)
    for version in versions(experiment):
        path = experiment / str(version)
        metadata = read_metadata(path)
        if is_saved_model(path) and metadata.get("weights") == [digest] and _is_plain(metadata):
            return path
    return None


def _is_plain(metadata: Mapping[str, Any]) -> bool:
    """Return whether a version has no options of `export` beyond those of `train`; earlier releases record less."""
    usual = {"views": "none", "kernels": "float32", "threshold": 0.5, "arithmetic": "as_trained"}
    return "calibration" not in metadata and all(metadata.get(key, value) == value for key, value in usual.items())
