"""kill -9 at ten random moments of `prepare` and of `train`: the next run ends as one that was never disturbed.

The moments are spread over the time that the undisturbed run took, one in each tenth (fifth). What export leaves is
tested in test_export.py.
"""

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

from tfrespam.data.prepared import Prepared
from tfrespam.serving import saved_model
from tfrespam.train import run_folder

pytestmark = pytest.mark.slow


def complete(command):
    """Runs it to its end; the seconds it took."""
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return time.monotonic() - started


def kill_after(command, seconds):
    """Whether the process had to be killed; its worker processes end as well."""
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
    """One moment in each `count`-th of the seconds `whole`, in random order."""
    draw = random.Random(seed)
    drawn = [(part + draw.random()) / count * whole for part in range(count)]
    draw.shuffle(drawn)
    return drawn


def leftovers(home):
    return [path for path in home.rglob(".*") if path.name != ".lock"] + list(home.rglob("*incomplete*"))


def files(folder):
    """What the files hold: a data set's command is not compared, and of a record not the order of its features."""
    return {path.relative_to(folder): _content(path) for path in folder.rglob("*") if path.is_file()}


def _content(path):
    if path.name == "dataset.json":
        return json.loads(path.read_text()) | {"command": ""}
    if ".tfrecord" not in path.name:
        return path.read_bytes()
    import tensorflow as tf

    records = [tf.train.Example.FromString(record) for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    return [{name: value.SerializeToString() for name, value in record.features.feature.items()} for record in records]


def test_prepare(download, tmp_path):
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
    """What must not depend on kills: weights, history, exported graph, rows and summary."""
    folder = run_folder(experiment)
    with open(folder / "history.csv", newline="") as file:
        history = [{**row, "seconds": ""} for row in csv.DictReader(file)]
    (version,) = Path(experiment.models_dir, "exp").iterdir()
    images = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    summary = json.loads((folder / "summary.json").read_text()) | {"seconds": 0, "command": ""}
    last, best = (keras.saving.load_model(folder / f"{name}.keras", compile=False) for name in ("last", "best"))
    weights = [array.tobytes() for model in (last, best) for array in model.get_weights()]
    rows = [(folder / split / "per_image.csv").read_text() for split in ("validation", "test")]
    assert leftovers(home) == []
    return weights, history, saved_model.load(version).predict_images(images).tobytes(), rows, summary


def test_train(data_dir, tmp_path):
    """Two runs, each killed five times: the first kills hit the training, later ones the export and the judging."""
    def experiment(home):
        return tiny.experiment(tmp_path / home, data_dir, training__epochs=12, training__ema=0.9, augment__noise=0.02)

    def command(home):
        return [sys.executable, tiny.__file__, *tiny.options(experiment(home))]

    whole = complete(command("whole"))
    expected = results(tmp_path / "whole", experiment("whole"))
    killed = 0
    for seed, home in enumerate(("first", "second")):
        epochs = []
        for seconds in sorted(moments(seed, 5, whole)):
            killed += kill_after(command(home), seconds)
            state = run_folder(experiment(home)) / "state" / "state.json"
            epochs.append(len(json.loads(state.read_text())["history"]) if state.exists() else 0)
        complete(command(home))
        print(f"undisturbed {whole:.1f} s; epochs done at each kill: {epochs}")
        assert results(tmp_path / home, experiment(home)) == expected
    assert killed >= 5
