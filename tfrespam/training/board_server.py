"""The TensorBoard process that `train --tensorboard` starts beside the training."""

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tfrespam.errors import UserError

PATIENCE = 120.0  # seconds; on a busy machine TensorBoard takes long to import


@contextlib.contextmanager
def served(folder: Path, port: int | None = None) -> Iterator[str]:
    """TensorBoard on `folder`, for this machine only; yields its URL and ends it with the block.

    Args:
        folder: What it shows; need not exist yet.
        port: 0 takes any free one (default: TensorBoard's choice, 6006 or the next free one).

    Raises:
        UserError: It does not come up.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "localhost",
               "--reload_interval", "5", *([] if port is None else ["--port", str(port)])]  # fmt: skip
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        try:
            yield _url(process, told)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _url(process: subprocess.Popen, told) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(0.2)
        told.seek(0)
        text = told.read()
        if found := re.search(r"http://\S+", text):
            return found[0]
        if process.poll() is not None:
            break
    reason = text.strip().splitlines()[-1] if text.strip() else f"no answer within {PATIENCE:.0f} s"
    raise UserError(f"TensorBoard did not start ({reason}). Train without --tensorboard, or start it by hand: "
                    "tensorboard --logdir RUN")
