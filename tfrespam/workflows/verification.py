"""Repeat recorded training runs and compare them with the record."""

import dataclasses
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrespam.core import provenance
from tfrespam.core.console import log
from tfrespam.core.errors import UserError
from tfrespam.core.files import read_json
from tfrespam.training.run_results import rows
from tfrespam.training.runs import TrainingRun
from tfrespam.workflows import training

WEIGHTS = ("best.keras", "last.keras")
DAMAGED = "There is nothing left to compare with"


def verify(runs: Sequence[str], data_dir: str | None = None, output: str | None = None, tolerance: float = 0.0) -> None:
    """Repeat training runs from their config.yaml and compare weights, history and scores.

    The arguments are those of the stage `verify`. Raises UserError if a run is not reproduced.
    """
    if not tolerance >= 0:
        raise UserError(f"`tolerance` must be 0 or more. Received: {tolerance}")
    for run in runs:
        _verify(Path(run), data_dir, output, tolerance)


def _verify(folder: Path, data_dir: str | None, output: str | None, tolerance: float) -> None:
    recorded = _open(folder, data_dir)
    if not recorded.experiment.training.deterministic:
        log.info("the run was not deterministic (training.deterministic false): expect differences")
    log.info(f"random numbers of the augmentation: {recorded.experiment.augment.draw} (augment.draw)")
    _say_environment(folder)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(output or scratch)
        again = TrainingRun(dataclasses.replace(recorded.experiment, runs_dir=str(home / "runs"), tensorboard=False,
                                                models_dir=str(home / "saved_models")))  # fmt: skip
        if again.is_finished:
            raise UserError(f"{again.folder} already contains a finished run. Choose another `output`")
        training.prepare_data(recorded.experiment)
        recorded.check_data()
        if recorded.digests | read_json(folder / "data.json", DAMAGED) != recorded.digests:
            raise UserError(f"the wider crops (augment.recrop) are not those of the training of {folder}. Prepare "
                            "them as before")  # fmt: skip
        training.train(again.experiment)
        found = compare(folder, again.folder, tolerance)
    if output is None:
        log.info("the repeated run was deleted with the folders named above (`output` keeps them)")
    for line in found["same"]:
        log.info(f"same: {line}")
    if found["different"]:
        raise UserError(f"{folder} was not reproduced: " + "; ".join(found["different"]))
    log.info(f"{folder} was reproduced" + (f" within {tolerance:g}" if tolerance else " bit for bit"))


def compare(first: Path, second: Path, tolerance: float = 0.0) -> dict[str, list[str]]:
    """Describe what is the same and what is different in two runs."""
    found: dict[str, list[str]] = {"same": [], "different": []}
    for name in WEIGHTS:
        difference = _weights(first / name, second / name)
        _note(found, f"weights of {name}", difference, difference == 0 or (tolerance > 0 and difference < float("inf")))
    for name, values in (("history.csv", _history), ("per_image.csv", _images)):
        difference = _largest(values(first), values(second))
        _note(found, name, difference, difference <= tolerance)
    return found


def _note(found: dict[str, list[str]], what: str, difference: float, same: bool) -> None:
    found["same" if same else "different"].append(f"{what} (largest difference {difference:g})")


def _weights(first: Path, second: Path) -> float:
    """Return the largest difference of any weight; infinite if shapes differ."""
    from tfrespam.models.stored import load_network

    arrays = [load_network(path).get_weights() for path in (first, second)]
    if [array.shape for array in arrays[0]] != [array.shape for array in arrays[1]]:
        return float("inf")
    return max((_array(*pair) for pair in zip(*arrays, strict=True)), default=0.0)


def _array(one, other) -> float:
    """Return the largest difference of two arrays; infinite if only one has NaN."""
    if np.array_equal(one, other, equal_nan=True):
        return 0.0
    difference = float(np.max(np.abs(one - other)))
    return float("inf") if np.isnan(difference) else difference


def _history(run: Path) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows(run / "history.csv")]


def _images(run: Path) -> list[dict[str, str]]:
    split = read_json(run / "summary.json", DAMAGED)["split"]
    return rows(run / split / "per_image.csv")


def _largest(first: list[dict[str, str]], second: list[dict[str, str]]) -> float:
    """Return the largest difference of numbers in two tables; infinite if anything else differs."""
    if [list(row) for row in first] != [list(row) for row in second]:
        return float("inf")
    pairs = [(one[name], other[name]) for one, other in zip(first, second, strict=True) for name in one]
    return max((_apart(*pair) for pair in pairs if pair[0] != pair[1]), default=0.0)


def _apart(one: str, other: str) -> float:
    try:
        difference = abs(float(one) - float(other))
    except ValueError:
        return float("inf")
    return float("inf") if math.isnan(difference) else difference  # max() would ignore NaN


def _open(folder: Path, data_dir: str | None) -> TrainingRun:
    needed = ("config.yaml", "data.json", "history.csv", "summary.json", *WEIGHTS)
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise UserError(f"RUN must be the folder of a finished training run. Received: {folder}, which lacks "
                        f"{', '.join(missing)}")  # fmt: skip
    return TrainingRun.open(folder, data_dir)


def _say_environment(run: Path) -> None:
    """Log the recorded changes of the environment since the training."""
    summary = read_json(run / "summary.json", DAMAGED)
    then, now = summary["versions"] | {"source": summary["git"]}, provenance.versions() | {"source": provenance.git()}
    changed = [f"{name} {then.get(name, 'none')} -> {now.get(name, 'none')}" for name in sorted({*then, *now})
               if then.get(name) != now.get(name)]  # fmt: skip
    log.info("changed since then: " + (", ".join(changed) or "nothing that was recorded"))
