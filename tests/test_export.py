import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from small_model import SIZE
from small_runs import make_run

from tfrespam.config import Experiment
from tfrespam.core.errors import UserError
from tfrespam.export import export
from tfrespam.serving.inference import saved_model
from tfrespam.training.runs import describe


def test_error_names_missing_or_damaged_files(tmp_path):
    with pytest.raises(UserError, match="with its config.yaml. Received"):
        export(str(tmp_path))
    (tmp_path / "config.yaml").write_text("just text")
    with pytest.raises(UserError, match="must contain an experiment's settings"):
        export(str(tmp_path))
    (tmp_path / "config.yaml").write_text("name: mine\ntraining:\n  epochs: 3\n")
    with pytest.raises(UserError, match="training.select.*cut short"):
        export(str(tmp_path))
    (tmp_path / "config.yaml").write_text("name: mine\ntraining:\n  select: last\n")
    with pytest.raises(UserError, match="neither best.keras nor last.keras"):
        export(str(tmp_path))
    (tmp_path / "best.keras").write_bytes(b"half a file")
    with pytest.raises(UserError, match="best.keras cannot be loaded"):
        export(str(tmp_path))


def test_describe_reads_the_files_written_by_train():

    described = describe(Experiment(name="x", seed=5))
    assert described["experiment"] == "x" and described["seed"] == 5 and described["data"]["image_size"] == 224


def test_help_needs_no_tensorflow():
    code = ("import sys; from tfrespam.export import export; from tfrespam.core.arguments import parse; "
            "parse(export, ['x']); sys.exit('tensorflow' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_only_complete_versions(tmp_path):
    make_run(tmp_path)
    command = [sys.executable, "-m", "tfrespam.export", str(tmp_path)]
    start = time.monotonic()
    subprocess.run(command, check=True, timeout=300)
    whole, draw = time.monotonic() - start, random.Random(0)
    for _ in range(5):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.2, 1.0) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=300)
    experiment = tmp_path / "models" / "mine"
    assert all(name.isdecimal() for name in os.listdir(experiment))
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 1), np.float32)
    versions = [experiment / str(number) for number in saved_model.versions(experiment)]
    answers = [saved_model.load(version).predict_images(images) for version in versions]
    assert len(answers) >= 2
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])
