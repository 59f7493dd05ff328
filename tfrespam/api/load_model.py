"""`tfrespam.load_model`: load an exported network for inference, or its Keras model for further training."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfrespam.api import earlier_training
from tfrespam.core import runtime
from tfrespam.core.errors import UserError
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.saved_model import ExportedModel, check_threshold

if TYPE_CHECKING:
    import keras


class Prediction(NamedTuple):
    """Masks and probabilities of N images."""

    masks: np.ndarray  # (N, H, W) bool
    probabilities: np.ndarray  # (N, H, W) float32 in [0, 1]


class Segmenter:
    """Exported network for inference; created by `load_model`.

    Args:
        exported: The exported graph.
    """

    def __init__(self, exported: ExportedModel):
        self.exported = exported

    @property
    def path(self) -> Path:
        """Folder of the exported version."""
        return self.exported.path

    @property
    def metadata(self) -> dict[str, Any]:
        """Content of the export's metadata.json."""
        return self.exported.metadata

    @property
    def threshold(self) -> float:
        """Probability threshold of the mask, as exported."""
        return float(self.metadata.get("threshold", 0.5))

    def predict(self, images: np.ndarray, threshold: float | None = None) -> Prediction:
        """Segment images.

        Args:
            images: (H, W), (N, H, W) or (N, H, W, C) of any height and width, bright = dense tissue: float in [0, 1],
                uint8 or uint16. A network that was trained on crops needs crops around a mass.
            threshold: Probability threshold: pixels with at least this probability belong to the mask (default:
                that of the export).

        Returns:
            `masks` (N, H, W) bool and `probabilities` (N, H, W) float32, of the same size as the images.

        Raises:
            UserError: Images of another shape, number of channels, type or range, or a threshold outside (0, 1).
        """
        check_threshold(threshold)
        probabilities = self.exported.predict_images(input_batch(images, self.metadata))[..., 0]
        return Prediction(probabilities >= (self.threshold if threshold is None else threshold), probabilities)


def load_model(path: str | Path, *, trainable: bool = False) -> "Segmenter | keras.Model":
    """Load an exported network for inference, or its Keras model for further training.

    Args:
        path: Folder of an exported model (saved_models/<name> for its newest version, or the folder of one version), or
            with `trainable` a .keras file.
        trainable: Return the Keras model with its weights instead of the exported graph.

    Returns:
        A `Segmenter`; with `trainable` a `keras.Model` from `image` (N, S, S, C) to `probability` (N, S, S, 1), which
        is not compiled.

    Raises:
        UserError: No valid export, or (`trainable`) one without model.keras, such as saved_models/films.
    """
    if trainable:
        from tfrespam.training.initial_weights import load_trained

        return earlier_training.remembered(*load_trained(path))
    runtime.load_tensorflow()
    return Segmenter(saved_model.load(path))


def input_batch(images: np.ndarray, metadata: Mapping[str, Any]) -> np.ndarray:
    """Convert images to (N, H, W, C) float32 in [0, 1], as the network with this metadata takes. Raises UserError."""
    batch, channels = grey_batch(images), metadata.get("channels", 1)
    if batch.shape[-1] != channels:
        raise UserError(f"`images` must have {channels} channel{'s' * (channels != 1)}, as the network was trained. "
                        f"Received: {batch.shape[-1]} channels, {batch.shape}")  # fmt: skip
    return batch


def grey_batch(images: np.ndarray) -> np.ndarray:
    """Convert images to (N, H, W, C) float32 in [0, 1]. Raises UserError."""
    images = np.asarray(images)
    if images.ndim == 3 and images.shape[-1] <= 4 < min(images.shape[:2]):
        raise UserError("`images` with three axes are (N, H, W). For one image with channels, (H, W, C), pass "
                        f"image[np.newaxis]; for a grey one, (H, W), image[..., 0]. Received: {images.shape}")
    if images.ndim == 2:
        images = images[np.newaxis]
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or not images.size:
        raise UserError("`images` must have the shape (H, W), (N, H, W) or (N, H, W, C) and contain an image. "
                        f"Received: {images.shape}")  # fmt: skip
    if images.dtype in (np.uint8, np.uint16):
        return images.astype(np.float32) / np.iinfo(images.dtype).max
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"`images` must be float in [0, 1], uint8 or uint16. Received: {images.dtype}")
    if not (images.min() >= 0 and images.max() <= 1):  # also rejects NaN
        raise UserError("`images` of a floating-point type must be in [0, 1]. Received: values from "
                        f"{images.min():g} to {images.max():g}")
    return images.astype(np.float32)
