"""Kill `prepare` and `train` at random moments with kill -9; the next run gives the results of an undisturbed one.

Kills of `export` are tested in test_export.py.
"""

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny

from tfrespam.data.loading.prepared import Prepared
from tfrespam.serving.inference import saved_model
from tfrespam.training.runs import run_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def complete(command):
    """Run the command to its end; return the seconds it took."""
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return time.monotonic() - started


def kill_after(command, seconds):
    """Kill the process after `seconds`; return whether it still ran. Its worker processes must end as well."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 60
    while _group_lives(process.pid):
        assert time.monotonic() < deadline, "workers outlive the process that was killed"
        time.sleep(0.1)
    return True


def _group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def moments(seed, count, whole):
    """Draw one moment in each of `count` equal parts of `whole` seconds, in random order."""
    draw = random.Random(seed)
    drawn = [(part + draw.random()) / count * whole for part in range(count)]
    draw.shuffle(drawn)
    return drawn


def leftovers(home):
    return [path for path in home.rglob(".*") if path.name != ".lock"] + list(home.rglob("*incomplete*"))


def files(folder):
    """Return the contents of the files, without the command of a data set and the order of features in a record."""
    return {path.relative_to(folder): _content(path) for path in folder.rglob("*") if path.is_file()}


def _content(path):
    if path.name == "dataset.json":
        return json.loads(path.read_text()) | {"command": ""}
    if ".tfrecord" not in path.name:
        return path.read_bytes()
    import tensorflow as tf

    records = [tf.train.Example.FromString(record) for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    return [{name: value.SerializeToString() for name, value in record.features.feature.items()} for record in records]


def test_killed_prepare_gives_the_same_data_set_when_repeated(download, tmp_path):
    def command(home):
        return [sys.executable, "-m", "tfrespam.prepare", "--source", str(download), "--data_dir", str(tmp_path / home),
                "--image_size", "32", "--name", "data"]  # fmt: skip

    whole = complete(command("whole"))
    killed = 0
    for seconds in moments(0, 10, whole):
        killed += kill_after(command("killed"), seconds)
        shutil.rmtree(tmp_path / "killed" / "data" / "roi-1.6-32", ignore_errors=True)  # done in less time than before
    print(f"undisturbed {whole:.1f} s; {killed} of 10 killed")
    assert killed >= 5
    complete(command("killed"))
    found, expected = (files(tmp_path / home / "data") for home in ("killed", "whole"))
    assert len(expected) == 7 and set(found) == set(expected)
    for name, content in expected.items():
        assert found[name] == content, name
    assert Prepared(tmp_path / "killed" / "data" / "roi-1.6-32").table["lesion_id"].size
    assert leftovers(tmp_path) == []


def results(home, experiment):
    """Return results that must not depend on kills: weights, history, exported graph, rows and summary."""
    folder = run_folder(experiment)
    with open(folder / "history.csv", newline="") as file:
        history = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    (version,) = Path(experiment.models_dir, "exp").iterdir()
    images = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    summary = json.loads((folder / "summary.json").read_text()) | {"seconds": 0, "command": "", "git": ""}
    last, best = (keras.saving.load_model(folder / f"{name}.keras", compile=False) for name in ("last", "best"))
    weights = [array.tobytes() for model in (last, best) for array in model.get_weights()]
    rows = [(folder / split / "per_image.csv").read_text() for split in ("validation", "test")]
    assert leftovers(home) == []
    return weights, history, saved_model.load(version).predict_images(images).tobytes(), rows, summary


def epochs_done(folder):
    with contextlib.suppress(OSError, ValueError):
        return len(json.loads((folder / "state" / "state.json").read_text())["history"])
    return 0


def kill_when(command, reached, seconds):
    """Kill the process `seconds` after `reached()` is true."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not reached():
        time.sleep(0.002)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def test_killed_training_ends_with_the_same_results_when_repeated(data_dir, tmp_path):
    """Two runs: one is killed five times at random times, the other once in each of five phases."""
    def experiment(home):
        return tiny.experiment(tmp_path / home, data_dir, training__epochs=12, training__ema=0.9, augment__noise=0.02)

    def command(home):
        return [sys.executable, tiny.__file__, *tiny.options(experiment(home))]

    whole = complete(command("whole"))
    expected = results(tmp_path / "whole", experiment("whole"))

    for seconds in sorted(moments(0, 5, whole)):
        kill_after(command("timed"), seconds)
    complete(command("timed"))
    assert results(tmp_path / "timed", experiment("timed")) == expected

    folder, models = run_folder(experiment("parts")), tmp_path / "parts" / "models" / "exp"
    draw, killed = random.Random(1), 0
    for reached in (
        lambda: epochs_done(folder) >= 1,
        lambda: epochs_done(folder) >= 7,
        lambda: (folder / "last.keras").exists(),
        lambda: any(models.glob(".1.partial-*")),  # the export has begun
        lambda: (models / "1").exists(),  # the exported graph is judged
    ):
        killed += kill_when(command("parts"), reached, draw.uniform(0, 0.3))
    assert killed >= 4 and not (folder / "summary.json").exists()
    complete(command("parts"))
    assert results(tmp_path / "parts", experiment("parts")) == expected
