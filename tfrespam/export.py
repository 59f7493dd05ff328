"""Stage `export`: a trained Keras model -> a SavedModel in TF Serving's layout, whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tfrespam import cli
from tfrespam.errors import UserError
from tfrespam.files import file_hash, in_turn, is_plain_name, read_json
from tfrespam.training.runs import REMOVE, Run

# Largest difference of probabilities between the graph on disk and the model in memory, on noise. Batch normalisation
# folded into the kernels rounds otherwise: 1.6e-5 on noise and 4e-6 on crops after six epochs on phantoms; called
# eagerly, the model is as far from itself. What is wrong with a graph shows in the first digits.
PARITY = 1e-4


def export(
    *runs: str,
    models_dir: str | None = None,
    name: str | None = None,
    threshold: float = 0.5,
    views: Literal["none", "flips", "dihedral"] = "none",
    held_out: tuple[str, ...] = (),
    calibrate: bool = False,
    data_dir: str | None = None,
    weights: Literal["float32", "float16"] = "float32",
    arithmetic: Literal["as_trained", "float32"] = "as_trained",
    note: str = "",
    format: Literal["saved_model", "onnx", "openvino", "litert"] = "saved_model",
) -> None:
    """Exports the weights that training runs selected as a new version of their experiment; several are averaged.

    Args:
        runs: Folders of training runs (runs/<experiment>/<run>), with config.yaml and best.keras or last.keras.
        models_dir: Home of exported models (default: as in the first run's config.yaml).
        name: Folder under models_dir (default: the first run's experiment).
        threshold: Probability from which a pixel belongs to the mask.
        views: Test-time augmentation inside the graph: the mean over 4 mirrored ("flips") or 8 mirrored and turned
            ("dihedral") views of each picture, at 4 or 8 times the cost.
        held_out: Folders of runs whose held-out folds, put together, give the scores of the model card. They stand
            for a model that was trained on all patients, and have its settings (default with --calibrate: the exported
            runs; otherwise an average has no scores). Of several exported runs as many for each fold: they are
            averaged.
        calibrate: Whether probabilities are brought to what they are worth, by a temperature that is fitted on those
            folds and stored in the graph. Masks at threshold 0.5 do not change. Of the runs of several folds, each
            run's own answers are calibrated, and then their average is given the same temperature.
        data_dir: Home of the prepared data sets (default: as in each run's config.yaml).
        weights: How kernels are stored. float16 rounds them, which halves the file; the network still computes
            as `arithmetic` says.
        arithmetic: What the exported network computes in. A network trained in mixed precision needs "float32" to be
            fast where the processor has no half-precision units; its scores of training are then left out.
        note: A sentence for the model card's caveats, such as how the training pictures had been made smaller.
        format: Another format to write beside the SavedModel, and to compare with it.
    """
    from tfrespam import runtime

    cli.check_threshold(threshold)
    members, judges = ([Run(run, arithmetic) for run in each] for each in (runs, held_out))
    files = [run.weights for run in members]
    runtime.start()
    model = _average(members, views)
    facts = _together([run.facts for run in members])
    facts |= {"views": views, "weights": [file_hash(file) for file in files], "note": note, "arithmetic": arithmetic}
    pictures = {}
    if held_out or calibrate:
        model, found, pictures = _judged(model, members, judges, views, calibrate, threshold, data_dir)
        facts |= found
    elif len(members) == 1 and views == "none" and members[0].as_trained:
        facts |= {"metrics": _scores(members[0].folder, threshold)}
    config = members[0].config
    path = export_model(model, models_dir or config.get("models_dir", "saved_models"),
                        name or config.get("name", members[0].folder.name), facts, threshold=threshold,
                        also=None if format == "saved_model" else format, pictures=pictures, half=weights == "float16")
    cli.console.print(f"exported {', '.join(map(str, files))} as {path}")
    cli.console.print(f"Next: python -m tfrespam.predict PICTURES --model {cli.quoted(path)} --output DIR")


def _average(runs: list[Run], views: str):
    """The network of one run, or one that averages those of several, over `views`."""
    from tfrespam.models.ensemble import average

    try:
        return average([run.network() for run in runs], views)
    except ValueError as error:
        raise UserError(str(error)) from None


def _judged(model, members: list[Run], judges: list[Run], views: str, calibrate: bool, threshold: float,
            data_dir: str | None) -> tuple:  # fmt: skip
    """The model, calibrated if asked; what the held-out folds of `judges` tell about it; PNG files for its folder."""
    from tfrespam.training import held_out

    folds = held_out.by_fold(judges or members, len(members))
    found = held_out.collect([(_average(runs, views), runs) for runs in folds], data_dir)
    facts, pictures = {}, {}
    if calibrate:
        fitted = held_out.calibrate(found)
        facts["calibration"] = fitted.facts(found)
        pictures["reliability.png"] = held_out.reliability_png(fitted)
        model = held_out.with_temperature(model, fitted.temperature)
    first = folds[0][0].facts
    summary = found.summary(threshold, model=first["model"], experiment=first["experiment"],
                            dataset=first["data"]["dataset"], protocol=first["data"]["protocol"])  # fmt: skip
    by = f"{len(folds)} runs" if len(folds[0]) == 1 else f"averages of {len(folds[0])} runs in {len(folds)} folds"
    return model, facts | {"metrics": {f"held out by {by}": _shortened(summary)}}, pictures


def export_model(model, models_dir: str | os.PathLike, name: str, metadata: Mapping[str, Any], *,
                 threshold: float = 0.5, keep_aspect: bool | None = None, also: str | None = None,
                 pictures: Mapping[str, bytes] | None = None, half: bool = False) -> Path:  # fmt: skip
    """Writes `<models_dir>/<name>/<next version>/`: SavedModel, warm-up requests, metadata.json, model_card.md.

    The folder appears under its number only after the graph on disk has given the model's own probabilities. Exports
    of the same name wait for each other; no version is ever overwritten.

    Args:
        model: Keras model with the square input (N, S, S, C), C pictures side by side. Its side outputs, and what only
            they need, stay behind.
        models_dir: Home of exported models.
        name: The experiment's folder there.
        metadata: What is known about the model (see `tfrespam.training.runs.describe`), written beside what the export
            itself knows.
        threshold: Probability from which a pixel belongs to the mask.
        keep_aspect: Whether pictures are squared with black margins rather than stretched (default: yes for models
            trained on whole films).
        also: Another format that the folder holds too: "onnx", "openvino" or "litert".
        pictures: Files that the folder holds too, by name.
        half: Whether kernels are stored as float16; those of `model` are rounded, in place.

    Raises:
        UserError: The model gives NaN, or the exported graph or the other format differs from it.
    """
    from tfrespam.files import whole_directory
    from tfrespam.models.blocks import without_sides
    from tfrespam.serving.film import film_threshold, tile_shares
    from tfrespam.serving.frozen import round_kernels
    from tfrespam.serving.saved_model import fingerprint, versions
    from tfrespam.serving.signatures import export_archive
    from tfrespam.serving.warmup import write_warmup

    model = without_sides(model)
    if half:
        round_kernels(model)
    data = {"view": "roi", "context": 1.6} | dict(metadata.get("data") or {})
    if keep_aspect is None:
        keep_aspect = data["view"] == "film"
    size, shares = _image_size(model), tile_shares(data["view"], data["context"])
    if also and model.input_shape[-1] != 1:
        raise UserError(f"--format {also} is written for networks that take one picture. This one takes "
                        f"{model.input_shape[-1]} side by side: export it as saved_model")
    film_level = film_threshold(data["view"], threshold, (metadata.get("calibration") or {}).get("temperature", 1.0))
    if not is_plain_name(name):
        raise UserError(f"--name must be a plain folder name under the models' home. Received: {name!r}")
    experiment = Path(models_dir) / name
    with in_turn(experiment):
        version = max(versions(experiment), default=0) + 1
        with whole_directory(experiment / str(version)) as folder:
            export_archive(model, folder, size, threshold, keep_aspect, shares, film_level, half=half)
            about = _about(model, metadata.get("flops")) | {"name": name, "version": version, "image_size": size,
                                                            "threshold": threshold, "keep_aspect": keep_aspect,
                                                            "tile_shares": shares, "film_threshold": film_level,
                                                            "kernels": "float16" if half else "float32"}
            _check_parity(model, folder, size)
            if also:
                _convert(model, folder, size, also)
            write_warmup(folder, size, model.input_shape[-1])
            for file, content in (pictures or {}).items():
                (folder / file).write_bytes(content)
            _describe(folder, {**metadata, **about, "sha256": fingerprint(folder)})
    return experiment / str(version)


def record_scores(path: Path, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Adds what an evaluation found to an exported version's metadata and card.

    Args:
        path: The version's folder.
        summaries: Of each split, the content of summary.json.
    """
    from tfrespam.serving.saved_model import read_metadata

    _describe(path, read_metadata(path) | {"metrics": {split: _shortened(found) for split, found in summaries.items()}})


def _describe(folder: Path, metadata: Mapping[str, Any]) -> None:
    from tfrespam.files import whole_file, write_json
    from tfrespam.serving.model_card import model_card
    from tfrespam.serving.saved_model import CARD, METADATA

    write_json(folder / METADATA, metadata)
    with whole_file(folder / CARD) as temporary:
        temporary.write_text(model_card(metadata), encoding="utf-8")


def _convert(model, folder: Path, size: int, kind: str) -> None:
    from tfrespam.serving.formats import convert

    file, difference = convert(model, folder, size, kind)
    cli.console.print(f"{file.name} differs from the SavedModel by at most {difference:.1e} in probability")


def _scores(run: Path, threshold: float) -> dict[str, Any]:
    """What training found out about the weights that it selected, by split; {} at another threshold."""
    files = {split: run / split / "summary.json" for split in ("validation", "test")}
    found = {split: read_json(file, REMOVE) for split, file in files.items() if file.is_file()}
    return {split: _shortened(summary) for split, summary in found.items() if summary["threshold"] == threshold}


def _shortened(summary: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("dataset", "protocol", "n_images", "n_patients", "threshold", "coverage", "metrics", "trivial", "skill",
            "leak_audit")  # fmt: skip
    return {key: summary[key] for key in kept if key in summary}


def exported_from(weights: Path, models_dir: str | os.PathLike, name: str) -> Path | None:
    """The first version under `name` that was made from the file `weights` alone, as `train` exports it; or None."""
    from tfrespam.serving.saved_model import is_saved_model, read_metadata, versions

    experiment, digest = Path(models_dir) / name, file_hash(weights)
    for version in versions(experiment):
        path = experiment / str(version)
        metadata = read_metadata(path)
        if is_saved_model(path) and metadata.get("weights") == [digest] and _is_plain(metadata):
            return path
    return None


def _is_plain(metadata: Mapping[str, Any]) -> bool:
    """Whether a version has nothing that `export` can add to what `train` makes; earlier releases tell less."""
    usual = {"views": "none", "kernels": "float32", "threshold": 0.5, "arithmetic": "as_trained"}
    return "calibration" not in metadata and all(metadata.get(key, value) == value for key, value in usual.items())


def _together(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The first run's facts; what any run was trained on counts as seen by all."""
    if not all("trained_on" in each for each in facts):
        return {key: value for key, value in facts[0].items() if key != "trained_on"}
    kinds = [kind for kind in facts[0]["trained_on"] if all(kind in each["trained_on"] for each in facts)]
    seen = {kind: sorted(set().union(*(each["trained_on"][kind] for each in facts))) for kind in kinds}
    return {**facts[0], "trained_on": seen}


def _about(model, flops: int | None) -> dict[str, Any]:
    import datetime

    from tfrespam import provenance
    from tfrespam.models.flops import count_flops
    from tfrespam.serving.signatures import MAX_PIXELS, signatures

    return {
        "signatures": signatures(model.input_shape[-1]),
        "channels": model.input_shape[-1],
        "input_meaning": "a grey picture, bright = dense tissue; grey values, resizing and normalisation are the "
                         "graph's own business",
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


def _image_size(model) -> int:
    shape = model.input_shape
    if len(shape) != 4 or shape[1] is None or shape[1] != shape[2]:
        raise UserError(f"only models with a square input (N, S, S, C) can be exported. Received: {shape}")
    return shape[1]


def _check_parity(model, folder: Path, size: int) -> None:
    import numpy as np
    import tensorflow as tf

    from tfrespam.serving.saved_model import load

    images = np.random.default_rng(0).random((2, size, size, model.input_shape[-1]), np.float32)
    with tf.device("CPU:0"):  # a GPU may round to TF32 and choose other kernels each time
        expected = tf.function(lambda image: model(image, training=False))(images)
        exported = load(folder).predict_images(images)
    difference = float(np.max(np.abs(np.asarray(expected, np.float32) - exported)))
    if not difference <= PARITY:  # NaN is not
        raise UserError(f"the exported graph differs from the model by {difference:g}; expected at most {PARITY:g}. "
                        "Nothing was published" + (": the weights give NaN" if difference != difference else ""))


def main() -> None:
    cli.run(export)


if __name__ == "__main__":
    main()
