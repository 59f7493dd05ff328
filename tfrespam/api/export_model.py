"""`tfrespam.export`: export a Keras model for inference and serving."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfrespam.api import earlier_training
from tfrespam.core.errors import UserError
from tfrespam.data.loading.examples import Examples
from tfrespam.data.loading.load import PreparedData
from tfrespam.serving.inference.saved_model import check_threshold
from tfrespam.workflows.exporting import export_model

if TYPE_CHECKING:
    import keras


def export(model: "keras.Model", path: str | Path, *, data: PreparedData | Examples | None = None,
           threshold: float = 0.5, weights: str = "float32", note: str = "") -> Path:  # fmt: skip
    """Export a model as the next version under `path`: SavedModel for TensorFlow Serving, model.keras, model card.

    Args:
        model: Keras model from images (N, S, S, C) in [0, 1] to probabilities (N, S, S, 1), or to a dict that contains
            them under "probability".
        path: Folder of the experiment's versions, such as saved_models/mine, in which the version's folder is created.
        data: Training data of the model, for its metadata: a data set, for the way in which its images were cropped, or
            the training `Examples`, also for hashes of the patients, so that `evaluate` can detect leaks. If `model` is
            the object that `load_model(..., trainable=True)` returned, the patients of its first training are added.
        threshold: Probability threshold: pixels with at least this probability belong to the mask.
        weights: "float32", or "float16" to round the kernels and halve their size; those of `model` are rounded too.
        note: Sentence that is added to the caveats of the model card.

    Returns:
        Folder of the version.

    Raises:
        UserError: The model has another input or output, returns NaN, or differs from its exported graph.
    """
    check_threshold(threshold)
    if weights not in ("float32", "float16"):
        raise UserError(f"`weights` must be float32 or float16. Received: {weights!r}")
    place = Path(path)
    facts = {"experiment": place.name, "model": model.name, "note": note, **_origin(data)}
    if trained_on := earlier_training.added(model, facts.get("trained_on")):
        facts["trained_on"] = trained_on
    return export_model(model, place.parent, place.name, facts, threshold=threshold, half=weights == "float16")


def _origin(data: PreparedData | Examples | None) -> dict[str, Any]:
    """Describe the training data for metadata.json."""
    if data is None:
        return {}
    if isinstance(data, Examples):
        return {"data": dataclasses.asdict(data.data), "dataset": data.prepared.facts, "trained_on": data.trained_on,
                "seed": data.seed}  # fmt: skip
    return {"data": data.framing, "dataset": data.facts}
