"""Mends two faults of Keras 3.15 that keep `fit` from working under MultiWorkerMirroredStrategy (keras issue 20585).

1. Before the first step `_maybe_symbolic_build` averages a batch over the devices, which fails for the batches of
   several workers; it also takes a batch from the stream, so that the first epoch would begin with the second shuffle.
   `build_for_fit` builds everything from the shapes alone and leaves nothing to be built.
2. After each step `reduce_per_replica` averages the logs over their axis 0; they are scalars and have none.

Nothing is changed under Keras versions that this was not tried with.
"""

import keras
import tensorflow as tf
from keras.src.backend.tensorflow import trainer

from tfrespam import cli

FAULTY = (3, 15)  # the version whose faults these are


def build_for_fit(model: keras.Model, strategy: tf.distribute.Strategy, shape: tuple[int, ...]) -> None:
    """Builds optimizer, loss and metrics of a compiled `model`, for images of `shape` (H, W, C) and their masks."""
    with strategy.scope():
        model._symbolic_build(data_batch=(tf.zeros((1, *shape)), tf.zeros((1, *shape[:2], 1))))
    model._maybe_symbolic_build = lambda **_: None


def mend() -> None:
    """Replaces Keras' reduction of logs; says so when it may no longer be needed."""
    if _version() > FAULTY:
        cli.console.print(f"note: Keras {keras.__version__} is newer than 3.15, which training/keras_multiworker.py "
                          "mends; nothing was changed. If training goes on, that module is no longer needed")
    else:
        trainer.reduce_per_replica = _mean_of_scalars


def _version() -> tuple[int, int]:
    return tuple(int(part) for part in keras.__version__.split(".")[:2])


_of_keras = trainer.reduce_per_replica


def _mean_of_scalars(values, strategy, reduction):
    if reduction not in ("auto", "mean") or not trainer._collective_all_reduce_multi_worker(strategy):
        return _of_keras(values, strategy, reduction)
    return keras.tree.map_structure(lambda value: strategy.reduce("MEAN", value, axis=None), values)
