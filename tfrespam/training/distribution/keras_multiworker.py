"""Work around two faults of Keras 3.15 that break `fit` under MultiWorkerMirroredStrategy (keras issue 20585).

1. Before the first step `_maybe_symbolic_build` averages a batch over the devices, which fails for the batches of
   several workers. It also takes a batch from the stream, so that the first epoch would start with the second shuffle.
   `build_for_fit` builds everything from the shapes beforehand, so that nothing is left to build.
2. After each step `reduce_per_replica` averages the logs over their axis 0, but they are scalars without axes.

Newer Keras versions, for which this was not tested, are not changed.
"""

import keras
import tensorflow as tf
from keras.src.backend.tensorflow import trainer

from tfrespam.core.console import log

FAULTY = (3, 15)  # the Keras version with these faults


def build_for_fit(model: keras.Model, strategy: tf.distribute.Strategy, shape: tuple[int, ...]) -> None:
    """Build optimizer, loss and metrics of a compiled `model`, for images of `shape` (H, W, C) and their masks."""
    with strategy.scope():
        model._symbolic_build(data_batch=(tf.zeros((1, *shape)), tf.zeros((1, *shape[:2], 1))))
    model._maybe_symbolic_build = lambda **_: None


def mend() -> None:
    """Replace Keras' reduction of logs; log a note for a newer Keras, which may no longer need this."""
    if _version() > FAULTY:
        log.info(f"note: Keras {keras.__version__} is newer than 3.15, for which keras_multiworker.py has a "
                 "workaround; it was not applied. If training works, that module is no longer needed")
    else:
        trainer.reduce_per_replica = _mean_of_scalars


def _version() -> tuple[int, int]:
    return tuple(int(part) for part in keras.__version__.split(".")[:2])


_keras_reduction = trainer.reduce_per_replica


def _mean_of_scalars(values, strategy, reduction):
    if reduction not in ("auto", "mean") or not trainer._collective_all_reduce_multi_worker(strategy):
        return _keras_reduction(values, strategy, reduction)
    return keras.tree.map_structure(lambda value: strategy.reduce("MEAN", value, axis=None), values)
