"""Distributed training: adapt the model, distribute the data, and restore the same state on all workers."""

import keras
import numpy as np
import tensorflow as tf

from tfrespam.config import TrainingConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading import pipeline
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.distribution import keras_multiworker
from tfrespam.training.distribution.devices import Devices, clip_the_sum, synchronize_batch_statistics
from tfrespam.training.objectives.adversarial import Adversarial
from tfrespam.training.recorder import RunRecorder
from tfrespam.training.runs import TrainingRun


def adapt(model: keras.Model, devices: Devices, training: TrainingConfig) -> None:
    """Make a step on several devices equal to one on a single device: batch statistics, clipping, Keras workarounds."""
    if devices.strategy is None:
        return
    if isinstance(model, Adversarial):
        raise UserError("`strategy` must be none for a network that trains against a discriminator. "
                        f"Received: {model.network.name} on several devices")  # fmt: skip
    if training.batch_statistics == "synchronized":
        synchronize_batch_statistics(model)
    clip_the_sum(model.optimizer)
    keras_multiworker.build_for_fit(model, devices.strategy, network_of(model).input_shape[1:])
    if devices.place.workers > 1:
        keras_multiworker.mend()


def restore(model: keras.Model, average: WeightAverage, recorder: RunRecorder, devices: Devices) -> int:
    """Restore the last finished epoch; afterwards all workers have the chief's state, or its initial weights."""
    done = recorder.restore(model) if devices.place.chief else 0
    if devices.place.workers == 1:
        return done
    state = [*model.variables, *model.optimizer.variables, *average.average]
    done, steps, *values = devices.agree([np.array(done), np.array(average.steps), *(v.numpy() for v in state)])
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    average.steps = int(steps)
    return int(done)


def streams(run: TrainingRun, augment, validation: tf.data.Dataset, devices: Devices, **options) -> tuple:
    """Create training data, validation data and the number of validation steps (None for one device).

    With several devices each worker gets its share of a step. `options` are those of `pipeline.training`. The number of
    steps is needed because a distributed validation must not run to the end of its data: a step without data would
    still count examples.
    """
    source, splits = run.source, run.splits
    if devices.strategy is None:
        return devices.staged(pipeline.training(source, splits["train"], augment, **options)), validation, None
    shard = pipeline.Shard(devices.place.index, devices.place.workers, devices.count)
    batch_size = options["batch_size"]
    train = pipeline.training(source, splits["train"], augment, shard=shard, **options)
    valid = pipeline.padded_evaluation(run.prepared, splits["validation"], batch_size=batch_size, shard=shard,
                                       second=options["second"])  # fmt: skip
    distribute = devices.strategy.distribute_datasets_from_function
    steps = -(-int(splits["validation"].sum()) // batch_size)
    return distribute(lambda _: train), distribute(lambda _: valid), steps
