"""One call of `model.fit`: model, data and callbacks put together from an experiment."""

from pathlib import Path

import keras
import numpy as np

from tfrespam.config import AugmentConfig, Experiment
from tfrespam.data import pipeline
from tfrespam.errors import UserError
from tfrespam.losses import get_loss
from tfrespam.metrics import default_metrics
from tfrespam.models import build_model
from tfrespam.training.averaging import WeightAverage
from tfrespam.training.board import board
from tfrespam.training.optimizer import optimizer
from tfrespam.training.progress import EpochLines
from tfrespam.training.recorder import RunRecorder

NO_CHANGE = AugmentConfig(rotation_degrees=0.0, flips=False)  # the paper's copies are augmented already


def fit(experiment: Experiment, prepared, parts: dict[str, np.ndarray], folder: Path) -> keras.Model:
    """Trains on the part "train", validates on "validation"; goes on after the last epoch that `folder` holds.

    Args:
        experiment: All settings.
        prepared: The data set (`tfrespam.data.prepared.Prepared`).
        parts: Bool per row of index.csv for each part.
        folder: The run's folder.

    Returns:
        The model with its final weights (their running average when the experiment asks for one).
    """
    training = experiment.training
    steps = int(parts["train"].sum()) // training.batch_size
    if not steps:
        raise UserError(f"--training.batch_size {training.batch_size} is more than the {parts['train'].sum()} training "
                        "examples. Make it smaller or prepare more")  # fmt: skip
    model = compiled(experiment, steps)
    average = WeightAverage(training.ema)
    average.set_model(model)
    recorder = RunRecorder(folder, average)
    done = recorder.restore(model)
    augment = NO_CHANGE if experiment.data.protocol == "paper" else experiment.augment
    train = pipeline.training(prepared, parts["train"], augment, batch_size=training.batch_size, seed=experiment.seed,
                              first_step=done * steps)  # fmt: skip
    validation = pipeline.evaluation(prepared, parts["validation"], batch_size=training.batch_size).cache()
    lines = EpochLines(training.epochs, steps)
    watched = board(experiment, prepared, parts, validation, average, folder)
    callbacks = [average, *watched, recorder, lines]
    if done < training.epochs:
        model.fit(train, validation_data=validation, epochs=training.epochs, initial_epoch=done, steps_per_epoch=steps,
                  callbacks=callbacks, shuffle=False, verbose=0)  # fmt: skip
    else:  # killed between the last epoch and last.keras
        average.finish()
    return model


def compiled(experiment: Experiment, steps_per_epoch: int) -> keras.Model:
    """The experiment's network with optimizer, loss and metrics."""
    training, size = experiment.training, experiment.data.image_size
    try:
        model = build_model(experiment.model.name, (size, size, 1), experiment.model.width, **experiment.model.options)
        loss = get_loss(training.loss)
    except ValueError as error:
        raise UserError(str(error)) from None
    model.compile(
        optimizer=optimizer(training, steps_per_epoch),
        loss=loss,
        metrics=default_metrics(),
        jit_compile={"auto": "auto", "on": True, "off": False}[training.jit],
        steps_per_execution=training.steps_per_execution,
    )
    return model
