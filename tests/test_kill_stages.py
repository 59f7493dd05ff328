"""A sample of kill_stages.py, whose full results are in experiments/results/reliability."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(("signal", "stages", "kills"), [("KILL", ("prepare", "evaluate", "predict", "report"), 6),
                                                         ("INT", ("train", "predict"), 6)])  # fmt: skip
def test_killed_stages_lose_no_results(tmp_path, signal, stages, kills):
    script = Path(__file__).parent / "helpers" / "kill_stages.py"
    command = [sys.executable, str(script), "--seed", "1", "--kills", str(kills),
               "--by", signal, "--output", str(tmp_path), "--stages", *stages]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [json.loads(file.read_text()) for file in tmp_path.glob("*.json")]
    assert len(counts) == len(stages) and all(each["kills"] >= 1 and not each["lost"] for each in counts)
    assert all(each["completed_again"] >= 1 for each in counts)
