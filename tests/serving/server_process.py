"""The test double of TensorFlow Serving in a separate process, which can be killed and whose memory can be measured."""

import os
import signal
import subprocess
import sys
from pathlib import Path

DOUBLE = Path(__file__).with_name("double.py")


class Server:
    """Serves `folder` from the start; ports are chosen where none are given. `log` gets a line for each call.

    As many gRPC calls at a time are taken as tensorflow_model_server takes on two cores.
    """

    def __init__(self, folder: Path, grpc_port: int = 0, rest_port: int = 0, slow: float = 0.0,
                 log: str | Path = os.devnull, grpc_max_threads: int = 8):  # fmt: skip
        command = [sys.executable, DOUBLE, "--models_dir", folder, "--grpc_port", str(grpc_port), "--rest_port",
                   str(rest_port), "--slow", str(slow), "--log", str(log),
                   "--grpc_max_threads", str(grpc_max_threads)]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        _, grpc_port, rest_port = self._process.stdout.readline().split()
        self.ports = int(grpc_port), int(rest_port)
        self.addresses = {"grpc": f"127.0.0.1:{grpc_port}", "rest": f"http://127.0.0.1:{rest_port}"}

    def memory(self) -> int:
        """Bytes that the process holds in memory."""
        return resident(self._process.pid)

    def kill(self) -> None:
        """Kill the process immediately, like a machine failure."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def resident(pid: int) -> int:
    """Bytes of memory of process `pid`."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
