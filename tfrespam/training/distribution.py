"""What `fit` needs beside the strategy itself when several devices train: their data, and an equal start."""

import keras
import numpy as np
import tensorflow as tf

from tfrespam.config import TrainingConfig
from tfrespam.data import pipeline
from tfrespam.errors import UserError
from tfrespam.training import keras_multiworker
from tfrespam.training.adversarial import Adversarial
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.devices import Devices, clip_the_sum, synchronize_batch_statistics
from tfrespam.training.recorder import RunRecorder


def adapt(model: keras.Model, devices: Devices, training: TrainingConfig) -> None:
    """Makes a step on several devices the same as on one: batch statistics, clipping, and Keras' own faults."""
    if devices.strategy is None:
        return
    if isinstance(model, Adversarial):
        raise UserError("--strategy none is the only one under which a network trains against a discriminator. "
                        f"Received: {model.network.name} on several devices")  # fmt: skip
    if training.batch_statistics == "synchronized":
        synchronize_batch_statistics(model)
    clip_the_sum(model.optimizer)
    keras_multiworker.build_for_fit(model, devices.strategy, network_of(model).input_shape[1:])
    if devices.place.workers > 1:
        keras_multiworker.mend()


def restore(model: keras.Model, average: WeightAverage, recorder: RunRecorder, devices: Devices) -> int:
    """Takes up the last finished epoch; all workers then hold what the chief has read, or its initial weights."""
    done = recorder.restore(model) if devices.place.chief else 0
    if devices.place.workers == 1:
        return done
    state = [*model.variables, *model.optimizer.variables, *average.average]
    done, steps, *values = devices.agree([np.array(done), np.array(average.steps), *(v.numpy() for v in state)])
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    average.steps = int(steps)
    return int(done)


def streams(source, prepared, parts: dict, augment, validation: tf.data.Dataset, devices: Devices, **options) -> tuple:
    """Training data, validation data and steps of a validation; for several devices each worker's share of every step.

    `source` is the data set that training pictures are made from, `options` are those of `pipeline.training`.

    A distributed validation must not run to the end of its data: the step that finds none left still counts examples.
    """
    if devices.strategy is None:
        return devices.staged(pipeline.training(source, parts["train"], augment, **options)), validation, None
    share = pipeline.Share(devices.place.index, devices.place.workers, devices.count)
    batch_size = options["batch_size"]
    train = pipeline.training(source, parts["train"], augment, share=share, **options)
    judged = pipeline.padded_evaluation(prepared, parts["validation"], batch_size=batch_size, share=share,
                                        second=options["second"])  # fmt: skip
    distribute = devices.strategy.distribute_datasets_from_function
    steps = -(-int(parts["validation"].sum()) // batch_size)
    return distribute(lambda _: train), distribute(lambda _: judged), steps
