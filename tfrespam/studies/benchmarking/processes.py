"""Measurements that need a separate process: start-up time of a command, and memory use of training."""

import dataclasses
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from tfrespam.config import AugmentConfig, DataConfig, Experiment, ModelConfig, TrainingConfig
from tfrespam.studies.benchmarking import frameworks


def seconds(command: list[str], rounds: int) -> float:
    """Measure the median wall-clock time of a command, from its start to its end."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def help_seconds(rounds: int) -> float:
    return seconds([sys.executable, "-m", "tfrespam.train", "--help"], rounds)


def predict_seconds(model: Path, folder: Path, rounds: int) -> float:
    """Measure the time of `predict` from the command to the mask of one image of 1024 x 1024 pixels."""
    image = folder / "image.png"
    cv2.imwrite(str(image), (np.random.default_rng(0).random((1024, 1024)) * 255).astype(np.uint8))
    return seconds([sys.executable, "-m", "tfrespam.predict", str(image), "--model", str(model), "--output",
                    str(folder / "masks")], rounds)  # fmt: skip


def training_megabytes(experiment: Experiment, framework: str) -> float:
    """Measure the peak resident memory of a process that performs three training steps, including its libraries."""
    settings = json.dumps({"experiment": dataclasses.asdict(experiment), "framework": framework})
    answer = subprocess.run([sys.executable, "-m", "tfrespam.studies.benchmarking.processes", settings], check=True,
                            capture_output=True, text=True)  # fmt: skip
    return float(answer.stdout.splitlines()[-1])


def main() -> None:
    """Run in the measured process: read settings from the argument, print megabytes as the last line."""
    request = json.loads(sys.argv[1])
    experiment = _experiment(request["experiment"])
    frameworks.start()
    from tfrespam.studies.benchmarking import runtimes

    if request["framework"] == "TensorFlow":
        step = runtimes.train_tensorflow(experiment)
    else:
        step = runtimes.train_torch(experiment, compile=False)
    for _ in range(3):
        step()
    print(_peak_megabytes())


def _peak_megabytes() -> float:
    """Return this process's peak memory. On Linux `ru_maxrss` includes the parent's memory at the fork, VmHWM not."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1)) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _experiment(settings: dict) -> Experiment:
    kinds = {"data": DataConfig, "augment": AugmentConfig, "model": ModelConfig, "training": TrainingConfig}
    return Experiment(**{name: kinds[name](**value) if name in kinds else value for name, value in settings.items()})


if __name__ == "__main__":
    main()
