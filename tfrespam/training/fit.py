"""Train an experiment with `model.fit`: create model, data and callbacks."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tfrespam.config import AugmentConfig, Experiment, TrainingConfig
from tfrespam.core.console import log
from tfrespam.core.errors import UserError
from tfrespam.core.faults import outside_fault
from tfrespam.data.loading import pairs, pipeline
from tfrespam.metrics import default_metrics
from tfrespam.models import DISCRIMINATORS, build_model
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.distribution import distributed_fit as distribution
from tfrespam.training.distribution.devices import Devices
from tfrespam.training.estimate import Estimate
from tfrespam.training.finite import FiniteLoss
from tfrespam.training.initial_weights import load_initial_weights
from tfrespam.training.kernels.fused_adam import fuse_update
from tfrespam.training.kernels.fused_normalization import fuse
from tfrespam.training.objectives.adversarial import Adversarial
from tfrespam.training.objectives.box_supervision import box_supervised, projection_of
from tfrespam.training.objectives.own_losses import make_loss
from tfrespam.training.objectives.side_outputs import SideSupervision
from tfrespam.training.optimizer import optimizer
from tfrespam.training.progress import EpochLines
from tfrespam.training.recorder import RunRecorder
from tfrespam.training.runs import TrainingRun
from tfrespam.training.step_cost import measure
from tfrespam.training.tensorboard.callbacks import board

NO_CHANGE = AugmentConfig(rotation_degrees=0.0, flips=False)  # for the paper's copies, which are already augmented


def fit(run: TrainingRun, devices: Devices = Devices()) -> keras.Model:  # noqa: B008  frozen, without a strategy
    """Train on the split "train", validate on "validation"; resume after the last finished epoch in the run's folder.

    Args:
        run: Settings, examples and folder; only the chief writes into the folder.
        devices: Devices for training.

    Returns:
        The network with its final weights (their running average if the experiment has one).
    """
    prepared, splits, folder = run.prepared, run.splits, run.folder
    training = devices.scaled(run.experiment.training)
    experiment = dataclasses.replace(run.experiment, training=training)
    batch_size = devices.step_examples(training)
    steps = int(splits["train"].sum()) // batch_size
    if not steps:
        raise UserError(f"`training.batch_size` {batch_size} is more than the {splits['train'].sum()} training "
                        "examples. Make it smaller or prepare more")  # fmt: skip
    check_joined_steps(steps, training)
    with devices.scope():
        model = compiled(experiment, steps)
    distribution.adapt(model, devices, training)
    if training.initial_weights and not (folder / "state").is_dir():  # a resumed run has its own weights
        load_initial_weights(network_of(model), training.initial_weights)
    average = WeightAverage(training.ema)
    average.set_model(model)
    recorder = RunRecorder(folder, average)
    done = distribution.restore(model, average, recorder, devices)
    augment = NO_CHANGE if experiment.data.protocol == "paper" else experiment.augment
    if experiment.data.protocol == "paper" and experiment.augment not in (AugmentConfig(), AugmentConfig(draw="joint")):
        log.info("note: settings of augment have no effect with protocol paper, whose copies are augmented")
    second = experiment.data.second
    _check_pairs(prepared, splits["train"], second)
    validation = pipeline.evaluation(prepared, splits["validation"], batch_size=batch_size, second=second).cache()
    train, validated, validation_steps = distribution.streams(run, augment, validation, devices,
                                                              batch_size=batch_size, seed=experiment.seed,
                                                              first_step=done * steps, second=second)  # fmt: skip
    callbacks = [average]
    if devices.place.chief:
        lines = EpochLines(training.epochs, steps)
        finite = FiniteLoss(functools.partial(pipeline.step_lesions, prepared, splits["train"], batch_size,
                                              experiment.seed), steps, folder)  # fmt: skip
        watched = board(experiment, prepared, splits, validation, average, folder)
        callbacks += [finite, *watched, recorder, lines]
    if done < training.epochs:
        with _oom_as_user_error():
            if devices.place.chief and experiment.strategy == "none" and training.steps_per_execution == 1:
                log.info(str(_estimate(model, experiment, splits, steps, training.epochs - done)))
            model.fit(train, validation_data=validated, validation_steps=validation_steps, epochs=training.epochs,
                      initial_epoch=done, steps_per_epoch=steps, callbacks=callbacks, shuffle=False, verbose=0)
    else:  # the run was killed between the last epoch and last.keras
        average.finish()
    return network_of(model)


def _estimate(model: keras.Model, experiment: Experiment, splits: dict, steps: int, epochs: int) -> Estimate:
    """Estimate the resources of the training from a few steps, without changing the model."""
    channels, (height, width) = pairs.channels(experiment.data.second), experiment.data.image_shape
    measured = measure(model, (height, width, channels), experiment.training.batch_size)
    return Estimate(measured, epochs, steps, experiment.training.batch_size, int(splits["validation"].sum()),
                    height * width, channels)  # fmt: skip


def check_joined_steps(steps: int, training: TrainingConfig) -> None:
    """Raise UserError unless an epoch is a whole number of step groups; Keras would lengthen the epoch."""
    if steps % training.steps_per_execution:
        fitting = ", ".join(str(count) for count in range(1, min(steps, 65)) if steps % count == 0)
        raise UserError(f"`training.steps_per_execution` must divide the {steps} steps of an epoch: {fitting}. "
                        f"Received: {training.steps_per_execution}")  # fmt: skip


@contextlib.contextmanager
def _oom_as_user_error() -> Iterator[None]:
    """Convert out-of-memory errors of a device to UserError, but not those of a full disk with the same type."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        if outside_fault(error):
            raise
        raise UserError("the device has not enough memory for a training step. Make `training.batch_size`, "
                        "`model.width` or `data.image_size` smaller. Finished epochs are kept") from None


def _check_pairs(prepared, chosen: np.ndarray, second: str) -> None:
    if second != "none" and (pairs.partners(prepared.table, chosen, second) < 0).all():
        raise UserError(f"`data.second` {second}: no training example of {prepared.path} has such a second image")


def compiled(experiment: Experiment, steps_per_epoch: int) -> keras.Model:
    """Compile the experiment's network with optimizer, loss and metrics, within a training model if it needs one."""
    training = experiment.training
    try:
        model = _model(experiment, steps_per_epoch)
        loss = projection_of(training) if training.loss == "box" else make_loss(training.loss, training.loss_options)
    except ValueError as error:
        raise UserError(str(error)) from None
    except (TypeError, ZeroDivisionError) as error:
        raise UserError(f"`model.options` of {experiment.model.name} contain a value of the wrong type or size. "
                        f"Received: {experiment.model.options} ({error})") from None  # fmt: skip
    own = {}
    if isinstance(model, Adversarial):
        own["discriminator_optimizer"] = optimizer(training, steps_per_epoch)
    model.compile(
        optimizer=optimizer(training, steps_per_epoch),
        loss=loss,
        weighted_metrics=default_metrics(),  # padding of validation steps has weight 0
        jit_compile={"auto": "auto", "on": True, "off": False}[training.jit],
        steps_per_execution=training.steps_per_execution,
        **own,
    )
    if not tf.distribute.has_strategy():
        fuse(model)
        fuse_update(model.optimizer)
    return model


def _model(experiment: Experiment, steps_per_epoch: int) -> keras.Model:
    """Return the model to fit: the network, or a model for its auxiliary outputs or its discriminator."""
    asked, training, data = experiment.model, experiment.training, experiment.data
    shape = (*data.image_shape, pairs.channels(data.second))
    network = build_model(asked.name, shape, asked.width, **asked.options)
    if training.loss == "box":
        return box_supervised(network, training, steps_per_epoch)
    if asked.name in DISCRIMINATORS:
        return Adversarial(network, DISCRIMINATORS[asked.name](shape, asked.width), training.loss_weight)
    if isinstance(network.output, dict):
        return SideSupervision(network, make_loss(training.side_loss, {}), training.side_weights,
                               training.side_decay_epochs, steps_per_epoch)  # fmt: skip
    return network
