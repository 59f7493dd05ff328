"""TensorBoard as the place to watch: one list of callbacks for all that a run shows there.

Every callback writes to a folder of its own, because two writers in one folder disturb each other. Nothing here
changes a weight: a run with and one without it end with the same bits.
"""

from pathlib import Path

import keras
import numpy as np

from tfrespam.config import Experiment
from tfrespam.training.averaging import WeightAverage
from tfrespam.training.cases import watched
from tfrespam.training.curves import ValidationCurves
from tfrespam.training.gradients import GradientNorms
from tfrespam.training.notes import RunNotes
from tfrespam.training.pictures import CasePictures

FOLDER = "tensorboard"


def board(experiment: Experiment, prepared, parts: dict[str, np.ndarray], validation, average: WeightAverage,
          folder: Path) -> list[keras.callbacks.Callback]:  # fmt: skip
    """The callbacks; they come before the one that says "epoch done", so that a killed epoch is shown after all.

    Args:
        experiment, prepared, parts, folder: As in `tfrespam.training.fit.fit`.
        validation: The validation cases as a tf.data.Dataset of batches.
        average: The running average of the weights, which predicts.
    """
    import tensorflow as tf

    training, home = experiment.training, folder / FOLDER
    # measured inside the step, where each of several devices has its share only, before they are added up
    gradients = training.tensorboard_gradients and experiment.strategy == "none"
    callbacks = [ScalarBoard(home, training.tensorboard_histograms, gradients, training.tensorboard_profile)]
    callbacks.append(RunNotes(tf.summary.create_file_writer(str(home)), experiment, prepared, parts, folder))
    if not training.tensorboard_images and not training.tensorboard_curves:
        return callbacks
    writer = tf.summary.create_file_writer(str(home / "pictures"))
    if training.tensorboard_images:
        cases = watched(validation.as_numpy_iterator, training.tensorboard_images)
        callbacks.append(CasePictures(writer, cases, average, training.tensorboard_attention))
    if training.tensorboard_curves:
        callbacks.append(ValidationCurves(writer, validation, average, training.tensorboard_curves, training.epochs))
    return callbacks


class ScalarBoard(keras.callbacks.TensorBoard):
    """Keras' own: scalars by split, learning rate, graph, histograms, profile; and the norm of the gradients.

    Args:
        folder: TensorBoard's folder.
        histograms: Epochs from one set of weight histograms to the next; 0 for none.
        gradients: Whether the gradients' norm is measured.
        profile: First and last step that are profiled; () for none.
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
