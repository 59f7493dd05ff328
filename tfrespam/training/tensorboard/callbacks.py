"""Callbacks that write a run's TensorBoard logs.

Every callback writes to a separate folder, because two writers in one folder interfere. No callback changes a weight: a
run with them and one without end with bitwise equal weights.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tfrespam.config import Experiment
from tfrespam.training.averaging import WeightAverage
from tfrespam.training.tensorboard.curves import ValidationCurves
from tfrespam.training.tensorboard.example_selection import watched
from tfrespam.training.tensorboard.film_curves import FilmCurves
from tfrespam.training.tensorboard.gradients import GradientNorms
from tfrespam.training.tensorboard.images import CaseImages
from tfrespam.training.tensorboard.notes import RunNotes

FOLDER = "tensorboard"


def board(experiment: Experiment, prepared, splits: dict[str, np.ndarray], validation, average: WeightAverage,
          folder: Path) -> list[keras.callbacks.Callback]:  # fmt: skip
    """Create the callbacks.

    They must come before the callback that marks an epoch as finished, so that no finished epoch lacks its logs.

    Args:
        experiment, prepared, splits, folder: As in `tfrespam.training.fit.fit`.
        validation: The validation examples as a tf.data.Dataset of batches.
        average: The running average of the weights, which is used for predictions.
    """
    import tensorflow as tf

    training, home = experiment.training, folder / FOLDER
    # measured inside the step; with several devices each would only see its share before the sum
    gradients = training.tensorboard_gradients and experiment.strategy == "none"
    callbacks = [ScalarBoard(home, training.tensorboard_histograms, gradients, training.tensorboard_profile)]
    callbacks.append(RunNotes(tf.summary.create_file_writer(str(home)), experiment, prepared, splits, folder))
    if not training.tensorboard_images and not training.tensorboard_curves:
        return callbacks
    writer = tf.summary.create_file_writer(str(home / "images"))
    if training.tensorboard_images:
        cases = watched(validation.as_numpy_iterator, training.tensorboard_images)
        callbacks.append(CaseImages(writer, cases, average, training.tensorboard_attention))
    if training.tensorboard_curves:
        callbacks.append(ValidationCurves(writer, validation, average, training.tensorboard_curves, training.epochs,
                                          _film_curves(experiment, prepared, splits["validation"])))  # fmt: skip
    return callbacks


def _film_curves(experiment: Experiment, prepared, chosen: np.ndarray) -> Callable[[], FilmCurves] | None:
    """Return a function that creates the collector of the films' candidates; None for crops."""
    if experiment.data.view != "film":
        return None
    table = {name: values[chosen] for name, values in prepared.table.items()}
    return functools.partial(FilmCurves, table, experiment.data.image_shape[0])


class ScalarBoard(keras.callbacks.TensorBoard):
    """Keras' TensorBoard callback (scalars, learning rate, graph, histograms, profile) with the norm of the gradients.

    Args:
        folder: TensorBoard's folder.
        histograms: Interval in epochs between weight histograms; 0 for none.
        gradients: Log the norm of the gradients.
        profile: First and last step of the profile; () for none.
    """

    def __init__(self, folder: Path, histograms: int = 0, gradients: bool = True, profile: tuple[int, ...] = ()):
        super().__init__(str(folder), histogram_freq=histograms, write_graph=True, profile_batch=tuple(profile) or 0)
        self.gradients, self._norms = gradients, None

    def set_model(self, model):
        super().set_model(model)
        if self.gradients:
            with model.distribute_strategy.scope():
                self._norms = GradientNorms(model.optimizer)

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        if self._norms is not None:
            self._norms.reset()

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {**logs, **(self._norms.result() if self._norms is not None else {})})
