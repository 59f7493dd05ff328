"""Copy committed results of trainings into run folders, so that `compare` makes its tables of them without training.

    python experiments/restore_runs.py experiments/results/table1-real --runs_dir runs
    python -m tfrespam.compare --config experiments/table1.yaml --protocols "[folds]"

Every folder below RESULTS with config.yaml, history.csv, summary.json and per_image.csv is copied to the folder of a
run with its settings; folders that exist stay as they are. Weights are not committed: restored runs cannot be
exported or resumed, and the tables lack their time of inference.
"""

import argparse
import dataclasses
import shutil
from pathlib import Path

from tfrespam import cli
from tfrespam.core.console import console
from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_directory
from tfrespam.training.runs import TrainingRun, run_folder

FILES = "config.yaml", "history.csv", "summary.json", "per_image.csv"


def restored(results: Path, runs_dir: Path) -> list[Path]:
    """Copy each complete result below `results` to its run folder; return the new folders."""
    made = []
    for config in sorted(results.rglob("config.yaml")):
        if not all((config.parent / name).is_file() for name in FILES):
            continue
        experiment = dataclasses.replace(TrainingRun.open(config.parent).experiment, runs_dir=str(runs_dir))
        folder = run_folder(experiment)
        if not folder.exists():
            with whole_directory(folder) as new:
                for name in FILES:
                    shutil.copy(config.parent / name, new)
            made.append(folder)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--runs_dir", type=Path, default=Path("runs"))
    asked = parser.parse_args()
    made = restored(asked.results, asked.runs_dir)
    if not made and not list(asked.results.rglob("config.yaml")):
        raise UserError(f"{asked.results} contains no results of trainings. Expected folders with {', '.join(FILES)}")
    console.print(f"{len(made)} runs restored under {asked.runs_dir}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        cli.fail(error)
