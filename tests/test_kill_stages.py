"""A sample of kill_stages.py, whose whole run is in experiments/results/reliability."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(("signal", "stages", "kills"), [("KILL", ("prepare", "evaluate", "predict", "report"), 12),
                                                         ("INT", ("train", "predict"), 12)])  # fmt: skip
def test_kills_lose_nothing(tmp_path, signal, stages, kills):
    command = [sys.executable, str(Path(__file__).with_name("kill_stages.py")), "--seed", "1", "--kills", str(kills),
               "--by", signal, "--output", str(tmp_path), "--stages", *stages]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [json.loads(file.read_text()) for file in tmp_path.glob("*.json")]
    assert len(counts) == len(stages) and all(each["kills"] >= 1 and not each["lost"] for each in counts)
    assert all(each["completed_again"] >= 1 for each in counts)
