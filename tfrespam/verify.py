"""Stage `verify`: trains a recorded run once more and compares."""

import csv
import dataclasses
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.errors import UserError
from tfrespam.files import read_json
from tfrespam.training.runs import Run

WEIGHTS = ("best.keras", "last.keras")
DAMAGED = "There is nothing left to compare with"


def verify(*runs: str, data_dir: str | None = None, output: str | None = None, tolerance: float = 0.0) -> None:
    """Repeats training runs from their config.yaml and compares weights, history and scores; differences end with 2.

    Args:
        runs: Folders of finished training runs.
        data_dir: Home of the prepared data sets (default: as in config.yaml).
        output: Folder that keeps the repetition (default: it is thrown away).
        tolerance: Largest difference of a score that counts as none; above 0, weights may differ. Another machine or
            other versions seldom give the same bits.
    """
    if not tolerance >= 0:
        raise UserError(f"--tolerance must be 0 or more. Received: {tolerance}")
    for run in runs:
        _verify(Path(run), data_dir, output, tolerance)


def _verify(recorded: Path, data_dir: str | None, output: str | None, tolerance: float) -> None:
    from tfrespam import train

    experiment = _experiment(recorded, data_dir)
    if not experiment.training.deterministic:
        cli.console.print("the run was not deterministic (--training.deterministic false): expect differences")
    _say_environment(recorded)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(output or scratch)
        again = dataclasses.replace(experiment, runs_dir=str(home / "runs"), models_dir=str(home / "saved_models"),
                                    tensorboard=False)  # fmt: skip
        folder = train.run_folder(again)
        if (folder / "summary.json").exists():
            raise UserError(f"{folder} holds a finished run already. Choose another --output")
        _same_data(recorded, again)
        train.train(again)
        found = compare(recorded, folder, tolerance)
    if output is None:
        cli.console.print("the repetition was thrown away, and with it the folders named above (--output keeps them)")
    for line in found["same"]:
        cli.console.print(f"same: {line}")
    if found["different"]:
        raise UserError(f"{recorded} was not reproduced: " + "; ".join(found["different"]))
    cli.console.print(f"{recorded} was reproduced" + (f" within {tolerance:g}" if tolerance else " bit for bit"))


def compare(first: Path, second: Path, tolerance: float = 0.0) -> dict[str, list[str]]:
    """What is the same and what is different in two runs, in words."""
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
    """Largest difference of any weight; infinite where the shapes differ."""
    import numpy as np

    from tfrespam.models.stored import load_network

    arrays = [load_network(path).get_weights() for path in (first, second)]
    if [array.shape for array in arrays[0]] != [array.shape for array in arrays[1]]:
        return float("inf")
    return max((_array(np, *pair) for pair in zip(*arrays, strict=True)), default=0.0)


def _array(np, one, other) -> float:
    """Largest difference of two arrays; infinite where one has NaN and the other has not."""
    if np.array_equal(one, other, equal_nan=True):
        return 0.0
    difference = float(np.max(np.abs(one - other)))
    return float("inf") if np.isnan(difference) else difference


def _history(run: Path) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in _rows(run / "history.csv")]


def _images(run: Path) -> list[dict[str, str]]:
    split = read_json(run / "summary.json", DAMAGED)["split"]
    return _rows(run / split / "per_image.csv")


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _largest(first: list[dict[str, str]], second: list[dict[str, str]]) -> float:
    """Largest difference of two tables' numbers; infinite where anything else differs."""
    if [list(row) for row in first] != [list(row) for row in second]:
        return float("inf")
    pairs = [(one[name], other[name]) for one, other in zip(first, second, strict=True) for name in one]
    return max((_apart(*pair) for pair in pairs if pair[0] != pair[1]), default=0.0)


def _apart(one: str, other: str) -> float:
    try:
        difference = abs(float(one) - float(other))
    except ValueError:
        return float("inf")
    return float("inf") if math.isnan(difference) else difference  # max() would pass NaN over


def _experiment(run: Path, data_dir: str | None) -> Experiment:
    needed = ("config.yaml", "data.json", "history.csv", "summary.json", *WEIGHTS)
    missing = [name for name in needed if not (run / name).is_file()]
    if missing:
        raise UserError(f"RUN must be the folder of a finished training run. Received: {run}, which lacks "
                        f"{', '.join(missing)}")  # fmt: skip
    return Run(run).experiment(data_dir)


def _same_data(run: Path, experiment: Experiment) -> None:
    from tfrespam.train import digests, prepared_data

    prepared = prepared_data(experiment)
    Run(run).check_data(prepared)
    now = digests(experiment, prepared)
    if now | read_json(run / "data.json", DAMAGED) != now:
        raise UserError(f"the wider crops (augment.recrop) are not those that {run} was trained on. Prepare them as "
                        "then")  # fmt: skip


def _say_environment(run: Path) -> None:
    """What differs between then and now, as far as it is written down."""
    from tfrespam import provenance

    summary = read_json(run / "summary.json", DAMAGED)
    then, now = summary["versions"] | {"source": summary["git"]}, provenance.versions() | {"source": provenance.git()}
    changed = [f"{name} {then.get(name, 'none')} -> {now.get(name, 'none')}" for name in sorted({*then, *now})
               if then.get(name) != now.get(name)]  # fmt: skip
    cli.console.print("changed since then: " + (", ".join(changed) or "nothing that is written down"))


def main(args: Sequence[str] | None = None) -> None:
    cli.run(verify, args)


if __name__ == "__main__":
    main()
