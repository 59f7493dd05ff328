"""Precision-recall and reliability curves of all validation pixels in TensorBoard."""

import keras
import numpy as np
import tensorflow as tf

from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.pictures import probabilities

PLOTTED = 200  # thresholds: bins of the counts


class ValidationCurves(keras.callbacks.Callback):
    """Every few epochs and at the last one: runs the validation cases once more and draws their curves.

    Args:
        writer: Where they go.
        validation: Batches (images, masks).
        average: The running average of the weights, which predicts.
        every: Epochs from one to the next.
        epochs: Epochs in all.
    """

    def __init__(self, writer, validation, average: WeightAverage, every: int, epochs: int):
        super().__init__()
        self.writer, self.validation, self.average = writer, validation, average
        self.every, self.epochs = every, epochs

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every and epoch + 1 != self.epochs:
            return
        counts = ProbabilityCounts(PLOTTED)
        with self.average.in_place():
            for images, masks in self.validation.as_numpy_iterator():
                counts.add(masks, probabilities(network_of(self.model), images))
        with self.writer.as_default(epoch):
            tf.summary.experimental.write_raw_pb(_precision_recall(counts).SerializeToString(), epoch)
            tf.summary.scalar("calibration/expected_calibration_error", counts.expected_calibration_error())
            tf.summary.image("calibration/reliability", reliability_picture(counts)[None])
            self.writer.flush()


def _precision_recall(counts: ProbabilityCounts):
    """The summary of the PR plugin, whose own operations are those of TensorFlow 1."""
    from tensorboard.plugins.pr_curve.summary import raw_data_pb

    tp, fp, tn, fn = counts.confusion()
    precision, recall = counts.precision_recall()
    return raw_data_pb("validation_pixels", tp, fp, tn, fn, precision, recall, num_thresholds=counts.bins,
                       display_name="mass pixels of the validation cases")  # fmt: skip


def reliability_picture(counts: ProbabilityCounts) -> np.ndarray:
    """Share of mass against stated probability, and how often each probability is stated: (H, W, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(4, 4.6), dpi=90, layout="constrained")
    draw_reliability(drawn, counts)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def draw_reliability(drawn, counts: ProbabilityCounts) -> None:
    """Draws both onto a Matplotlib figure."""
    stated, found, pixels = counts.reliability()
    share = pixels / max(pixels.sum(), 1)
    upper, lower = drawn.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    upper.plot([0, 1], [0, 1], "--", color="0.5", lw=1)
    upper.plot(stated, found, "o-", color="#4477aa")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of pixels that are mass",
              title=f"expected calibration error {counts.expected_calibration_error():.4f}")  # fmt: skip
    lower.bar((np.arange(len(share)) + 0.5) / len(share), share, width=0.9 / len(share), color="#4477aa")
    lower.set(yscale="log", xlabel="probability", ylabel="share of pixels")
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
