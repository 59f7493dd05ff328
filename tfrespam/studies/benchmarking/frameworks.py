"""Find installed frameworks, and run measurements in a separate process in which they are imported first."""

import importlib.util
from collections.abc import Callable
from typing import Any

from tfrespam.core import runtime
from tfrespam.core.workers import pool


def installed(package: str) -> bool:
    """Return whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def start() -> None:
    """Import PyTorch, if installed, and then TensorFlow: in the other order Triton, a part of PyTorch, crashes."""
    if installed("torch"):
        importlib.import_module("torch._dynamo")
    runtime.start(0)


def in_separate_process(measurement: str, *arguments: Any) -> Any:
    """Run a function of `measurements` in a separate process, which frees the memory of all frameworks at its end."""
    killed = ("the measuring process was killed, most likely because of too little memory. Omit this part with "
              "`parts`, or make `width`, `image_size` or `batch_size` smaller. The results of earlier parts are kept")
    with pool(1, killed) as process:
        return process.submit(_run, measurement, *arguments).result()


def _run(measurement: str, *arguments: Any) -> Any:
    """Call the function in the worker process."""
    start()
    from tfrespam.studies.benchmarking import measurements

    function: Callable = getattr(measurements, measurement)
    return function(*arguments)
