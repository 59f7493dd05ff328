"""Running average of the weights (Polyak averaging), which is used for validation, TensorBoard images and export.

Keras' `use_ema` averages only trainable weights, not the statistics of batch normalisation. Those would be of the last
step, and would not match the averaged weights.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

FILE = "average.npz"


class WeightAverage(keras.callbacks.Callback):
    """Average a network's floating-point weights over the steps; validation uses the average, and `fit` ends with it.

    After every step average <- m average + (1 - m) weights, with m = min(momentum, (1 + steps) / (10 + steps)). Since m
    rises, the random initial weights lose their influence within the first epoch.

    Args:
        momentum: Largest m, in [0, 1); 0 switches averaging off.
    """

    def __init__(self, momentum: float):
        super().__init__()
        self.momentum = momentum
        self.steps = 0
        self.average: list[tf.Variable] = []

    def set_model(self, model):
        super().set_model(model)
        if self.momentum and not self.average:
            self.average = [tf.Variable(weight, trainable=False) for weight in _floating(model)]

    def on_epoch_begin(self, epoch, logs=None):
        self._seen = 0

    def on_train_batch_end(self, batch, logs=None):
        if not self.momentum:
            return
        passed = batch + 1 - self._seen  # more than one with steps_per_execution
        self._seen = batch + 1
        self.steps += passed
        momentum = min(self.momentum, (1 + self.steps) / (10 + self.steps)) ** passed
        self._update(tf.constant(momentum, tf.float32))

    @tf.function
    def _update(self, momentum):
        for average, weight in zip(self.average, _floating(self.model), strict=True):
            share = tf.cast(1.0 - momentum, average.dtype)
            average.assign_sub(share * (average - tf.convert_to_tensor(weight)))

    def on_test_begin(self, logs=None):
        self._block = self.in_place()
        self._block.__enter__()

    def on_test_end(self, logs=None):
        self._block.__exit__(None, None, None)

    def on_train_end(self, logs=None):
        self.finish()

    def finish(self) -> None:
        """Assign the average to the model permanently."""
        for weight, average in zip(_floating(self.model) if self.average else (), self.average, strict=True):
            weight.assign(average)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Assign the average to the model inside the block, and restore exactly its previous weights afterwards."""
        own = [weight.numpy() for weight in _floating(self.model)] if self.average else []
        self.finish()
        try:
            yield
        finally:
            for weight, value in zip(_floating(self.model) if own else (), own, strict=True):
                weight.assign(value)

    def save(self, folder: Path) -> None:
        """Write the average into `folder`; writes nothing without averaging."""
        if self.average:
            np.savez(folder / FILE, steps=self.steps, *[average.numpy() for average in self.average])  # noqa: B026

    def restore(self, folder: Path) -> None:
        """Load the average that `save` wrote; `set_model` must have been called before."""
        if self.average:
            with np.load(folder / FILE, allow_pickle=False) as saved:
                self.steps = int(saved["steps"])
                for position, average in enumerate(self.average):
                    average.assign(saved[f"arr_{position}"])


def network_of(model: keras.Model) -> keras.Model:
    """Return the network inside a training wrapper (`SideSupervision`, `BoxSupervision` ...), or the model itself."""
    return getattr(model, "network", model)


def _floating(model: keras.Model) -> list:
    """Return the network's floating-point weights; integer counters cannot be averaged."""
    weights = network_of(model).weights
    return [weight.value for weight in weights if keras.backend.is_float_dtype(weight.dtype)]
