"""KerasTuner's part in the stage `tune`: how a trial is built and trained, and which search is run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import keras_tuner
import numpy as np

from tfrespam.config import Experiment
from tfrespam.data import pipeline, protocols
from tfrespam.errors import UserError
from tfrespam.faults import outside_fault
from tfrespam.training import search_space
from tfrespam.training.averaging import WeightAverage
from tfrespam.training.fit import check_joined_steps, compiled, training_source

SCORE = "val_dice"
METHODS = ("random", "hyperband", "bayesian")


def objective() -> keras_tuner.Objective:
    """The highest validation Dice. By its name alone KerasTuner takes it for a loss, and searches the lowest."""
    return keras_tuner.Objective(SCORE, direction="max")


def inner_parts(experiment: Experiment, prepared) -> dict[str, np.ndarray]:
    """The experiment's training examples cut once more by patient: "train" and "validation", bool per example.

    A fifth of its training patients judges the trials. Those that judge the experiment itself are in neither part.
    """
    data = experiment.data
    parts = protocols.parts(prepared.table, data.protocol, data.fold, experiment.seed, data.exclude_films)
    patients = prepared.table["patient_id"]
    judges = [name for name, fold in protocols.folds(list(patients[parts["train"]])).items() if fold == 0]
    held_out = np.isin(patients, judges)
    return {"train": parts["train"] & ~held_out, "validation": parts["train"] & held_out}


class Trial(keras_tuner.HyperModel):
    """An experiment with the values that KerasTuner draws.

    Args:
        experiment: What is not searched.
        prepared: The data set.
        searched: Names of `search_space`.
    """

    def __init__(self, experiment: Experiment, prepared, searched: tuple[str, ...]):
        super().__init__()
        self.experiment, self.prepared, self.searched = experiment, prepared, searched
        self.source = training_source(experiment, prepared)
        self.parts = inner_parts(experiment, prepared)
        self.steps = int(self.parts["train"].sum()) // experiment.training.batch_size
        check_joined_steps(self.steps, experiment.training)

    def build(self, hp):
        keras.utils.set_random_seed(self.experiment.seed)
        return compiled(self._drawn(hp), self.steps)

    def fit(self, hp, model, *args, callbacks=(), epochs=None, initial_epoch=0, **kwargs):
        """Trains one trial; returns the scores of its last epoch, since the last weights are what a run exports."""
        experiment = self._drawn(hp)
        training, second = experiment.training, experiment.data.second
        train = pipeline.training(self.source, self.parts["train"], experiment.augment, seed=experiment.seed,
                                  batch_size=training.batch_size, first_step=initial_epoch * self.steps,
                                  second=second)  # fmt: skip
        validation = pipeline.evaluation(self.prepared, self.parts["validation"], batch_size=training.batch_size,
                                         second=second)  # fmt: skip
        with _fatal(), pipeline.damage_told(self.prepared):
            history = model.fit(train, validation_data=validation.cache(), epochs=epochs or training.epochs,
                                initial_epoch=initial_epoch, steps_per_epoch=self.steps, shuffle=False, verbose=0,
                                callbacks=[WeightAverage(training.ema), *callbacks])  # fmt: skip
        return {name: float(values[-1]) for name, values in history.history.items()}

    def _drawn(self, hp) -> Experiment:
        return search_space.apply(self.experiment, search_space.draw(hp, self.experiment, self.searched))


@contextlib.contextmanager
def _fatal() -> Iterator[None]:
    """What no other values would mend ends the search; KerasTuner writes off the trial for every other error."""
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or outside_fault(error):
            raise keras_tuner.errors.FatalError(str(error)) from error
        raise


def run(search: keras_tuner.Tuner, **options) -> list[str]:
    """Searches what is left; returns why trials failed, a line each.

    Raises:
        UserError, or what the operating system refused: No other trial would have done better.
        UserError: Several trials failed one after the other.
    """
    try:
        search.search(verbose=0, **options)
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ from None
    except RuntimeError as error:
        if "consecutive" not in str(error):
            raise
        raise UserError("several trials failed one after the other, the last one with: "
                        f"{(_failed(search) or ['nothing said'])[-1]}") from None  # fmt: skip
    return _failed(search)


def _failed(search: keras_tuner.Tuner) -> list[str]:
    """A worker of several knows nothing of it; their chief does."""
    trials = getattr(search.oracle, "trials", {})
    return [f"trial {trial.trial_id}: {(trial.message or 'nothing said').strip().splitlines()[-1]}"
            for trial in trials.values() if trial.status in ("FAILED", "INVALID")]  # fmt: skip


def tuner(method: str, trial: Trial, folder: Path, trials: int) -> keras_tuner.Tuner:
    """The search in `folder`, which goes on there where it was; KerasTuner's environment variables share it out."""
    options = {"hypermodel": trial, "objective": objective(), "seed": trial.experiment.seed, "overwrite": False,
               "directory": str(folder.parent), "project_name": folder.name}  # fmt: skip
    if method == "hyperband":
        return keras_tuner.Hyperband(max_epochs=trial.experiment.training.epochs, **options)
    kind = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}[method]
    return kind(max_trials=trials, **options)


def rows(search: keras_tuner.Tuner, experiment: Experiment, searched: tuple[str, ...]) -> list[dict]:
    """One row for each finished trial, the best first: its values and its validation Dice."""
    done = [trial for trial in search.oracle.trials.values() if trial.score is not None]
    found = []
    for trial in sorted(done, key=lambda each: -each.score):
        values = {name: trial.hyperparameters.values[name] for name in searched}
        epochs = trial.hyperparameters.values.get("tuner/epochs", experiment.training.epochs)
        found.append({"trial": trial.trial_id, SCORE: trial.score, "epochs": epochs, **values})
    return found


def default_row(trial: Trial) -> dict:
    """The row of the experiment as it is, trained like a trial of all epochs."""
    plain, nothing = Trial(trial.experiment, trial.prepared, ()), keras_tuner.HyperParameters()
    scores = plain.fit(nothing, plain.build(nothing))
    return {"trial": "default", SCORE: scores[SCORE], "epochs": trial.experiment.training.epochs}
