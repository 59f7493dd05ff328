"""Train the network of a run, or resume its training."""

import keras

from tfrespam.config import Experiment
from tfrespam.core import runtime
from tfrespam.data.loading.pipeline import corruption_as_user_error
from tfrespam.models.stored import load_network
from tfrespam.training.distribution import devices
from tfrespam.training.fit import fit
from tfrespam.training.recorder import save_model
from tfrespam.training.runs import TrainingRun


def start(experiment: Experiment) -> devices.Devices:
    """Start the devices that train, and set seed, determinism and precision."""
    training = experiment.training
    started = devices.start(experiment)
    runtime.start(experiment.seed, deterministic=training.deterministic, precision=training.precision)
    return started


def fit_or_resume(run: TrainingRun, started: devices.Devices) -> keras.Model:
    """Train, or resume training; return the model that the experiment selects."""
    if not run.is_trained:
        with corruption_as_user_error(run.prepared):
            model = fit(run, started)
        save_model(model, run.folder / "last.keras")
    return load_network(run.selected)
