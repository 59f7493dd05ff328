"""`tfrespam.evaluate`: compute the scores of a network on a data set or on arrays."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tfrespam.api.load_model import Segmenter, input_batch, load_model
from tfrespam.config import DataConfig
from tfrespam.core.errors import UserError
from tfrespam.core.locks import in_turn
from tfrespam.data.loading.examples import Examples, Split
from tfrespam.data.loading.load import PreparedData, Protocol, load
from tfrespam.data.loading.prepared import Prepared
from tfrespam.evaluation.candidates import FILM_RULE
from tfrespam.evaluation.summary import mean_scores, per_image_rows
from tfrespam.serving.inference.saved_model import check_threshold
from tfrespam.workflows.evaluation import Evaluation

if TYPE_CHECKING:
    import keras

Model: TypeAlias = "str | Path | Segmenter | keras.Model"
Data: TypeAlias = "PreparedData | Examples | str | Path | tuple[np.ndarray, np.ndarray]"


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of a network on a set of images.

    Args:
        metrics: Mean over images by name: "dice", "iou", "miou" and so on in [0, 1], distances in pixels.
        rows: Scores and pixel counts of each image, as in per_image.csv.
        summary: The content of summary.json, with intervals, pooled scores and the leak audit; {} for arrays.
    """

    metrics: dict[str, float]
    rows: list[dict[str, Any]]
    summary: dict[str, Any]


class _InMemory:
    """Keras model with the interface of `ExportedModel` that `Evaluation` uses."""

    def __init__(self, model: "keras.Model"):
        from tfrespam.models.blocks import without_sides

        self.model = without_sides(model)
        self.metadata: dict[str, Any] = {"model": model.name, "parameters": model.count_params(),
                                         "channels": model.input_shape[-1]}  # fmt: skip

    def assume(self, view: str) -> None:
        """Assume that the model was trained on images like those it is evaluated on: crops, or whole films."""
        self.metadata["data"] = {"view": view}
        if view == "film":
            self.metadata["candidates"] = dataclasses.asdict(FILM_RULE)  # as an export of the model has it

    def predict_images(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict_on_batch(images), np.float32)


def evaluate(model: "Model", data: "Data", *, protocol: Protocol | None = None, fold: int | None = None,
             split: Split = "validation", threshold: float | None = None,
             output: str | Path | None = None) -> Scores:  # fmt: skip
    """Evaluate a network; files are written only if `output` is given.

    Args:
        model: Path of an exported model, the result of `load_model`, or a Keras model in memory.
        data: A prepared data set or its folder; `Examples`, which have their own protocol, fold and split; or a pair
            (images, masks), (N, H, W) or (N, H, W, C) in [0, 1] and (N, H, W) or (N, H, W, 1) of 0 and 1.
        protocol, fold: Protocol and fold that select the examples (default: those of the model's training).
        split: "train", "validation" or "test".
        threshold: Probability threshold: pixels with at least this probability belong to the mask (default: that
            of the exported model, else 0.5).
        output: Folder for per_image.csv, calibration.csv and summary.json.

    Returns:
        Scores; `.metrics["dice"]` is the mean over images.

    Raises:
        UserError: An empty split, arrays of different sizes, or evaluated patients who are in the training data
            although the protocol excludes that.
    """
    check_threshold(threshold)
    network: Any = _network(model)
    if isinstance(data, tuple):
        if output is not None:
            raise UserError("`output` needs a prepared data set, because its files list lesions and patients. "
                            "Received: arrays")  # fmt: skip
        return _of_arrays(network, *data, threshold=threshold)
    prepared, config, split = _examples(data, network.metadata, protocol, fold, split)
    if isinstance(network, _InMemory):
        network.assume(prepared.facts["view"])
    seed = data.seed if isinstance(data, Examples) else None
    results = Evaluation(network, prepared, config, split, threshold, seed=seed).compute()
    if output is not None:
        with in_turn(output):
            results.write(Path(output))
    return Scores(_means(results.summary["metrics"]), results.rows, results.summary)


def _network(model: "Model") -> Any:
    if isinstance(model, str | Path):
        model = load_model(model)
    return model.exported if isinstance(model, Segmenter) else _InMemory(model)


def _examples(data: Any, metadata: Mapping[str, Any], protocol: Protocol | None, fold: int | None,
              split: Split) -> tuple[Prepared, DataConfig, Split]:  # fmt: skip
    if isinstance(data, Examples):
        return data.prepared, data.data, data.split
    prepared: Prepared = data if isinstance(data, Prepared) else load(data)
    named = {"protocol": protocol, "fold": fold}
    trained = {"dataset": prepared.name, **dict(metadata.get("data") or {})}
    return prepared, DataConfig.of(trained | {key: value for key, value in named.items() if value is not None}), split


def _of_arrays(network: Any, images: np.ndarray, masks: np.ndarray, threshold: float | None) -> Scores:
    batch, references = input_batch(images, network.metadata), np.asarray(masks)
    references = references[..., 0] if references.ndim == 4 else references
    if references.shape != batch.shape[:3]:
        raise UserError("`data` must be images and masks of the same number, height and width. "
                        f"Received: {batch.shape[:3]} and {references.shape}")  # fmt: skip
    level = network.metadata.get("threshold", 0.5) if threshold is None else threshold
    probabilities = (network.predict_images(batch[n : n + 1])[0, ..., 0] for n in range(len(batch)))
    numbers = np.array([str(number) for number in range(len(batch))])
    rows = per_image_rows({"patient_id": numbers}, zip(references > 0, probabilities, strict=True), level)
    return Scores(mean_scores(rows), rows, {})


def _means(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {name: values["image"] for name, values in metrics.items()}
