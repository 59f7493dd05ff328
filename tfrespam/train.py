"""Command line of `train`: train, export and evaluate the network of an experiment.

Without arguments it generates a phantom data set, trains on it and evaluates the network on held-out patients.
"""

import dataclasses
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

from tfrespam import cli
from tfrespam.config import OPTION_GROUPS, Experiment
from tfrespam.core.errors import UserError

# What `python -m tfrespam.train` does when no --config is named.
EMBEDDED = {
    "name": "phantom",
    "data.dataset": "phantom",
    "data.image_size": 96,
    "model.width": 0.125,
    "model.options": {"normalization": "standardize", "fusion": "add_and_restore"},
    "training.epochs": 14,
    "training.schedule": "cosine",
    "training.warmup_epochs": 1,
    "training.learning_rate": 2e-3,
    "training.ema": 0.98,
    "training.select": "last",
}


@dataclasses.dataclass
class Training(Experiment):
    """Options of `train`: an experiment, and its folds and seeds.

    Args:
        folds: Folds to hold out in turn, such as 0,1,2,3,4: one training each, one evaluation of all held-out images,
            and one exported network. Empty: only the fold `data.fold`.
        seeds: Seeds with which each fold is trained. Empty: only `seed`.
        final: The network exported after `folds`: "average" of all runs in one graph, one trained on "all" patients
            (a further training), or "none".
    """

    folds: list[int] = dataclasses.field(default_factory=list)
    seeds: list[int] = dataclasses.field(default_factory=list)
    final: Literal["average", "all", "none"] = "average"


def train(folds: Sequence[int] = (), seeds: Sequence[int] = (), final: str = "average", **options) -> None:
    """Train, export and evaluate a network; the same command resumes a killed run.

    Without options it generates a synthetic (phantom) data set and trains a small ResPAM U-Net on it, in minutes.
    `--folds 0,1,2,3,4` trains a whole cross-validation and exports the average of its networks or, with `--final all`,
    one network trained on all patients. `--verify RUN` instead of all options repeats a recorded run and compares, like
    the stage `verify`.
    """
    from tfrespam.workflows import training

    experiment = Experiment(**options)
    if folds or seeds:
        from tfrespam.workflows.cross_training import cross_validate

        cross_validate(experiment, folds or [experiment.data.fold], seeds or [experiment.seed], final, _launch)
        return
    try:
        training.train(experiment)
    except Exception as error:
        if experiment.strategy != "multiworker" or not training.is_lost_worker(error):
            raise
        # TensorFlow's cluster cannot take a worker back: the remaining ones restart and resume after the last epoch.
        print("another worker was lost: this one restarts and waits until the lost one is started again",
              file=sys.stderr, flush=True)  # fmt: skip
        os.execv(sys.executable, sys.orig_argv)


def _launch(experiment: Experiment) -> None:
    """Train in a separate process, with the options of this command and one fold and seed."""
    data = experiment.data
    options = [*_without(sys.argv[1:], ("--folds", "--seeds", "--final")), "--folds=[]", "--seeds=[]",
               f"--seed={experiment.seed}", f"--data.fold={data.fold}", f"--data.protocol={data.protocol}"]  # fmt: skip
    status = subprocess.run([sys.executable, "-m", "tfrespam.train", *options]).returncode
    if status:
        raise UserError(f"fold {data.fold}, seed {experiment.seed}, protocol {data.protocol} ended with "
                        f"status {status}, see above. Run the same command again to resume")


def _without(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the words of a command line without the named options and their values."""
    kept, dropping = [], False
    for word in words:
        if word.startswith("--"):
            dropping = word.partition("=")[0] in names
        if not dropping:
            kept.append(word)
    return kept


def main() -> None:
    option, _, run = (sys.argv[1:] or [""])[0].partition("=")
    if option == "--verify":
        importlib.import_module("tfrespam.verify").main([*filter(None, [run]), *sys.argv[2:]])
        return
    groups = {"Folds and seeds": ("folds", "seeds", "final"), **OPTION_GROUPS}
    cli.run(train, signature=Training, defaults=EMBEDDED, groups=groups)


if __name__ == "__main__":
    main()
