"""Runs of tests/fit_only.py in processes of their own: TensorFlow is given its devices once in a process."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import tiny

SCRIPT = Path(__file__).parents[1] / "fit_only.py"


@contextlib.contextmanager
def started(experiment, workers: int = 1):
    """The experiment's processes; whichever is left is killed in the end (TensorFlow's workers are deaf to SIGTERM)."""
    cluster = Cluster(experiment, workers)
    try:
        yield cluster
    finally:
        for process in cluster.processes:
            process.kill()
            process.wait()


class Cluster:
    """As many processes as workers, which find each other on this machine."""

    def __init__(self, experiment, workers: int):
        self.options = tiny.options(experiment)
        self.addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
        self.processes = []
        for index in range(workers):
            self.start(index)

    def start(self, index: int) -> None:
        """Starts worker `index`, or starts it again."""
        task = {"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)} if len(self.addresses) > 1 else os.environ
        process = subprocess.Popen([sys.executable, SCRIPT, *self.options], env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)  # fmt: skip
        self.processes[index:index + 1] = [process]

    def finish(self) -> list[str]:
        """Waits for all; returns what each has written. All must have succeeded."""
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
