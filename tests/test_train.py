import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tiny
import yaml
from same_bits import RIVAL, SIDES, assert_same_bits, history, slow, weights

from tfrespam.config import Experiment
from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError
from tfrespam.core.locks import alone
from tfrespam.data.loading.prepared import Prepared
from tfrespam.export import export
from tfrespam.models.stored import in_float32
from tfrespam.serving.inference import saved_model
from tfrespam.training.fit import compiled
from tfrespam.training.runs import TrainingRun, run_folder
from tfrespam.workflows import training

pytestmark = pytest.mark.usefixtures("switches")


def test_a_run_writes_all_documented_files(trained):
    experiment, folder = trained
    assert re.fullmatch(r"official-fold0-seed0-[0-9a-f]{8}", folder.name)
    names = {"config.yaml", "history.csv", "best.keras", "last.keras", "state", "tensorboard", "loss_curve.png",
             "validation", "test", "examples", "summary.json", "facts.json", "data.json", ".lock"}  # fmt: skip
    assert set(os.listdir(folder)) == names
    for split in ("validation", "test"):
        assert sorted(os.listdir(folder / split)) == ["calibration.csv", "per_image.csv", "summary.json"]
    assert json.loads((folder / "summary.json").read_text()) == json.loads((folder / "test/summary.json").read_text())
    assert len(history(folder)) == 2 and (folder / "loss_curve.png").stat().st_size > 1000
    seen = 2 * (TrainingRun(experiment).splits["train"].sum() // 3) * 3  # two epochs of whole steps of three
    assert json.loads((folder / "summary.json").read_text())["images_seen"] == seen
    assert os.listdir(f"{experiment.models_dir}/exp") == ["1"]
    assert not list(folder.rglob("*partial*"))


def test_tensorboard_has_scalars_learning_rate_graph_and_images(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def tags(folder):
        events = EventAccumulator(str(trained[1] / "tensorboard" / folder), {"tensors": 0})
        events.Reload()
        return events

    found = tags("train")
    assert {"epoch_loss", "epoch_dice", "epoch_miou", "epoch_learning_rate", "keras"} <= set(found.Tags()["tensors"])
    assert [event.step for event in found.Tensors("epoch_loss")] == [0, 1]
    assert found.SummaryMetadata("keras").plugin_data.plugin_name == "graph_keras_model"
    assert {"epoch_loss", "epoch_dice"} <= set(tags("validation").Tags()["tensors"])
    assert {"epoch_gradient_norm", "epoch_gradient_norm_max"} <= set(found.Tags()["tensors"])
    images = tags("images")
    assert set(images.Tags()["tensors"]) == {
        "cases/easy", "cases/median", "validation_pixels/pr_curves", "calibration/expected_calibration_error",
        "calibration/reliability"}  # fmt: skip
    events = images.Tensors("cases/easy")
    assert [event.step for event in events] == [0, 1]
    width, height, *shown = events[0].tensor_proto.string_val
    assert (int(width), int(height), len(shown)) == (4 * 5 * tiny.SIZE, 5 * tiny.SIZE, 1)
    assert [event.step for event in images.Tensors("validation_pixels/pr_curves")] == [1]
    notes = tags("")
    assert {"config", "data_card", "leak_audit", "provenance", "_hparams_/session_start_info",
            "custom_scalars__config__"} <= set(notes.Tags()["tensors"])  # fmt: skip
    audit = notes.Tensors("leak_audit")[0].tensor_proto.string_val[0].decode()
    assert "| validation | 4 | 0 | 0 | 0 | 0 |" in audit


@pytest.mark.parametrize("name", ["dice", "iou", "miou"])
def test_training_and_evaluation_agree_on_the_validation_scores(trained, name):
    """Keras' metrics with a short last batch (4 cases in batches of 3), and NumPy's of the exported graph."""
    _, folder = trained
    summary = json.loads((folder / "validation" / "summary.json").read_text())
    best = max(history(folder), key=lambda row: row["val_dice"])
    assert summary["n_images"] % 3 == 1
    assert summary["metrics"][name]["image"] == pytest.approx(best[f"val_{name}"], abs=1e-6)


def test_a_finished_experiment_is_not_trained_again(trained, capsys):
    experiment, folder = trained
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    training.train(experiment)
    told = capsys.readouterr().out
    assert "already finished; change a setting, `seed` or `name` to train again" in told
    assert "tfrespam.predict" in told and "tfrespam.evaluate" in told and "tensorboard --logdir" in told
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"} == {
        path: time for path, time in before.items() if path.name != ".lock"}


def test_written_config_reproduces_the_run(trained):
    experiment, folder = trained
    again = Experiment(**parse(Experiment, ["--config", str(folder / "config.yaml")], "x")[1])
    assert again == experiment and run_folder(again) == folder
    head = (folder / "config.yaml").read_text().splitlines()[:2]
    assert all(line.startswith("# ") for line in head) and "cores; git" in head[1]


def test_a_killed_training_is_resumed_by_the_next_process(trained, data_dir, tmp_path, monkeypatch):
    """Up to the last weights; later steps are tested in test_reset.py."""
    monkeypatch.setattr(training, "_publish", lambda *_: None)
    monkeypatch.setattr(training, "_say", lambda *_: None)
    experiment = tiny.experiment(tmp_path, data_dir, **tiny.SHOWN)
    folder = run_folder(experiment)
    process = subprocess.Popen([sys.executable, tiny.__file__, *tiny.options(experiment)], stderr=subprocess.DEVNULL)
    while process.poll() is None and not (folder / "state").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "history.csv").exists() and not (folder / "summary.json").exists()
    training.train(experiment)
    assert_same_bits(weights(folder / "last.keras"), weights(trained[1] / "last.keras"))
    assert history(folder) == history(trained[1])
    assert not list(tmp_path.rglob("*partial*"))


def test_two_processes_do_not_share_a_run(trained):
    experiment, folder = trained
    with alone(folder / ".lock"), pytest.raises(UserError, match="in use by another process.*`name` or `seed`"):
        training.train(experiment)


@pytest.mark.parametrize("settings", [
    {"model__options": {"modules": 3}}, {"model__options": {"expansion": 0}}, {"model__options": {"expansion": -1}},
    {"model__options": {"reduction": "big"}}, {"training__loss": "boundary", "training__loss_options": {"radius": 1.5}},
])  # fmt: skip
def test_options_of_the_wrong_kind_are_refused(data_dir, tmp_path, settings):
    network = {"model__name": "respam_unet", "model__width": 0.03125}
    experiment = tiny.experiment(tmp_path, data_dir, **network, **settings)
    with pytest.raises(UserError, match="Received"):
        compiled(experiment, 3)


@pytest.mark.parametrize("precision", ["float32", slow("mixed_float16"), slow("mixed_bfloat16")])
@pytest.mark.parametrize("settings", [SIDES, RIVAL])
def test_auxiliary_outputs_and_discriminators_are_not_exported(data_dir, tmp_path, prepared, settings, precision):
    """A whole run with auxiliary outputs or a discriminator, whose scores have their usual names."""
    experiment = tiny.experiment(tmp_path, data_dir, **settings, training__precision=precision)
    training.train(experiment)
    folder = run_folder(experiment)
    expected = {"epoch", "loss", "dice", "iou", "miou"}
    expected |= {f"val_{name}" for name in expected - {"epoch"}}
    logged = set(history(folder)[0])
    assert logged - expected == ({"discriminator_loss", "val_discriminator_loss"} if settings is RIVAL else set())
    assert expected <= logged
    exported = saved_model.load(f"{experiment.models_dir}/exp")
    plain = tiny.network((tiny.SIZE, tiny.SIZE, 1))
    assert exported.metadata["parameters"] == plain.count_params()
    best = keras.saving.load_model(folder / "best.keras", compile=False)
    images = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    answer = best.predict(images, verbose=0)
    answer = answer["probability"] if settings is SIDES else answer
    np.testing.assert_allclose(exported.predict_images(images), answer, rtol=0, atol=1e-6)
    assert list((folder / "tensorboard" / "train").iterdir())


def test_an_averaged_half_precision_model_is_exported_unchanged_or_in_float32(data_dir, tmp_path, prepared):
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__ema=0.5, training__select="last",
                                 training__precision="mixed_float16", data__protocol="folds", data__fold=2)  # fmt: skip
    training.train(experiment)
    folder = run_folder(experiment)
    assert folder.name.startswith("folds-fold2-seed0-") and not (folder / "test").exists()
    images = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    last = keras.saving.load_model(folder / "last.keras", compile=False)
    exported = saved_model.load(f"{experiment.models_dir}/exp")
    np.testing.assert_allclose(exported.predict_images(images), last.predict(images, verbose=0), rtol=0, atol=1e-6)
    assert_same_bits(last.get_weights(), weights(folder / "best.keras"))
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["split"] == "validation" and summary["protocol"] == "folds"
    assert summary["leak_audit"] == {"copy": 0, "film": 0, "breast": 0, "patient": 0}

    export(str(folder), name="plain", arithmetic="float32")  # for processors without half-precision units
    plain = saved_model.load(f"{experiment.models_dir}/plain")
    expected = in_float32(last).predict(images, verbose=0)
    np.testing.assert_allclose(plain.predict_images(images), expected, rtol=0, atol=1e-6)
    assert 0 < np.abs(plain.predict_images(images) - exported.predict_images(images)).max() < 0.02
    assert "metrics" not in plain.metadata and exported.metadata["metrics"]


@pytest.mark.slow
def test_paper_protocol_makes_copies_and_reports_leaks(data_dir, tmp_path, prepared):
    home = tmp_path / "datasets"
    shutil.copytree(data_dir / "tiny" / "roi-1.6-32", home / "tiny" / "roi-1.6-32")
    experiment = tiny.experiment(tmp_path, home, training__epochs=1, training__batch_size=32, data__protocol="paper")
    training.train(experiment)
    summary = json.loads((run_folder(experiment) / "summary.json").read_text())
    copies = 13 * int((prepared.table["split"] == "train").sum())
    assert Prepared(home / "tiny" / "roi-1.6-32-x13").facts["examples"] == copies
    assert summary["n_images"] == copies - int(0.8 * copies)
    assert summary["leak_audit"]["copy"] >= summary["n_images"] - 2 and summary["leak_audit"]["patient"] > 0


def test_phantom_data_are_generated_when_missing(download, tmp_path, monkeypatch):
    asked = []

    def write(out, patients):
        asked.append(patients)
        shutil.copytree(download, out)

    monkeypatch.setattr(training, "write_phantom", write)
    experiment = tiny.experiment(tmp_path, tmp_path / "home", data__dataset="phantom")
    for _ in range(2):
        training.prepare_data(experiment)
    first = TrainingRun(experiment).prepared
    assert asked == [training.PHANTOM_PATIENTS] and first.path == tmp_path / "home/phantom/roi-1.6-32"
    assert first.name == "phantom" and set(first.table["source"]) == {"phantom"}


def test_the_settings_of_a_run_can_be_written_as_yaml(tmp_path, data_dir):
    experiment = tiny.experiment(tmp_path, data_dir, data__exclude_films=("a", "b"), model__options={"dropout": 0.1})
    training._write_config(TrainingRun(experiment, tmp_path))
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["data"]["exclude_films"] == ["a", "b"]
    again = Experiment(**parse(Experiment, ["--config", str(tmp_path / "config.yaml")], "x")[1])
    assert again == experiment
