"""Search hyperparameters with KerasTuner: build and train trials, run the search, collect its results."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import keras_tuner
import numpy as np

from tfrespam.config import Experiment
from tfrespam.core.console import log
from tfrespam.core.errors import UserError
from tfrespam.core.faults import outside_fault
from tfrespam.data.loading import pipeline, protocols
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.fit import check_joined_steps, compiled
from tfrespam.training.initial_weights import load_initial_weights
from tfrespam.training.runs import TrainingRun
from tfrespam.training.tuning import search_space

SCORE = "val_dice"


def objective() -> keras_tuner.Objective:
    """Return the objective, the highest validation Dice; without a direction KerasTuner would minimise it."""
    return keras_tuner.Objective(SCORE, direction="max")


def inner_splits(experiment: Experiment, prepared) -> dict[str, np.ndarray]:
    """Split the experiment's training examples again by patient: "train" and "validation", bool per example.

    Trials are evaluated on a fifth of its training patients. The experiment's validation and test patients are in
    neither split.
    """
    data = experiment.data
    splits = protocols.splits(prepared.table, data.protocol, data.fold, experiment.seed, data.exclude_films,
                            data.absent_films)  # fmt: skip
    patients = prepared.table["patient_id"]
    chosen = [name for name, fold in protocols.folds(list(patients[splits["train"]])).items() if fold == 0]
    held_out = np.isin(patients, chosen)
    return {"train": splits["train"] & ~held_out, "validation": splits["train"] & held_out}


class Trial(keras_tuner.HyperModel):
    """Experiment with the values that KerasTuner draws.

    Args:
        run: The unchanged experiment, and its examples.
        searched: Names in `search_space`.
    """

    def __init__(self, run: TrainingRun, searched: tuple[str, ...]):
        super().__init__()
        self.run, self.searched = run, searched
        self.experiment, self.prepared, self.source = run.experiment, run.prepared, run.source
        self.splits = inner_splits(self.experiment, self.prepared)
        self.steps = int(self.splits["train"].sum()) // self.experiment.training.batch_size
        check_joined_steps(self.steps, self.experiment.training)
        if searched:  # not again for the unchanged experiment
            self._check_leaks()

    def _check_leaks(self) -> None:
        """Warn if the initial weights were trained on patients on whom trials are evaluated."""
        table, chosen, before = self.prepared.table, self.splits["validation"], self.run.trained_before
        if before and not protocols.of_other_sources(table, chosen, before):
            seen = protocols.leak_audit(table, chosen, before)["patient"]
            if seen:
                log.warning(f"warning: the initial weights were trained on patients of {seen} of the {chosen.sum()} "
                            "examples on which trials are evaluated, so that the scores of all trials are too high")

    def build(self, hp):
        keras.utils.set_random_seed(self.experiment.seed)
        model = compiled(self._drawn(hp), self.steps)
        if path := self.experiment.training.initial_weights:
            load_initial_weights(network_of(model), path)
        return model

    def fit(self, hp, model, *args, callbacks=(), epochs=None, initial_epoch=0, **kwargs):
        """Train one trial; return the scores of its last epoch, whose weights a run would export."""
        experiment = self._drawn(hp)
        training, second = experiment.training, experiment.data.second
        train = pipeline.training(self.source, self.splits["train"], experiment.augment, seed=experiment.seed,
                                  batch_size=training.batch_size, first_step=initial_epoch * self.steps,
                                  second=second)  # fmt: skip
        validation = pipeline.evaluation(self.prepared, self.splits["validation"], batch_size=training.batch_size,
                                         second=second)  # fmt: skip
        with _fatal(), pipeline.corruption_as_user_error(self.prepared):
            history = model.fit(train, validation_data=validation.cache(), epochs=epochs or training.epochs,
                                initial_epoch=initial_epoch, steps_per_epoch=self.steps, shuffle=False, verbose=0,
                                callbacks=[WeightAverage(training.ema), *callbacks])  # fmt: skip
        return {name: float(values[-1]) for name, values in history.history.items()}

    def _drawn(self, hp) -> Experiment:
        return search_space.apply(self.experiment, search_space.draw(hp, self.experiment, self.searched))


@contextlib.contextmanager
def _fatal() -> Iterator[None]:
    """Stop the search at an error that every trial would have; after any other error KerasTuner skips the trial."""
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or outside_fault(error):
            raise keras_tuner.errors.FatalError(str(error)) from error
        raise


def run(search: keras_tuner.Tuner, **options) -> list[str]:
    """Run the remaining trials; return one line for each failed trial, with the reason.

    Raises:
        UserError: Several trials failed one after the other, or an error that every trial would have.
        Exception: An error of the operating system, such as a full disk (`outside_fault`).
    """
    try:
        search.search(verbose=0, **options)
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ from None
    except RuntimeError as error:
        if "consecutive" not in str(error):
            raise
        raise UserError("several trials failed one after the other. The last error: "
                        f"{(_failed(search) or ['no message'])[-1]}") from None  # fmt: skip
    return _failed(search)


def _failed(search: keras_tuner.Tuner) -> list[str]:
    """Describe the failed trials; [] in a worker of a distributed search, where only the chief knows all trials."""
    trials = getattr(search.oracle, "trials", {})
    return [f"trial {trial.trial_id}: {(trial.message or 'no message').strip().splitlines()[-1]}"
            for trial in trials.values() if trial.status in ("FAILED", "INVALID")]  # fmt: skip


def tuner(method: str, trial: Trial, folder: Path, trials: int) -> keras_tuner.Tuner:
    """Create the search in `folder`, or resume it; KerasTuner's environment variables distribute it over processes."""
    options = {"hypermodel": trial, "objective": objective(), "seed": trial.experiment.seed, "overwrite": False,
               "directory": str(folder.parent), "project_name": folder.name}  # fmt: skip
    if method == "hyperband":
        return keras_tuner.Hyperband(max_epochs=trial.experiment.training.epochs, **options)
    kind = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}[method]
    return kind(max_trials=trials, **options)


def rows(search: keras_tuner.Tuner, experiment: Experiment, searched: tuple[str, ...]) -> list[dict]:
    """Return one row for each finished trial, the best first: its values and its validation Dice."""
    done = [trial for trial in search.oracle.trials.values() if trial.score is not None]
    found = []
    for trial in sorted(done, key=lambda each: -each.score):
        values = {name: trial.hyperparameters.values[name] for name in searched}
        epochs = trial.hyperparameters.values.get("tuner/epochs", experiment.training.epochs)
        found.append({"trial": trial.trial_id, SCORE: trial.score, "epochs": epochs, **values})
    return found


def default_row(trial: Trial) -> dict:
    """Train the unchanged experiment like a trial of all epochs; return its row."""
    plain, nothing = Trial(trial.run, ()), keras_tuner.HyperParameters()
    scores = plain.fit(nothing, plain.build(nothing))
    return {"trial": "default", SCORE: scores[SCORE], "epochs": trial.experiment.training.epochs}
