"""What can only be measured in a process of its own: the start of a command, and the memory that a training takes."""

import dataclasses
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tfrespam.config import AugmentConfig, DataConfig, Experiment, ModelConfig, TrainingConfig


def seconds(command: list[str], rounds: int) -> float:
    """Median wall-clock time of a command from its start to its end."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def help_seconds(rounds: int) -> float:
    return seconds([sys.executable, "-m", "tfrespam.train", "--help"], rounds)


def predict_seconds(model: Path, folder: Path, rounds: int) -> float:
    """From the command to the mask of one picture of 1024 x 1024."""
    import cv2
    import numpy as np

    picture = folder / "picture.png"
    cv2.imwrite(str(picture), (np.random.default_rng(0).random((1024, 1024)) * 255).astype(np.uint8))
    return seconds([sys.executable, "-m", "tfrespam.predict", str(picture), "--model", str(model), "--output",
                    str(folder / "masks")], rounds)  # fmt: skip


def training_megabytes(experiment: Experiment, framework: str) -> float:
    """Largest resident memory of a process that does three training steps, its libraries included."""
    settings = json.dumps({"experiment": dataclasses.asdict(experiment), "framework": framework})
    answer = subprocess.run([sys.executable, "-m", "tfrespam.benchmarking.processes", settings], check=True,
                            capture_output=True, text=True)  # fmt: skip
    return float(answer.stdout.splitlines()[-1])


def main() -> None:
    """The measured process itself: settings as its argument, megabytes as its last line."""
    from tfrespam.benchmarking import paths

    asked = json.loads(sys.argv[1])
    experiment = _experiment(asked["experiment"])
    paths.start()
    if asked["framework"] == "TensorFlow":
        step = paths.train_tensorflow(experiment)
    else:
        step = paths.train_torch(experiment, compile=False)
    for _ in range(3):
        step()
    print(_peak_megabytes())


def _peak_megabytes() -> float:
    """Linux's `ru_maxrss` begins with what the parent had when it started this process; VmHWM begins anew."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1)) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _experiment(settings: dict) -> Experiment:
    kinds = {"data": DataConfig, "augment": AugmentConfig, "model": ModelConfig, "training": TrainingConfig}
    return Experiment(**{name: kinds[name](**value) if name in kinds else value for name, value in settings.items()})


if __name__ == "__main__":
    main()
