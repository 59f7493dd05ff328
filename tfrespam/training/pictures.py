"""Pictures of training: contours on crops for TensorBoard, and the loss curve (the paper's figure 4)."""

from pathlib import Path

import cv2
import keras
import numpy as np

from tfrespam.files import whole_file
from tfrespam.training.averaging import WeightAverage

TRUTH, PREDICTION = (64, 220, 96), (255, 80, 64)  # RGB


def contours(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Input, truth and prediction side by side: (H, 3 W, 3) uint8.

    Args:
        image: (H, W) float in [0, 1].
        truth, prediction: (H, W) bool.
    """
    low, high = np.percentile(image, (1, 99))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    panels = [cv2.cvtColor((grey * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB) for _ in range(3)]
    drawn = ((panels[1], truth, TRUTH), (panels[2], truth, TRUTH), (panels[2], prediction, PREDICTION))
    for panel, mask, colour in drawn:
        found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(panel, found, -1, colour, 1)
    return np.concatenate(panels, axis=1)


class PredictionPictures(keras.callbacks.Callback):
    """After each epoch: the same validation cases in TensorBoard, input | truth | truth and prediction.

    Args:
        folder: TensorBoard folder of its own (two writers in one folder disturb each other).
        images, masks: (N, H, W, 1) float32, the cases shown.
        average: The running average of the weights, which predicts.
    """

    def __init__(self, folder: Path, images: np.ndarray, masks: np.ndarray, average: WeightAverage):
        super().__init__()
        self.folder, self.images, self.masks, self.average = Path(folder), images, masks, average
        self._writer = None

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        self._writer = self._writer or tf.summary.create_file_writer(str(self.folder))
        with self.average.in_place():
            output = self.model(self.images, training=False)
        probability = np.asarray(output["probability"] if isinstance(output, dict) else output)
        panels = [contours(image[..., 0], truth[..., 0] > 0.5, found[..., 0] >= 0.5)
                  for image, truth, found in zip(self.images, self.masks, probability, strict=True)]  # fmt: skip
        with self._writer.as_default():
            tf.summary.image("input | truth | truth and prediction", np.stack(panels), epoch, max_outputs=len(panels))
            self._writer.flush()


def loss_curve(history: list[dict], path: Path, title: str) -> None:
    """Loss and Dice of training and validation over the epochs, as a PNG."""
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axis, name in zip(figure.subplots(1, 2), ("loss", "dice"), strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            if prefix + name in history[0]:
                axis.plot(epochs, [row[prefix + name] for row in history], label=label)
        axis.set(xlabel="epoch", ylabel=name, title=title)
        axis.grid(alpha=0.3)
        axis.legend()
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
