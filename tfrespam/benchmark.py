"""Command line of `benchmark`: measure training, inference and data on this machine, also with other frameworks."""

import tempfile
from pathlib import Path
from typing import Any, Literal

from tfrespam import cli
from tfrespam.config import DataConfig, Experiment, ModelConfig, TrainingConfig
from tfrespam.config_checks import check
from tfrespam.core import provenance
from tfrespam.core.console import console
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_json

Part = Literal["train", "infer", "data", "start", "memory"]
PARTS = ("train", "infer", "data", "start", "memory")

GROUPS = {"Network and training step": ("model", "width", "options", "image_size", "batch_size", "precision")}


def benchmark(
    model: str = "respam_unet",
    width: float = 0.25,
    options: dict[str, Any] | None = None,
    image_size: int = 128,
    batch_size: int = 8,
    precision: Literal["float32", "mixed_bfloat16"] = "float32",
    rounds: int = 15,
    parts: tuple[Part, ...] = PARTS,
    output: str = "experiments/results/benchmarks",
    name: str | None = None,
    quick: bool = False,
) -> None:
    """Measure speed and memory on this machine and write <name>.json.

    Installed frameworks of the extra [benchmark] alternate with TensorFlow in the same run: PyTorch, with and without
    torch.compile, on the same graph with the same weights; ONNX Runtime and OpenVINO on the exported graph.

    Args:
        model: A network of `tfrespam.build_model`.
        width: Factor on its channel counts.
        options: Further arguments of the network, for instance {fusion: concat}.
        image_size: Side of the images in pixels.
        batch_size: Images in a training step.
        precision: Arithmetic of training. "mixed_bfloat16" also applies to PyTorch (autocast), and TensorFlow's step in
            float32 is measured too. Inference is in float32.
        rounds: Number of measurements, of which the median is reported.
        parts: What to measure: train, infer, data (input pipeline and prepare), start (of commands), memory.
        output: Folder of the JSON file.
        name: Name of the file (default: model, width, size, and precision if it is not float32).
        quick: Use few rounds and films, to test whether everything runs.
    """
    from tfrespam.studies.benchmarking import table
    from tfrespam.studies.benchmarking.frameworks import in_separate_process

    for option, value, least in (("image_size", image_size, 32), ("batch_size", batch_size, 1), ("rounds", rounds, 1)):
        if value < least:
            raise UserError(f"`{option}` must be {least} or more. Received: {value}")
    experiment = Experiment(data=DataConfig(image_size=image_size), model=ModelConfig(model, width, options or {}),
                            training=TrainingConfig(batch_size=batch_size, precision=precision, deterministic=False))
    check(experiment)
    rounds = min(rounds, 2) if quick else rounds
    name = name or f"{model}-{width:g}-{image_size}" + (f"-{precision}" if precision != "float32" else "")
    file = Path(output) / f"{name}.json"
    results = in_separate_process("machine_and_network", experiment, quick) | {"command": provenance.command()}
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            console.print(f"measuring: {part}")
            results = in_separate_process("measure", part, experiment, results, Path(folder), rounds, quick)
            write_json(file, results)
    if results["speed"]:
        console.print(table.speed_table(results))
    console.print(table.other_table(results))
    console.print(file)


def main() -> None:
    cli.run(benchmark, groups=GROUPS)


if __name__ == "__main__":
    main()
