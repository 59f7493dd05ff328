"""Export trained networks as SavedModels in the layout of TensorFlow Serving, atomically."""

import dataclasses
import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrespam.core import provenance
from tfrespam.core.console import log
from tfrespam.core.errors import UserError
from tfrespam.core.files import is_plain_name, whole_directory, whole_file, write_json
from tfrespam.core.locks import in_turn
from tfrespam.data.geometry.crop import Size
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.summary import shortened
from tfrespam.models.blocks import without_sides
from tfrespam.models.flops import count_flops
from tfrespam.models.stored import save_network
from tfrespam.serving.graph.film_candidates import set_scores
from tfrespam.serving.graph.film_scan import film_threshold, tile_shares
from tfrespam.serving.graph.formats import convert
from tfrespam.serving.graph.frozen import round_kernels
from tfrespam.serving.graph.model_card import model_card
from tfrespam.serving.graph.parity import largest_difference, random_images
from tfrespam.serving.graph.signatures import MAX_PIXELS, export_archive, signatures
from tfrespam.serving.graph.warmup import write_warmup
from tfrespam.serving.inference.jobs import trained_on
from tfrespam.serving.inference.saved_model import (
    CARD,
    METADATA,
    NETWORK,
    fingerprint,
    load,
    read_metadata,
    versions,
)
from tfrespam.workflows.candidate_rules import rule_of, validated

# Largest difference of probabilities between the graph on disk and the model in memory, on noise. Folding batch
# normalisation into kernels changes rounding: 1.6e-5 on noise and 4e-6 on crops after six epochs on phantoms, as much
# as calling the model eagerly does. Wrong graphs differ in the first digits.
PARITY = 1e-4


def export_model(model, models_dir: str | os.PathLike, name: str, metadata: Mapping[str, Any], *,
                 threshold: float = 0.5, also: str | None = None,
                 figures: Mapping[str, bytes] | None = None, half: bool = False) -> Path:  # fmt: skip
    """Write `<models_dir>/<name>/<next version>/`: SavedModel, model.keras, warm-up requests, metadata.json, card.

    The folder gets its number only after the graph on disk has reproduced the model's probabilities. Exports of the
    same name wait for each other; versions are never overwritten.

    Args:
        model: Keras model with the input (N, H, W, C) for C images; H and W differ only for whole films. Auxiliary
            outputs, and layers for them, are not exported.
        models_dir: Folder of all exported models.
        name: Folder of the experiment there.
        metadata: Facts about the model (see `tfrespam.training.runs.describe`), added to those of the export.
        threshold: Probability threshold: pixels with at least this probability belong to the mask.
        also: Another format to write: "onnx", "openvino" or "litert".
        figures: Further files of the folder by name.
        half: Whether kernels are stored as float16; those of `model` are rounded in place.

    Raises:
        UserError: The model gives NaN, or the exported graph or the other format differs from it.
    """
    model = without_sides(model)
    if half:
        round_kernels(model)
    data = trained_on(metadata)
    keep_aspect = data["view"] == "film"  # images of other proportions are padded with black instead of stretched
    size, shares = _image_size(model, data["view"]), tile_shares(data["view"], data["context"])
    if also and model.input_shape[-1] != 1:
        raise UserError(f"`format` {also} requires a network with one input image. This one has "
                        f"{model.input_shape[-1]}: export it as saved_model")
    temperature = (metadata.get("calibration") or {}).get("temperature", 1.0)
    film_level = film_threshold(data["view"], threshold, temperature)
    if not is_plain_name(name):
        raise UserError(f"`name` must be a plain folder name. Received: {name!r}")
    experiment = Path(models_dir) / name
    with in_turn(experiment):
        version = max(versions(experiment), default=0) + 1
        with whole_directory(experiment / str(version)) as folder:
            rule = rule_of(data["view"], metadata.get("candidates"), film_level, temperature)
            export_archive(model, folder, size, threshold, keep_aspect, shares, film_level, half=half, rule=rule)
            about = _about(model, metadata.get("flops")) | {"name": name, "version": version, **_sides(size),
                                                            "threshold": threshold, "keep_aspect": keep_aspect,
                                                            "tile_shares": shares, "film_threshold": film_level,
                                                            "kernels": "float16" if half else "float32"}
            if data["view"] == "film" or metadata.get("candidates"):
                about["candidates"] = dataclasses.asdict(rule)
            _check_parity(model, folder)
            save_network(model, folder / NETWORK, half)
            if also:
                file, difference = convert(model, folder, size, also)
                log.info(f"{file.name} differs from the SavedModel by at most {difference:.1e} in probability")
            write_warmup(folder, size, model.input_shape[-1])
            for file, content in (figures or {}).items():
                (folder / file).write_bytes(content)
            _describe(folder, {**metadata, **about, "sha256": fingerprint(folder)})
    return experiment / str(version)


def record_scores(path: Path, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the scores of evaluations to metadata and card of an exported version.

    For films, validation determines the operating point and the Platt scaling of the scores.

    Args:
        path: Folder of the version.
        summaries: Content of summary.json for each split.
    """
    known = read_metadata(path)
    found = {"metrics": {split: shortened(summary) for split, summary in summaries.items()}}
    if "candidates" in known and "detection" in summaries.get("validation", {}):
        rule = validated(CandidateRule.of(known["candidates"]), summaries["validation"]["detection"])
        # without the hash until the graph is whole: after an interruption the version still loads, and this is repeated
        write_json(path / METADATA, {name: value for name, value in known.items() if name != "sha256"})
        set_scores(path, rule)
        found |= {"candidates": dataclasses.asdict(rule), "sha256": fingerprint(path)}
    _describe(path, known | found)


def _describe(folder: Path, metadata: Mapping[str, Any]) -> None:
    write_json(folder / METADATA, metadata)
    with whole_file(folder / CARD) as temporary:
        temporary.write_text(model_card(metadata), encoding="utf-8")


def _about(model, flops: int | None) -> dict[str, Any]:
    return {
        "signatures": signatures(model.input_shape[-1]),
        "channels": model.input_shape[-1],
        "input_meaning": "a grey image, bright = dense tissue; grey values, resizing and normalisation are "
                         "part of the graph",
        "max_pixels": MAX_PIXELS,
        "parameters": model.count_params(),
        "flops": flops or count_flops(model),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "licence": "Apache-2.0",
        "intended_use": "research; not a medical device",
        "versions": provenance.versions(),
        "git": provenance.git(),
        "command": provenance.command(),
    }


def _image_size(model, view: str) -> Size:
    """Return the side of the input, or height and width if they differ."""
    shape = model.input_shape
    if len(shape) != 4 or None in shape[1:3] or (shape[1] != shape[2] and view != "film"):
        raise UserError("only models with an input (N, H, W, C) of known sides, equal ones but for whole films, can be "
                        f"exported. Received: {shape} for the view {view!r}")  # fmt: skip
    return shape[1] if shape[1] == shape[2] else (shape[1], shape[2])


def _sides(size: Size) -> dict[str, int]:
    """Convert the input's size for metadata.json, which contains the width only if it differs from the height."""
    return {"image_size": size} if isinstance(size, int) else {"image_size": size[0], "image_width": size[1]}


def _check_parity(model, folder: Path) -> None:
    images = random_images(model, model.input_shape[1:3])
    with tf.device("CPU:0"):  # a GPU may round to TF32 and choose different kernels in each call
        expected = tf.function(lambda image: model(image, training=False))(images)
        exported = load(folder).predict_images(images)
    difference = largest_difference(model, expected, exported)
    if not difference <= PARITY:  # also true for NaN
        raise UserError(f"the exported graph differs from the model by {difference:g}; expected at most {PARITY:g}. "
                        "Nothing was published" + (": the weights give NaN" if difference != difference else ""))
