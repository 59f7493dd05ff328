"""Provenance of a result: command, versions, machine and state of the source tree."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

_PACKAGES = ("tfrespam", "tensorflow", "keras", "numpy", "scipy", "tensorflow-datasets", "opencv-python-headless",
             "pydicom", "jax", "torch")  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of Python and of every package that results depend on."""
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def command() -> str:
    """Return the command line of this process on one line, quoted so that it can be run again."""
    name = Path(sys.argv[0]).stem
    start = f"python -m tfrespam.{name}" if Path(sys.argv[0]).parent.name == "tfrespam" else shlex.quote(sys.argv[0])
    typed = " ".join([start, *map(shlex.quote, sys.argv[1:])]).replace("\n", "'$'\\n''")
    return os.fsencode(typed).decode("utf-8", "backslashreplace")  # file names need not be UTF-8, records must


def git() -> str:
    """Return the commit of the source tree, with "-dirty" if it has changes; "" outside a checkout."""
    folder = Path(__file__).parent
    try:
        answer = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=folder,
                                capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def cores() -> int:
    """Return the number of processor cores that this process may use; the machine may have more."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return f"{model}, {cores()} cores"
