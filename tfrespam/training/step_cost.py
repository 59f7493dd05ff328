"""Measure time, memory and disk space of a training step, without changing the model."""

import resource
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from tfrespam.training.averaging import network_of
from tfrespam.training.estimate import REPEATS, Measured
from tfrespam.training.optimizer import build_once


def measure(model: keras.Model, input_shape: tuple[int, int, int], batch_size: int) -> Measured:
    """Measure steps of a compiled model on noise; weights, optimizer and random states are restored.

    Args:
        model: Compiled model, for one device and one step per execution.
        input_shape: Shape (H, W, C) of an example's images.
        batch_size: Examples in a step.
    """
    optimizers = [model.optimizer, getattr(model, "discriminator_optimizer", None)]
    build_once(model)
    variables = [*model.variables, *(each for known in filter(None, optimizers) for each in known.variables)]
    before = [np.array(variable) for variable in variables]
    random = np.random.default_rng(0)
    images = random.random((batch_size, *input_shape), np.float32)
    masks = (random.random((batch_size, *input_shape[:2], 1)) < 0.3).astype(np.float32)
    batches = tf.data.Dataset.from_tensors((images, masks)).repeat(1 + REPEATS)
    clock = _Clock()
    model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[clock])
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    model.reset_metrics()
    model.train_function = None  # callbacks may change the step, which must then be traced again
    return Measured(float(np.median(np.diff(clock.ends))), _peak(), _disk(model, optimizers))


class _Clock(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        float(logs["loss"])  # waits for the device
        self.ends.append(time.perf_counter())


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _disk(model: keras.Model, optimizers: list) -> int:
    """Return the bytes of best.keras, last.keras, the export, and two checkpoints (old and new)."""
    weights = _bytes(network_of(model).weights)
    state = _bytes(model.variables) + sum(_bytes(known.variables) for known in filter(None, optimizers)) + weights
    return 3 * weights + 2 * state


def _bytes(variables: list) -> int:
    return sum(int(np.prod(variable.shape)) * tf.as_dtype(keras.backend.standardize_dtype(variable.dtype)).size
               for variable in variables)  # fmt: skip
