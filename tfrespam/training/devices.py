"""Which devices train: one, several of this machine, or several machines (`tf.distribute`)."""

import contextlib
import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from tfrespam.config import Experiment, TrainingConfig
from tfrespam.errors import UserError, first_line
from tfrespam.training.optimizer import inner
from tfrespam.workplace import Workplace, workplace


@dataclasses.dataclass(frozen=True)
class Devices:
    """What takes part in each training step.

    Args:
        strategy: TensorFlow's strategy, or None for one device.
        place: This process among the workers.
    """

    strategy: tf.distribute.Strategy | None = None
    place: Workplace = Workplace()

    @property
    def count(self) -> int:
        """Devices of all workers together."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def scope(self) -> contextlib.AbstractContextManager:
        """Where model, optimizer and metrics must be made."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def step_examples(self, training: TrainingConfig) -> int:
        """Examples of one step, over all devices. Raises UserError when they cannot be shared out equally."""
        if training.batch_per == "device":
            return training.batch_size * self.count
        if training.batch_size % self.count:
            raise UserError(f"--training.batch_size must be a multiple of the {self.count} devices that share it. "
                            f"Received: {training.batch_size}. Or count per device: --training.batch_per device")
        return training.batch_size

    def scaled(self, training: TrainingConfig) -> TrainingConfig:
        """The settings with the peak learning rate scaled as they ask."""
        factor = {"none": 1.0, "linear": self.count, "sqrt": self.count**0.5}[training.rate_scaling]
        return dataclasses.replace(training, learning_rate=training.learning_rate * factor)

    def staged(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """`batches` copied ahead to the one GPU, out of page-locked memory (untested on one); else unchanged.

        A strategy, which has several devices, does so itself.
        """
        gpus = tf.config.list_logical_devices("GPU")
        if self.strategy or not gpus:
            return batches
        return batches.apply(tf.data.experimental.prefetch_to_device(gpus[0].name))

    def agree(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """The chief's `values` (float64) on every worker: one sum, to which all other devices contribute zeros."""
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
    """The devices that `experiment` names. Comes before TensorFlow computes anything. Raises UserError."""
    if experiment.strategy == "mirrored":
        return Devices(_mirrored(experiment.devices))
    if experiment.strategy == "multiworker":
        return Devices(tf.distribute.MultiWorkerMirroredStrategy(), workplace("multiworker"))
    return Devices(_tpu() if experiment.strategy == "tpu" else None)


def _mirrored(count: int) -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU") if tf.config.list_physical_devices("GPU") else []
    if not gpus:
        _split_processor(max(count, 1))
    found = gpus or tf.config.list_logical_devices("CPU")
    if count > len(found):
        raise UserError(f"--devices {count} is more than the {len(found)} that this machine has")
    return tf.distribute.MirroredStrategy([device.name for device in found[: count or None]])


def _split_processor(count: int) -> None:
    """Makes the processor stand for `count` devices."""
    (processor,) = tf.config.list_physical_devices("CPU")
    with contextlib.suppress(RuntimeError):  # TensorFlow works already; what it has is what there is
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)


def _tpu() -> tf.distribute.Strategy:
    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(name)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(f"--strategy tpu found no TPU ({first_line(error)}). Expected one, named by TPU_NAME. "
                        f"Received: TPU_NAME={name}") from None  # fmt: skip
    return tf.distribute.TPUStrategy(resolver)


def synchronize_batch_statistics(model: keras.Model) -> None:
    """Batch normalisation then takes mean and variance over all devices, as it would on one."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def clip_the_sum(optimizer: keras.optimizers.Optimizer) -> None:
    """Clips the gradient of the whole step. Keras clips each device's share of it before it adds them up."""
    optimizer = inner(optimizer)
    clip, add = optimizer._clip_gradients, optimizer._all_reduce_sum_gradients
    optimizer._clip_gradients = lambda gradients: clip([total for total, _ in add((each, None) for each in gradients)])
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
