"""Stage `export`: a trained Keras model -> a SavedModel in TF Serving's layout, whole or not at all."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from tfrespam import cli
from tfrespam.errors import UserError

PARITY = 1e-6  # largest difference of probabilities between the graph on disk and the model in memory


def export(
    *runs: str,
    models_dir: str | None = None,
    name: str | None = None,
    threshold: float = 0.5,
    views: Literal["none", "flips", "dihedral"] = "none",
) -> None:
    """Exports the weights that training runs selected as a new version of their experiment; several are averaged.

    Args:
        runs: Folders of training runs (runs/<experiment>/<run>), with config.yaml and best.keras or last.keras.
        models_dir: Home of exported models (default: as in the first run's config.yaml).
        name: Folder under models_dir (default: the first run's experiment).
        threshold: Probability from which a pixel belongs to the mask.
        views: Test-time augmentation inside the graph: the mean over 4 mirrored ("flips") or 8 mirrored and turned
            ("dihedral") views of each picture, at 4 or 8 times the cost.
    """
    from tfrespam import runtime

    folders = [Path(run) for run in runs]
    configs = [_read_config(run) for run in folders]
    weights = [_weights(run, config) for run, config in zip(folders, configs, strict=True)]
    runtime.start()
    from tfrespam.models.ensemble import average

    try:
        model = average([_load_keras(file) for file in weights], views)
    except ValueError as error:
        raise UserError(str(error)) from None
    facts = _together([_facts(run, config) for run, config in zip(folders, configs, strict=True)])
    facts |= {"views": views, "weights": [file_hash(file) for file in weights]}
    path = export_model(model, models_dir or configs[0].get("models_dir", "saved_models"),
                        name or configs[0].get("name", folders[0].name), facts, threshold=threshold)  # fmt: skip
    cli.console.print(f"exported {', '.join(map(str, weights))} as {path}")
    cli.console.print(f"Next: python -m tfrespam.predict PICTURES --model {path} --output DIR")


def export_model(model, models_dir: str | os.PathLike, name: str, metadata: Mapping[str, Any], *,
                 threshold: float = 0.5, keep_aspect: bool | None = None) -> Path:  # fmt: skip
    """Writes `<models_dir>/<name>/<next version>/`: the SavedModel and metadata.json.

    The folder appears under its number only after the graph on disk has given the model's own probabilities. Exports
    of the same name wait for each other; no version is ever overwritten.

    Args:
        model: Keras model with the square input (N, S, S, 1). Its side outputs, and what only they need, stay behind.
        models_dir: Home of exported models.
        name: The experiment's folder there.
        metadata: What is known about the model (see `describe`); written beside what the export itself knows.
        threshold: Probability from which a pixel belongs to the mask.
        keep_aspect: Whether pictures are squared with black margins rather than stretched (default: yes for models
            trained on whole films).

    Raises:
        UserError: The model gives NaN, or the exported graph differs from it.
    """
    from tfrespam.files import whole_directory, write_json
    from tfrespam.models.blocks import without_sides
    from tfrespam.serving.film import film_threshold, tile_shares
    from tfrespam.serving.saved_model import METADATA, versions
    from tfrespam.serving.signatures import export_archive

    model = without_sides(model)
    data = {"view": "roi", "context": 1.6} | dict(metadata.get("data") or {})
    if keep_aspect is None:
        keep_aspect = data["view"] == "film"
    size, shares = _image_size(model), tile_shares(data["view"], data["context"])
    film_level = film_threshold(data["view"], threshold)
    with _alone(Path(models_dir) / name) as experiment:
        version = max(versions(experiment), default=0) + 1
        with whole_directory(experiment / str(version)) as folder:
            export_archive(model, folder, size, threshold, keep_aspect, shares, film_level)
            about = _about(model, metadata.get("flops")) | {"name": name, "version": version, "image_size": size,
                                                            "threshold": threshold, "keep_aspect": keep_aspect,
                                                            "tile_shares": shares, "film_threshold": film_level}
            write_json(folder / METADATA, {**metadata, **about})
            _check_parity(model, folder, size)
    return experiment / str(version)


def describe(config: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata.json says about a training: from the experiment as a nested dict (`config.yaml`)."""
    model = config.get("model", {})
    return {
        "experiment": config.get("name", ""),
        "model": model.get("name", ""),
        "width": model.get("width", 1.0),
        "options": model.get("options", {}),
        "data": config.get("data", {}),
        "augment": config.get("augment", {}),
        "training": config.get("training", {}),
        "seed": config.get("seed"),
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file, by which an export knows the weights that it was made from."""
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exported_from(weights: Path, models_dir: str | os.PathLike, name: str) -> Path | None:
    """The first version under `name` that was made from the file `weights` alone, as it is; None without one."""
    from tfrespam.serving.saved_model import is_saved_model, read_metadata, versions

    experiment, digest = Path(models_dir) / name, file_hash(weights)
    for version in versions(experiment):
        path = experiment / str(version)
        metadata = read_metadata(path)
        if is_saved_model(path) and metadata.get("weights") == [digest] and metadata.get("views", "none") == "none":
            return path
    return None


def _facts(run: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What training wrote down about the run: settings, identities of its training examples, trivial masks."""
    import json

    known = run / "facts.json"
    return json.loads(known.read_text(encoding="utf-8")) if known.is_file() else describe(config)


def _together(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """The first run's facts; what any run was trained on counts as seen by all."""
    if not all("trained_on" in each for each in facts):
        return {key: value for key, value in facts[0].items() if key != "trained_on"}
    kinds = facts[0]["trained_on"]
    seen = {kind: sorted(set().union(*(each["trained_on"][kind] for each in facts))) for kind in kinds}
    return {**facts[0], "trained_on": seen}


def _about(model, flops: int | None) -> dict[str, Any]:
    import datetime

    from tfrespam import provenance
    from tfrespam.models.flops import count_flops
    from tfrespam.serving.signatures import MAX_PIXELS, SIGNATURES

    return {
        "signatures": SIGNATURES,
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
    if len(shape) != 4 or shape[1] is None or shape[1] != shape[2] or shape[3] != 1:
        raise UserError(f"only models with a square grey input (N, S, S, 1) can be exported. Received: {shape}")
    return shape[1]


@contextlib.contextmanager
def _alone(experiment: Path) -> Iterator[Path]:
    """Holds the experiment's folder for this process; a killed process lets go of it."""
    import fcntl

    experiment.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(experiment, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield experiment
    finally:
        os.close(descriptor)


def _check_parity(model, folder: Path, size: int) -> None:
    import numpy as np
    import tensorflow as tf

    from tfrespam.serving.saved_model import load

    images = np.random.default_rng(0).random((2, size, size, 1), np.float32)
    with tf.device("CPU:0"):  # a GPU may round to TF32 and choose other kernels each time
        expected = tf.function(lambda image: model(image, training=False))(images)
        exported = load(folder).predict_images(images)
    difference = float(np.max(np.abs(np.asarray(expected, np.float32) - exported)))
    if not difference <= PARITY:  # NaN is not
        raise UserError(f"the exported graph differs from the model by {difference:g}; expected at most {PARITY:g}. "
                        "Nothing was published" + (": the weights give NaN" if difference != difference else ""))


def _read_config(run: Path) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"RUN must be the folder of a training run, with its config.yaml. Received: {run}") from None
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{run / 'config.yaml'} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise UserError(f"{run / 'config.yaml'} must hold an experiment's settings. Received: {config!r}")
    return config


def _weights(run: Path, config: Mapping[str, Any]) -> Path:
    """What the run selected (`training.select`), or the other one when that is not there."""
    select = config.get("training", {}).get("select", "best")
    names = sorted(["best.keras", "last.keras"], key=lambda name: name != f"{select}.keras")
    found = [run / name for name in names if (run / name).is_file()]
    if not found:
        raise UserError(f"{run} holds neither best.keras nor last.keras: its training has not finished an epoch yet")
    return found[0]


def _load_keras(path: Path):
    import keras

    import tfrespam.layers
    import tfrespam.models  # noqa: F401  both register what the file names

    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} cannot be loaded ({str(error).splitlines()[0]}). Was it written whole?") from None


def main() -> None:
    cli.run(export)


if __name__ == "__main__":
    main()
