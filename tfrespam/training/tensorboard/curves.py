"""Curves of the validation examples for TensorBoard: precision and recall, reliability, and FROC of films."""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.tensorboard.board_figures import draw_reliability, rendered
from tfrespam.training.tensorboard.film_curves import FilmCurves
from tfrespam.training.tensorboard.images import probabilities

PLOTTED = 200  # number of thresholds, the bins of the histogram


class ValidationCurves(keras.callbacks.Callback):
    """Predict the validation examples again every few epochs and after the last one, and plot their curves.

    Args:
        writer: TensorBoard writer.
        validation: Batches (images, masks).
        average: The running average of the weights, which is used for predictions.
        every: Interval in epochs.
        epochs: Total number of epochs.
        films: Function that creates the collector of candidates if the examples are whole films.
    """

    def __init__(self, writer, validation, average: WeightAverage, every: int, epochs: int,
                 films: Callable[[], FilmCurves] | None = None):  # fmt: skip
        super().__init__()
        self.writer, self.validation, self.average = writer, validation, average
        self.every, self.epochs, self.films = every, epochs, films

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every and epoch + 1 != self.epochs:
            return
        counts, films = ProbabilityCounts(PLOTTED), self.films and self.films()
        with self.average.in_place():
            for images, masks in self.validation.as_numpy_iterator():
                predicted = probabilities(network_of(self.model), images)
                counts.add(masks, predicted)
                if films:
                    films.add(masks, predicted)
        with self.writer.as_default(epoch):
            tf.summary.experimental.write_raw_pb(_precision_recall(counts).SerializeToString(), epoch)
            tf.summary.scalar("calibration/expected_calibration_error", counts.expected_calibration_error())
            tf.summary.image("calibration/reliability", rendered(lambda figure: draw_reliability(figure, counts))[None])
            if films:
                films.write()
            self.writer.flush()


def _precision_recall(counts: ProbabilityCounts):
    """Create a summary of the PR curve plugin from counts; the plugin's operations need TensorFlow 1."""
    from tensorboard.plugins.pr_curve.summary import raw_data_pb

    tp, fp, tn, fn = counts.confusion()
    precision, recall = counts.precision_recall()
    return raw_data_pb("validation_pixels", tp, fp, tn, fn, precision, recall, num_thresholds=counts.bins,
                       display_name="mass pixels of the validation examples")  # fmt: skip
