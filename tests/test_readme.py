"""The Python example of README.md runs as it stands, on the phantom data that `make train` prepares."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tfrespam.config import DataConfig, Experiment
from tfrespam.workflows.training import prepare_data

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_python_example_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    prepare_data(Experiment(data_dir=str(tmp_path / "datasets"), data=DataConfig("phantom", image_size=96)))
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    done = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "saved_models" / "mine" / "1" / "model.keras").is_file()
