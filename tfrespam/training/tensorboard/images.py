"""Images of a training run: predicted contours for TensorBoard, and the loss curve (as in the paper's figure 4)."""

from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from tfrespam.core.files import whole_file
from tfrespam.layers.channel_gate import ChannelGate
from tfrespam.layers.spatial_gate import SpatialGate
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.tensorboard.attention_gates import figure, gated_layers, recorded
from tfrespam.training.tensorboard.example_selection import Cases

TRUTH, PREDICTION = (64, 220, 96), (255, 80, 64)  # RGB
MISSED, FALSE_ALARM = (86, 150, 255), (255, 160, 0)
LEAST_SIDE = 160  # pixels; smaller images are enlarged
LEGEND = ("Input, reference (green), reference and prediction (red), errors: false negatives blue, false positives "
          "orange. Easy, median and hard are the examples that a trivial mask, which does not depend on the image, "
          "fits best, moderately and worst.")


def contours(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Draw input, reference, and reference with prediction side by side: (H, 3 W, 3) uint8.

    Args:
        image: (H, W) float in [0, 1].
        truth, prediction: (H, W) bool.
    """
    low, high = np.percentile(image, (1, 99))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    panels = [cv2.cvtColor((grey * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB) for _ in range(3)]
    outlines = ((panels[1], truth, TRUTH), (panels[2], truth, TRUTH), (panels[2], prediction, PREDICTION))
    for panel, mask, colour in outlines:
        points, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(panel, points, -1, colour, 1)
    return np.concatenate(panels, axis=1)


def error_map(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Draw false negatives (blue) and false positives (orange) on the dimmed input: (H, W, 3) uint8.

    Arguments as in `contours`.
    """
    panel = contours(image, truth, truth)[:, : image.shape[1]] // 2
    panel[truth & ~prediction] = MISSED
    panel[prediction & ~truth] = FALSE_ALARM
    return panel


def case_image(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Draw input | reference | reference and prediction | errors: (H', 4 W', 3) uint8.

    Small images are enlarged by an integer factor.
    """
    panels = np.concatenate([contours(image, truth, prediction), error_map(image, truth, prediction)], axis=1)
    times = max(1, round(LEAST_SIDE / image.shape[0]))
    return panels.repeat(times, axis=0).repeat(times, axis=1)


class CaseImages(keras.callbacks.Callback):
    """Write images of the selected examples, their predictions and the attention gates after each epoch.

    Args:
        writer: TensorBoard writer.
        cases: Selected validation examples.
        average: The running average of the weights, which is used for predictions.
        attention: Write images of the attention gates.
    """

    def __init__(self, writer, cases: Cases, average: WeightAverage, attention: bool = True):
        super().__init__()
        self.writer, self.cases, self.average, self.attention = writer, cases, average, attention

    def on_epoch_end(self, epoch, logs=None):
        network = network_of(self.model)
        gates = gated_layers(network) if self.attention else {}
        with self.average.in_place(), recorded([gate for stage in gates.values() for gate in stage]) as outputs:
            probability = probabilities(network, self.cases.images)
        with self.writer.as_default(epoch):
            self._predictions(probability)
            for stage, layers in gates.items():
                self._gates(stage, layers, outputs)
            self.writer.flush()

    def _predictions(self, probability):
        panels = [case_image(image[..., 0], truth[..., 0] > 0.5, predicted[..., 0] >= 0.5) for image, truth, predicted
                  in zip(self.cases.images, self.cases.masks, probability, strict=True)]  # fmt: skip
        for kind in dict.fromkeys(self.cases.kinds):
            shown = [panel for panel, own in zip(panels, self.cases.kinds, strict=True) if own == kind]
            tf.summary.image(f"cases/{kind}", np.stack(shown), max_outputs=len(shown), description=LEGEND)

    def _gates(self, stage, layers, outputs):
        """Plot the gates for one example of each kind; a gate that this network did not use is omitted."""
        first = [self.cases.kinds.index(kind) for kind in dict.fromkeys(self.cases.kinds)]
        channel, spatial = (next((outputs[id(gate)] for gate in layers if isinstance(gate, kind)
                                  and id(gate) in outputs), None) for kind in (ChannelGate, SpatialGate))  # fmt: skip
        titles = [self.cases.kinds[position] for position in first]
        plot = figure(self.cases.images[first], titles, channel, None if spatial is None else spatial[first])
        tf.summary.image(f"attention/{stage}", plot[None])


def probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Predict probabilities (N, H, W, 1) float32 of images (N, H, W, 1) eagerly, without tracing a function."""
    output = model(images, training=False)
    return keras.ops.convert_to_numpy(output["probability"] if isinstance(output, dict) else output)


def loss_curve(history: list[dict], path: Path, title: str) -> None:
    """Plot loss and Dice of training and validation over the epochs, as a PNG."""
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
