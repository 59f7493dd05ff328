"""Stage `benchmark`: how fast training, inference and data are on this machine, beside PyTorch and other runtimes."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tfrespam import cli, provenance
from tfrespam.config import DataConfig, Experiment, ModelConfig, TrainingConfig, check
from tfrespam.errors import UserError
from tfrespam.files import write_json

Part = Literal["train", "infer", "data", "start", "memory"]
PARTS = ("train", "infer", "data", "start", "memory")


def benchmark(
    model: str = "respam_unet",
    width: float = 0.25,
    options: dict[str, Any] | None = None,
    image_size: int = 128,
    batch_size: int = 8,
    precision: Literal["float32", "mixed_bfloat16"] = "float32",
    rounds: int = 15,
    parts: tuple[Part, ...] = PARTS,
    output: str = "experiments/results",
    name: str | None = None,
    quick: bool = False,
) -> None:
    """Measures speed and memory on this machine and writes benchmark-<name>.json.

    Rivals that are installed (extra [benchmark]) take turns with TensorFlow in the same run: PyTorch, with and without
    torch.compile, on the same graph with the same weights; ONNX Runtime and OpenVINO on the exported graph.

    Args:
        model: A network of `tfrespam.build_model`.
        width: Factor on its channel counts.
        options: Further arguments of the network, for instance {fusion: concat}.
        image_size: Side of the pictures, in pixels.
        batch_size: Pictures in a training step.
        precision: Arithmetic of training. With "mixed_bfloat16" PyTorch's too (autocast), and TensorFlow's step in
            float32 is timed beside it. Inference stays in float32.
        rounds: Times that each path is measured; the median counts.
        parts: What is measured: train, infer, data (input pipeline and prepare), start (of commands), memory.
        output: Folder of the JSON file.
        name: Name of the file (default: model, width, size, and precision where it is not float32).
        quick: Few rounds and films: whether everything runs, not how fast.
    """
    experiment = Experiment(data=DataConfig(image_size=image_size), model=ModelConfig(model, width, options or {}),
                            training=TrainingConfig(batch_size=batch_size, precision=precision, deterministic=False))
    check(experiment)
    if rounds < 1:
        raise UserError(f"--rounds must be 1 or more. Received: {rounds}")
    rounds = min(rounds, 2) if quick else rounds
    name = name or f"{model}-{width:g}-{image_size}" + (f"-{precision}" if precision != "float32" else "")
    file = Path(output) / f"benchmark-{name}.json"
    results = _apart(_machine, experiment, quick) | {"command": provenance.command()}
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            cli.console.print(f"measuring: {part}")
            results = _apart(_measured, part, experiment, results, Path(folder), rounds, quick)
            write_json(file, results)
    _say(results, file)


def _apart(function: Callable, *arguments) -> dict[str, Any]:
    """What `function` gives in a process of its own, with which the memory of all frameworks goes."""
    from concurrent.futures.process import BrokenProcessPool

    from tfrespam.workers import pool

    with pool(1) as process:
        try:
            return process.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise UserError("the process that measured was ended from outside, most likely for want of memory. Leave "
                            "this part out with --parts, or make --width, --image_size or --batch_size smaller. What "
                            "parts before it found is kept") from None  # fmt: skip


def _measured(part: Part, experiment: Experiment, results: dict, *arguments) -> dict[str, Any]:
    _MEASURE[part](experiment, results, *arguments)
    return results


def _machine(experiment: Experiment, quick: bool) -> dict[str, Any]:
    import os

    from tfrespam.benchmarking import paths

    paths.start()
    from tfrespam.benchmarking import machine
    from tfrespam.models.flops import count_flops

    try:
        network = paths.network(experiment)
    except ValueError as error:
        raise UserError(str(error)) from None
    model, data = experiment.model, experiment.data
    return {
        "model": {"name": model.name, "width": model.width, "options": model.options, "image_size": data.image_size,
                  "batch_size": experiment.training.batch_size, "precision": experiment.training.precision,
                  "parameters": network.count_params(), "forward_operations": count_flops(network)},
        "machine": provenance.machine(), "threads": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0],
        "sgemm_rate": machine.sgemm_rate(256 if quick else 2048), "bandwidth": machine.bandwidth(8 if quick else 256),
        "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"], "versions": provenance.versions() | _rivals(),
        "git": provenance.git(), "speed": {}, "other": {},
    }  # fmt: skip


def _rivals() -> dict[str, str]:
    from importlib.metadata import version

    from tfrespam.benchmarking.paths import installed

    return {package: version(package) for package in ("torch", "onnxruntime", "openvino") if installed(package)}


def _train(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    from tfrespam.benchmarking import paths

    paths.start()
    from tfrespam.benchmarking import profile, timing

    ours = paths.train_tensorflow(experiment)
    calls = {"TensorFlow": ours}
    if experiment.training.precision != "float32":
        training = dataclasses.replace(experiment.training, precision="float32")
        calls["TensorFlow, float32"] = paths.train_tensorflow(dataclasses.replace(experiment, training=training))
    if paths.installed("torch") and paths.has_torch_statement(experiment):
        calls["PyTorch eager"] = paths.train_torch(experiment, compile=False)
        if not quick:
            calls["torch.compile"] = paths.train_torch(experiment, compile=True)
    pictures = experiment.training.batch_size
    operations = 3 * pictures * results["model"]["forward_operations"]  # forward, by inputs, by weights
    results["speed"]["training step"] = {"pictures": pictures, "operations": operations,
                                         "paths": timing.alternate(calls, rounds)}  # fmt: skip
    results["profile"] = dict(list(profile.by_operation(ours, 2 if quick else 5).items())[:25])


def _infer(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    for size in (1, 8):  # six networks at a time are enough
        results["speed"][f"inference, batch {size}"] = {
            "pictures": size, "operations": size * results["model"]["forward_operations"],
            "paths": _apart(_inference, experiment, size, folder, rounds)}  # fmt: skip


def _inference(experiment: Experiment, size: int, folder: Path, rounds: int) -> dict[str, Any]:
    from tfrespam.benchmarking import paths, timing

    paths.start()
    place = folder / f"batch{size}"
    place.mkdir()
    return timing.alternate(paths.inference(experiment, size, place), rounds)


def _data(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    from tfrespam.benchmarking import data, paths

    paths.start()
    size = experiment.data.image_size
    workers = (1,) if quick else (1, 2)
    for name, rate in data.prepare_rates(folder, size, 4 if quick else 24, workers).items():
        results["other"][f"prepare, films/s, {name}"] = rate
    batch_size = experiment.training.batch_size
    for name, rate in data.pipeline_rates(folder, size, batch_size, 0.2 if quick else 5.0).items():
        results["other"][f"input pipeline, examples/s, {name}"] = rate


def _start(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    from tfrespam.benchmarking import paths, processes
    from tfrespam.export import export_model

    paths.start()
    rounds = 1 if quick else 3
    exported = export_model(paths.network(experiment), folder / "models", "benchmark", {})
    results["other"]["seconds of train --help"] = processes.help_seconds(rounds)
    results["other"]["seconds of predict, one picture"] = processes.predict_seconds(exported, folder, rounds)


def _memory(experiment: Experiment, results: dict, folder: Path, rounds: int, quick: bool) -> None:
    from tfrespam.benchmarking import paths, processes

    frameworks = ["TensorFlow"]
    if paths.installed("torch") and paths.has_torch_statement(experiment):
        frameworks.append("PyTorch")
    for framework in frameworks:
        megabytes = processes.training_megabytes(experiment, framework)
        results["other"][f"peak MiB of training, {framework}"] = megabytes


_MEASURE = {"train": _train, "infer": _infer, "data": _data, "start": _start, "memory": _memory}


def _say(results: dict, file: Path) -> None:
    from tfrespam.benchmarking import table

    if results["speed"]:
        cli.console.print(table.speed_table(results))
    cli.console.print(table.other_table(results))
    cli.console.print(file)


def main() -> None:
    cli.run(benchmark)


if __name__ == "__main__":
    main()
