"""Measurements of the stage `benchmark`, each run in a separate process by `frameworks`."""

import dataclasses
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tfrespam.config import Experiment
from tfrespam.core import provenance
from tfrespam.core.errors import UserError
from tfrespam.models.flops import count_flops
from tfrespam.studies.benchmarking import data, machine, processes, profile, runtimes, timing
from tfrespam.studies.benchmarking.frameworks import in_separate_process, installed
from tfrespam.workflows.exporting import export_model


def measure(part: str, experiment: Experiment, results: dict, *arguments) -> dict[str, Any]:
    """Add the measurements of `part`, a key of `MEASURES`, to `results` and return it."""
    MEASURES[part](experiment, results, *arguments)
    return results


def machine_and_network(experiment: Experiment, quick: bool) -> dict[str, Any]:
    """Return a description of the network and of this machine, with its rates."""
    try:
        network = runtimes.network(experiment)
    except ValueError as error:
        raise UserError(str(error)) from None
    model, data = experiment.model, experiment.data
    return {
        "model": {"name": model.name, "width": model.width, "options": model.options, "image_size": data.image_size,
                  "batch_size": experiment.training.batch_size, "precision": experiment.training.precision,
                  "parameters": network.count_params(), "forward_operations": count_flops(network)},
        "machine": provenance.machine(), "threads": provenance.cores(), "load_before": os.getloadavg()[0],
        "sgemm_rate": machine.sgemm_rate(256 if quick else 2048), "bandwidth": machine.bandwidth(8 if quick else 256),
        "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"], "versions": provenance.versions() | _other_frameworks(),
        "git": provenance.git(), "speed": {}, "other": {},
    }  # fmt: skip


def _other_frameworks() -> dict[str, str]:
    return {package: version(package) for package in ("torch", "onnxruntime", "openvino") if installed(package)}


def _train(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    ours = runtimes.train_tensorflow(experiment)
    calls = {"TensorFlow": ours}
    if experiment.training.precision != "float32":
        training = dataclasses.replace(experiment.training, precision="float32")
        calls["TensorFlow, float32"] = runtimes.train_tensorflow(dataclasses.replace(experiment, training=training))
    if installed("torch") and runtimes.has_torch_version(experiment):
        calls["PyTorch eager"] = runtimes.train_torch(experiment, compile=False)
        if not quick:
            calls["torch.compile"] = runtimes.train_torch(experiment, compile=True)
    images = experiment.training.batch_size
    operations = 3 * images * results["model"]["forward_operations"]  # forward, by inputs, by weights
    results["speed"]["training step"] = {"pictures": images, "operations": operations,
                                         "paths": timing.alternate(calls, rounds)}  # fmt: skip
    results["profile"] = dict(list(profile.by_operation(ours, 2 if quick else 5).items())[:25])


def _infer(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    for size in (1, 8):  # six networks at a time are enough
        results["speed"][f"inference, batch {size}"] = {
            "pictures": size, "operations": size * results["model"]["forward_operations"],
            "paths": in_separate_process("inference", experiment, size, folder, rounds)}  # fmt: skip


def inference(experiment: Experiment, size: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Return the seconds of inference on `size` images, of each runtime."""
    place = folder / f"batch{size}"
    place.mkdir()
    return timing.alternate(runtimes.inference(experiment, size, place), rounds)


def _data(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    size = experiment.data.image_size
    workers = (1,) if quick else (1, 2)
    for name, rate in data.prepare_rates(folder, size, 4 if quick else 24, workers).items():
        results["other"][f"prepare, films/s, {name}"] = rate
    batch_size = experiment.training.batch_size
    for name, rate in data.pipeline_rates(folder, size, batch_size, 0.2 if quick else 5.0).items():
        results["other"][f"input pipeline, examples/s, {name}"] = rate


def _start(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    rounds = 1 if quick else 3
    exported = export_model(runtimes.network(experiment), folder / "models", "benchmark", {})
    results["other"]["seconds of train --help"] = processes.help_seconds(rounds)
    results["other"]["seconds of predict, one picture"] = processes.predict_seconds(exported, folder, rounds)


def _memory(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    frameworks = ["TensorFlow"]
    if installed("torch") and runtimes.has_torch_version(experiment):
        frameworks.append("PyTorch")
    for framework in frameworks:
        megabytes = processes.training_megabytes(experiment, framework)
        results["other"][f"peak MiB of training, {framework}"] = megabytes


MEASURES = {"train": _train, "infer": _infer, "data": _data, "start": _start, "memory": _memory}
