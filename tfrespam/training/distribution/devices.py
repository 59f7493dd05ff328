"""Devices for training: one, several of this machine, or several machines (`tf.distribute`)."""

import contextlib
import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from tfrespam.config import Experiment, TrainingConfig
from tfrespam.core.errors import UserError, first_line
from tfrespam.training.distribution.tf_config import WorkerTask, worker_task
from tfrespam.training.optimizer import inner


@dataclasses.dataclass(frozen=True)
class Devices:
    """Devices that take part in each training step.

    Args:
        strategy: TensorFlow's distribution strategy, or None for one device.
        place: Index of this process among the workers.
    """

    strategy: tf.distribute.Strategy | None = None
    place: WorkerTask = WorkerTask()

    @property
    def count(self) -> int:
        """Number of devices of all workers together."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the scope in which model, optimizer and metrics must be created."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def step_examples(self, training: TrainingConfig) -> int:
        """Return the number of examples of one step, over all devices. Raises UserError if it is not divisible."""
        if training.batch_per == "device":
            return training.batch_size * self.count
        if training.batch_size % self.count:
            raise UserError(f"`training.batch_size` must be a multiple of the {self.count} devices that share it. "
                            f"Received: {training.batch_size}. Change it, or set `training.batch_per` to device")
        return training.batch_size

    def scaled(self, training: TrainingConfig) -> TrainingConfig:
        """Return the settings with the peak learning rate scaled according to `rate_scaling`."""
        factor = {"none": 1.0, "linear": self.count, "sqrt": self.count**0.5}[training.rate_scaling]
        return dataclasses.replace(training, learning_rate=training.learning_rate * factor)

    def staged(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Prefetch `batches` to the GPU from page-locked memory (untested on a GPU); unchanged without a GPU.

        A distribution strategy does this itself.
        """
        gpus = tf.config.list_logical_devices("GPU")
        if self.strategy or not gpus:
            return batches
        return batches.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))

    def agree(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Broadcast the chief's `values` (float64) to every worker, by a sum to which all other devices add zeros."""
        if self.place.workers == 1:
            return values

        @tf.function
        def total(*parts):
            context = tf.distribute.get_replica_context()
            first = tf.cast(context.replica_id_in_sync_group == 0, tf.float64)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, [part * first for part in parts])

        summed = self.strategy.run(total, args=tuple(tf.constant(value, tf.float64) for value in values))
        return [self.strategy.experimental_local_results(value)[0].numpy() for value in summed]


def start(experiment: Experiment) -> Devices:
    """Set up the devices of `experiment`. Call this before TensorFlow computes anything. Raises UserError."""
    if experiment.strategy == "mirrored":
        return Devices(_mirrored(experiment.devices))
    if experiment.strategy == "multiworker":
        return Devices(tf.distribute.MultiWorkerMirroredStrategy(), worker_task("multiworker"))
    return Devices(_tpu() if experiment.strategy == "tpu" else None)


def _mirrored(count: int) -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU") if tf.config.list_physical_devices("GPU") else []
    if not gpus:
        _split_processor(max(count, 1))
    devices = gpus or tf.config.list_logical_devices("CPU")
    if count > len(devices):
        raise UserError(f"`devices` must be at most {len(devices)} on this machine. Received: {count}")
    return tf.distribute.MirroredStrategy([device.name for device in devices[: count or None]])


def _split_processor(count: int) -> None:
    """Divide the processor into `count` logical devices."""
    (processor,) = tf.config.list_physical_devices("CPU")
    with contextlib.suppress(RuntimeError):  # TensorFlow has been initialised; its devices can no longer change
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)


def _tpu() -> tf.distribute.Strategy:
    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(name)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"`strategy` tpu found no TPU ({first_line(error)}). Expected the name of a TPU in TPU_NAME. "
                        f"Received: TPU_NAME={name}") from None  # fmt: skip
    return tf.distribute.TPUStrategy(resolver)


def synchronize_batch_statistics(model: keras.Model) -> None:
    """Make batch normalisation compute mean and variance over all devices, as on one device."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def clip_the_sum(optimizer: keras.optimizers.Optimizer) -> None:
    """Clip the gradient of the whole step. Keras would clip each device's share before it sums the shares."""
    optimizer = inner(optimizer)
    clip, add = optimizer._clip_gradients, optimizer._all_reduce_sum_gradients
    optimizer._clip_gradients = lambda gradients: clip([total for total, _ in add((each, None) for each in gradients)])
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
