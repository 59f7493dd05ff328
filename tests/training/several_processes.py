"""Run tests/helpers/fit_only.py in separate processes, because TensorFlow configures devices once in a process."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import tiny

SCRIPT = Path(__file__).parents[1] / "helpers" / "fit_only.py"


@contextlib.contextmanager
def started(experiment, workers: int = 1):
    """Start the processes of the experiment; kill them at the end (TensorFlow's workers ignore SIGTERM)."""
    cluster = Cluster(experiment, workers)
    try:
        yield cluster
    finally:
        for process in cluster.processes:
            process.kill()
            process.wait()


class Cluster:
    """A cluster of one process per worker on this machine."""

    def __init__(self, experiment, workers: int):
        self.options = tiny.options(experiment)
        self.addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
        self.processes = []
        for index in range(workers):
            self.start(index)

    def start(self, index: int) -> None:
        """Start or restart worker `index`."""
        task = {"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)} if len(self.addresses) > 1 else os.environ
        process = subprocess.Popen([sys.executable, SCRIPT, *self.options], env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)  # fmt: skip
        self.processes[index:index + 1] = [process]

    def finish(self) -> list[str]:
        """Wait for all processes, which must succeed; return their outputs."""
        told = [process.communicate(timeout=300)[0] for process in self.processes]
        for process, text in zip(self.processes, told, strict=True):
            assert process.returncode == 0, text[-4000:]
        return told


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
