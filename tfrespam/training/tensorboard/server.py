"""TensorBoard process that `train --tensorboard` starts beside the training."""

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tfrespam.core.errors import UserError

PATIENCE = 120.0  # seconds; on a busy machine TensorBoard takes long to import


@contextlib.contextmanager
def served(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run TensorBoard on `folder`, reachable only from this machine; yield its URL and stop it after the block.

    Args:
        folder: Folder of logs; need not exist yet.
        port: Port; 0 for any free port (default: TensorBoard's choice, 6006 or the next free one).

    Raises:
        UserError: TensorBoard does not start.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "localhost",
               "--reload_interval", "5", *([] if port is None else ["--port", str(port)])]  # fmt: skip
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield _url(process, output)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _url(process: subprocess.Popen, output) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(0.2)
        output.seek(0)
        text = output.read()
        if url := re.search(r"http://\S+", text):
            return url[0]
        if process.poll() is not None:
            break
    reason = text.strip().splitlines()[-1] if text.strip() else f"no answer within {PATIENCE:.0f} s"
    raise UserError(f"TensorBoard did not start ({reason}). Train without `tensorboard`, or start it yourself: "
                    "tensorboard --logdir RUN")
