"""One call of `model.fit`: model, data and callbacks put together from an experiment."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfrespam import cli
from tfrespam.config import AugmentConfig, Experiment, TrainingConfig
from tfrespam.data import pairs, pipeline
from tfrespam.data.prepared import find_wider
from tfrespam.errors import UserError
from tfrespam.faults import outside_fault
from tfrespam.losses import get_loss
from tfrespam.metrics import default_metrics
from tfrespam.models import DISCRIMINATORS, build_model
from tfrespam.training import distribution
from tfrespam.training.adversarial import Adversarial
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.board import board
from tfrespam.training.box_supervision import box_supervised, projection_of
from tfrespam.training.devices import Devices
from tfrespam.training.finite import FiniteLoss
from tfrespam.training.fused_adam import fuse_update
from tfrespam.training.fused_normalization import fuse
from tfrespam.training.optimizer import optimizer
from tfrespam.training.progress import EpochLines
from tfrespam.training.recorder import RunRecorder
from tfrespam.training.side_outputs import SideSupervision

NO_CHANGE = AugmentConfig(rotation_degrees=0.0, flips=False)  # the paper's copies are augmented already


def fit(experiment: Experiment, prepared, parts: dict[str, np.ndarray], folder: Path,
        devices: Devices = Devices()) -> keras.Model:  # noqa: B008  frozen, without a strategy
    """Trains on the part "train", validates on "validation"; goes on after the last epoch that `folder` holds.

    Args:
        experiment: All settings.
        prepared: The data set (`tfrespam.data.prepared.Prepared`).
        parts: Bool per row of index.csv for each part.
        folder: The run's folder; the chief alone writes into it.
        devices: What computes.

    Returns:
        The network with its final weights (their running average when the experiment asks for one).
    """
    training = devices.scaled(experiment.training)
    experiment = dataclasses.replace(experiment, training=training)
    batch_size = devices.step_examples(training)
    steps = int(parts["train"].sum()) // batch_size
    if not steps:
        raise UserError(f"--training.batch_size {batch_size} is more than the {parts['train'].sum()} training "
                        "examples. Make it smaller or prepare more")  # fmt: skip
    check_joined_steps(steps, training)
    with devices.scope():
        model = compiled(experiment, steps)
    distribution.adapt(model, devices, training)
    average = WeightAverage(training.ema)
    average.set_model(model)
    recorder = RunRecorder(folder, average)
    done = distribution.restore(model, average, recorder, devices)
    augment = NO_CHANGE if experiment.data.protocol == "paper" else experiment.augment
    if experiment.data.protocol == "paper" and experiment.augment != AugmentConfig():
        cli.console.print("note: settings of augment change nothing under protocol paper, whose copies are augmented")
    source = training_source(experiment, prepared)
    second = experiment.data.second
    _check_pairs(prepared, parts["train"], second)
    validation = pipeline.evaluation(prepared, parts["validation"], batch_size=batch_size, second=second).cache()
    train, judged, validation_steps = distribution.streams(source, prepared, parts, augment, validation, devices,
                                                           batch_size=batch_size, seed=experiment.seed,
                                                           first_step=done * steps, second=second)  # fmt: skip
    callbacks = [average]
    if devices.place.chief:
        lines = EpochLines(training.epochs, steps)
        finite = FiniteLoss(functools.partial(pipeline.step_lesions, prepared, parts["train"], batch_size,
                                              experiment.seed), steps, folder)  # fmt: skip
        watched = board(experiment, prepared, parts, validation, average, folder)
        callbacks += [finite, *watched, recorder, lines]
    if done < training.epochs:
        with _memory_told():
            model.fit(train, validation_data=judged, validation_steps=validation_steps, epochs=training.epochs,
                      initial_epoch=done, steps_per_epoch=steps, callbacks=callbacks, shuffle=False, verbose=0)
    else:  # killed between the last epoch and last.keras
        average.finish()
    return network_of(model)


def check_joined_steps(steps: int, training: TrainingConfig) -> None:
    """Raises UserError where Keras would round an epoch up to whole groups of steps: it would then be a longer one."""
    if steps % training.steps_per_execution:
        fitting = ", ".join(str(count) for count in range(1, min(steps, 65)) if steps % count == 0)
        raise UserError(f"--training.steps_per_execution must divide the {steps} steps of an epoch: {fitting}. "
                        f"Received: {training.steps_per_execution}")  # fmt: skip


def training_source(experiment: Experiment, prepared):
    """The data set that training pictures are made from: wider crops than those judged, where they are cut anew."""
    factor = experiment.augment.recrop
    return find_wider(experiment.data_dir, experiment.data, factor, prepared) if factor else prepared


@contextlib.contextmanager
def _memory_told() -> Iterator[None]:
    """A device without enough memory as UserError; a disk without room, of which TensorFlow says the same, as it is."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        if outside_fault(error):
            raise
        raise UserError("the device has not enough memory for a training step. Make --training.batch_size, "
                        "--model.width or --data.image_size smaller. Finished epochs are kept") from None


def _check_pairs(prepared, chosen: np.ndarray, second: str) -> None:
    if second != "none" and (pairs.partners(prepared.table, chosen, second) < 0).all():
        raise UserError(f"--data.second {second}: no training example of {prepared.path} has such a second picture")


def compiled(experiment: Experiment, steps_per_epoch: int) -> keras.Model:
    """The experiment's network with optimizer, loss and metrics; inside another model where that is how it learns."""
    training = experiment.training
    try:
        model = _model(experiment, steps_per_epoch)
        loss = projection_of(training) if training.loss == "box" else get_loss(training.loss, **training.loss_options)
    except ValueError as error:
        raise UserError(str(error)) from None
    except (TypeError, ZeroDivisionError) as error:
        raise UserError(f"--model.options of {experiment.model.name} hold a value of the wrong kind or size. Received: "
                        f"{experiment.model.options} ({error})") from None  # fmt: skip
    own = {}
    if isinstance(model, Adversarial):
        own["discriminator_optimizer"] = optimizer(training, steps_per_epoch)
    model.compile(
        optimizer=optimizer(training, steps_per_epoch),
        loss=loss,
        metrics=default_metrics(),
        jit_compile={"auto": "auto", "on": True, "off": False}[training.jit],
        steps_per_execution=training.steps_per_execution,
        **own,
    )
    if not tf.distribute.has_strategy():
        fuse(model)
        fuse_update(model.optimizer)
    return model


def _model(experiment: Experiment, steps_per_epoch: int) -> keras.Model:
    """What is fitted: the network itself, or the model that trains its side outputs, or it and its discriminator."""
    asked, training, data = experiment.model, experiment.training, experiment.data
    shape = (data.image_size, data.image_size, pipeline.channels(data.second))
    network = build_model(asked.name, shape, asked.width, **asked.options)
    if training.loss == "box":
        return box_supervised(network, training, steps_per_epoch)
    if asked.name in DISCRIMINATORS:
        return Adversarial(network, DISCRIMINATORS[asked.name](shape, asked.width), training.loss_weight)
    if isinstance(network.output, dict):
        return SideSupervision(network, get_loss(training.side_loss), training.side_weights,
                               training.side_decay_epochs, steps_per_epoch)  # fmt: skip
    return network
