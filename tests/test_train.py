import csv
import dataclasses
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
import tensorflow as tf
import tiny
import yaml

from tfrespam import cli, runtime, train
from tfrespam.config import Experiment
from tfrespam.data import protocols
from tfrespam.data.prepared import Prepared
from tfrespam.errors import UserError
from tfrespam.export import export
from tfrespam.files import alone
from tfrespam.models.stored import in_float32
from tfrespam.serving import saved_model
from tfrespam.training.fit import compiled, fit
from tfrespam.training.progress import EpochLines

pytestmark = pytest.mark.usefixtures("switches")


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


def weights(path):
    return keras.saving.load_model(path, compile=False).get_weights()


def assert_same_bits(found, expected):
    assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]


def fitted(experiment, prepared, folder):
    """`fit` as the stage calls it."""
    training = experiment.training
    folder.mkdir(exist_ok=True)
    runtime.start(experiment.seed, deterministic=training.deterministic, precision=training.precision)
    parts = protocols.parts(prepared.table, experiment.data.protocol, experiment.data.fold)
    return fit(experiment, prepared, parts, folder)


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


# --- a whole run ---------------------------------------------------------------------------------------------------


def test_a_run_leaves_everything_that_is_promised(trained):
    experiment, folder = trained
    assert re.fullmatch(r"official-fold0-seed0-[0-9a-f]{8}", folder.name)
    names = {"config.yaml", "history.csv", "best.keras", "last.keras", "state", "tensorboard", "loss_curve.png",
             "validation", "test", "examples", "summary.json", "facts.json", "data.json", ".lock"}  # fmt: skip
    assert set(os.listdir(folder)) == names
    for split in ("validation", "test"):
        assert sorted(os.listdir(folder / split)) == ["calibration.csv", "per_image.csv", "summary.json"]
    assert json.loads((folder / "summary.json").read_text()) == json.loads((folder / "test/summary.json").read_text())
    assert len(history(folder)) == 2 and (folder / "loss_curve.png").stat().st_size > 1000
    assert os.listdir(f"{experiment.models_dir}/exp") == ["1"]
    assert not list(folder.rglob("*partial*"))


def test_tensorboard_has_scalars_learning_rate_graph_and_pictures(trained):
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
    pictures = tags("pictures")
    assert set(pictures.Tags()["tensors"]) == {
        "cases/easy", "cases/median", "validation_pixels/pr_curves", "calibration/expected_calibration_error",
        "calibration/reliability"}  # fmt: skip
    events = pictures.Tensors("cases/easy")
    assert [event.step for event in events] == [0, 1]
    width, height, *shown = events[0].tensor_proto.string_val
    assert (int(width), int(height), len(shown)) == (4 * 5 * tiny.SIZE, 5 * tiny.SIZE, 1)
    assert [event.step for event in pictures.Tensors("validation_pixels/pr_curves")] == [1]
    notes = tags("")
    assert {"config", "data_card", "leak_audit", "provenance", "_hparams_/session_start_info",
            "custom_scalars__config__"} <= set(notes.Tags()["tensors"])  # fmt: skip
    audit = notes.Tensors("leak_audit")[0].tensor_proto.string_val[0].decode()
    assert "| validation | 4 | 0 | 0 | 0 | 0 |" in audit


@pytest.mark.parametrize("network", ["tiny", slow("respam_unet")])
def test_what_is_shown_changes_no_weight(prepared, data_dir, tmp_path, network):
    everything = {"training__tensorboard_images": 3, "training__tensorboard_curves": 1,
                  "training__tensorboard_histograms": 1, "training__tensorboard_profile": (1, 2)}  # fmt: skip
    nothing = {"training__tensorboard_images": 0, "training__tensorboard_curves": 0,
               "training__tensorboard_gradients": False}  # fmt: skip
    made = [tiny.experiment(tmp_path, data_dir, model__name=network, model__width=0.03125, training__ema=0.9, **shown)
            for shown in (everything, nothing)]  # fmt: skip
    alike = dataclasses.replace(made[1].training, tensorboard_images=3)
    assert train.run_folder(made[0]) == train.run_folder(dataclasses.replace(made[1], training=alike))
    first, second = (fitted(each, prepared, tmp_path / str(place)) for place, each in enumerate(made))
    assert_same_bits(first.get_weights(), second.get_weights())
    assert list((tmp_path / "0" / "tensorboard").rglob("*.xplane.pb"))


@pytest.mark.parametrize("name", ["dice", "iou", "miou"])
def test_training_and_evaluation_agree_on_the_validation_scores(trained, name):
    """Keras' metrics with a short last batch (4 cases in batches of 3), and NumPy's of the exported graph."""
    _, folder = trained
    summary = json.loads((folder / "validation" / "summary.json").read_text())
    best = max(history(folder), key=lambda row: row["val_dice"])
    assert summary["n_images"] % 3 == 1
    assert summary["metrics"][name]["image"] == pytest.approx(best[f"val_{name}"], abs=1e-6)


def test_what_is_exported_is_what_was_selected(trained, prepared):
    from tfrespam.data import pipeline

    experiment, folder = trained
    (images, _), *_ = pipeline.evaluation(prepared, prepared.table["split"] == "test", batch_size=5).as_numpy_iterator()
    best = keras.saving.load_model(folder / "best.keras", compile=False)
    exported = saved_model.load(f"{experiment.models_dir}/exp")
    np.testing.assert_allclose(exported.predict_images(images), best.predict(images, verbose=0), rtol=0, atol=1e-6)
    trained_on = protocols.identities(prepared.table, protocols.parts(prepared.table, "official")["train"])
    assert exported.metadata["trained_on"] == trained_on
    assert not any(patient in json.dumps(trained_on) for patient in prepared.table["patient_id"])


def test_the_exported_version_tells_its_scores(trained):
    experiment, folder = trained
    path = saved_model.locate(f"{experiment.models_dir}/exp")
    known, summary = json.loads((path / "metadata.json").read_text()), json.loads((folder / "summary.json").read_text())
    assert known["metrics"][summary["split"]]["metrics"] == summary["metrics"]
    assert f"{summary['metrics']['dice']['image']:.3f}" in (path / "model_card.md").read_text()


def test_the_examples_are_judged_pictures_as_the_network_takes_them(trained, prepared):
    from tfrespam.data import pipeline

    judged = prepared.table["split"] == "test"
    stored = [example["image"] for example in pipeline.encoded(prepared, judged).as_numpy_iterator()]
    files = sorted((trained[1] / "examples").iterdir())
    assert [file.name for file in files] == [f"{number:02}.png" for number in range(1, min(len(stored), 12) + 1)]
    assert [file.read_bytes() for file in files] == stored[:12]


def test_a_finished_experiment_is_not_trained_again(trained, capsys):
    experiment, folder = trained
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    train.train(experiment)
    told = capsys.readouterr().out
    assert "done already; change a setting, --seed or --name to train again" in told
    assert "tfrespam.predict" in told and "tfrespam.evaluate" in told and "tensorboard --logdir" in told
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"} == {
        path: time for path, time in before.items() if path.name != ".lock"}


def test_the_written_config_asks_for_the_same_run(trained):
    experiment, folder = trained
    again = Experiment(**cli.parse(Experiment, ["--config", str(folder / "config.yaml")], "x")[1])
    assert again == experiment and train.run_folder(again) == folder
    head = (folder / "config.yaml").read_text().splitlines()[:2]
    assert all(line.startswith("# ") for line in head) and "cores; git" in head[1]


def test_places_do_not_change_the_run_and_everything_else_does(trained):
    experiment, folder = trained
    moved = dataclasses.replace(experiment, data_dir="else", models_dir="where")
    assert train.run_folder(moved) == folder
    for changed in (dataclasses.replace(experiment, seed=1),
                    tiny.experiment(folder.parents[2], experiment.data_dir, augment__noise=0.1)):  # fmt: skip
        assert train.run_folder(changed).parent == folder.parent and train.run_folder(changed) != folder


def test_settings_that_came_later_leave_older_runs_where_they_are():
    """The name was written down before they came."""
    assert train.run_folder(Experiment(data_dir="d")) == train.Path("runs/experiment/official-fold0-seed0-713a777e")
    changed = dataclasses.replace(Experiment().training, side_loss="bce")
    assert train.run_folder(Experiment(training=changed)) != train.run_folder(Experiment())


# --- killed and gone on --------------------------------------------------------------------------------------------


AVERAGED = {"training__ema": 0.9, "training__schedule": "cosine", "training__warmup_epochs": 0.5}
HALF = {"training__ema": 0.9, "training__precision": "mixed_float16", "training__optimizer": "adamw",
        "training__weight_decay": 0.01}  # fmt: skip
SIDES = {"model__options": {"side_outputs": True}, "training__side_weights": (0.5, 0.25),
         "training__side_decay_epochs": 3.0, "training__optimizer": "sgd"}  # fmt: skip
RIVAL = {"model__name": "tiny_rival", "training__ema": 0.9, "training__momentum": 0.5}


@pytest.mark.parametrize("settings", [
    AVERAGED, RIVAL, slow(SIDES), slow({}), slow(HALF), slow({**RIVAL, **HALF}), slow({**SIDES, **AVERAGED}),
])  # fmt: skip
def test_a_run_that_was_stopped_ends_with_the_same_bits(prepared, data_dir, tmp_path, monkeypatch, settings):
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=4, augment__noise=0.02,
                                 training__tensorboard_images=0, **settings)  # fmt: skip
    whole = fitted(experiment, prepared, tmp_path / "whole").get_weights()
    batches = []

    def stop(self, batch, logs=None):
        batches.append(batch)
        if len(batches) == 2 * self.steps + 2:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(EpochLines, "on_train_batch_end", stop)
        with pytest.raises(InterruptedError):
            fitted(experiment, prepared, tmp_path / "cut")
    assert len(history(tmp_path / "cut")) == 2
    assert_same_bits(fitted(experiment, prepared, tmp_path / "cut").get_weights(), whole)
    for cut, uncut in zip(history(tmp_path / "cut"), history(tmp_path / "whole"), strict=True):
        # this one sum has once been seen to differ in its last bit; all else is the same to the bit
        assert cut.pop("val_loss") == pytest.approx(uncut.pop("val_loss"), rel=1e-6)
        assert cut == uncut
    assert_same_bits(weights(tmp_path / "cut" / "best.keras"), weights(tmp_path / "whole" / "best.keras"))
    # killed after the last epoch, before last.keras was written
    assert_same_bits(fitted(experiment, prepared, tmp_path / "cut").get_weights(), whole)


def test_a_killed_process_is_taken_up_by_the_next(trained, data_dir, tmp_path, monkeypatch):
    """Up to the last weights; what comes after them is tested in test_reset.py."""
    monkeypatch.setattr(train, "_publish", lambda *_: None)
    monkeypatch.setattr(train, "_say", lambda *_: None)
    experiment = tiny.experiment(tmp_path, data_dir)
    folder = train.run_folder(experiment)
    process = subprocess.Popen([sys.executable, tiny.__file__, *tiny.options(experiment)], stderr=subprocess.DEVNULL)
    while process.poll() is None and not (folder / "state").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "history.csv").exists() and not (folder / "summary.json").exists()
    train.train(experiment)
    assert_same_bits(weights(folder / "last.keras"), weights(trained[1] / "last.keras"))
    assert history(folder) == history(trained[1])
    assert not list(tmp_path.rglob("*partial*"))


def test_two_processes_do_not_share_a_run(trained):
    experiment, folder = trained
    with alone(folder / ".lock"), pytest.raises(UserError, match="in use by another process.*--name or --seed"):
        train.train(experiment)


def test_a_run_does_not_go_on_with_other_examples(trained, prepared, tmp_path):
    shutil.copytree(prepared.path, tmp_path / "tiny" / prepared.path.name)
    moved = dataclasses.replace(trained[0], data_dir=str(tmp_path))
    train.train(moved)  # the same examples in another place
    with open(tmp_path / "tiny" / prepared.path.name / "index.csv", "a") as index:
        index.write("\n")
    with pytest.raises(UserError, match="no longer those that .* was begun with. Choose another --name"):
        train.train(moved)


# --- switches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {"training__steps_per_execution": 2, "training__clip_norm": 1.0, "training__loss": "dice"},
    slow({"training__precision": "mixed_float16"}),
    slow({"training__precision": "mixed_bfloat16"}),
    slow({"training__jit": "on", "training__deterministic": False}),
    slow({"training__deterministic": False, "training__loss": "bce", "augment__quarter_turns": True}),
])  # fmt: skip
def test_every_switch_trains(prepared, data_dir, tmp_path, settings, capsys):
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__tensorboard_images=0, **settings)
    model = fitted(experiment, prepared, tmp_path / "run")
    assert np.isfinite(model.get_weights()[0]).all() and np.isfinite(history(tmp_path / "run")[0]["val_loss"])
    assert model.output.dtype == "float32" and model.jit_compile == (experiment.training.jit == "on")
    assert "epoch   1/1  loss " in capsys.readouterr().out


def test_joined_steps_must_divide_an_epoch(prepared, data_dir, tmp_path):
    """Keras rounds an epoch up to whole groups of steps, and a run that goes on would not be the same run."""
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__steps_per_execution=1000)
    with pytest.raises(UserError, match="must divide the .* steps of an epoch: 1, .*Received: 1000"):
        fitted(experiment, prepared, tmp_path / "run")


@pytest.mark.parametrize("settings", [
    {"model__options": {"modules": 3}}, {"model__options": {"expansion": 0}}, {"model__options": {"expansion": -1}},
    {"model__options": {"reduction": "big"}}, {"training__loss": "boundary", "training__loss_options": {"radius": 1.5}},
])  # fmt: skip
def test_options_of_the_wrong_kind_are_refused(data_dir, tmp_path, settings):
    network = {"model__name": "respam_unet", "model__width": 0.03125}
    experiment = tiny.experiment(tmp_path, data_dir, **network, **settings)
    with pytest.raises(UserError, match="Received"):
        compiled(experiment, 3)


def test_too_little_memory_is_told(prepared, data_dir, tmp_path, monkeypatch):
    def fails(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[8,64,224,224]")

    monkeypatch.setattr(keras.Model, "fit", fails)
    with pytest.raises(UserError, match="not enough memory for a training step. Make --training.batch_size"):
        fitted(tiny.experiment(tmp_path, data_dir), prepared, tmp_path / "run")


@pytest.mark.parametrize("precision", ["float32", slow("mixed_float16"), slow("mixed_bfloat16")])
@pytest.mark.parametrize("settings", [SIDES, RIVAL])
def test_what_only_helps_training_is_neither_kept_nor_served(data_dir, tmp_path, prepared, settings, precision):
    """Side outputs and a discriminator: a whole run, whose scores have their usual names."""
    experiment = tiny.experiment(tmp_path, data_dir, **settings, training__precision=precision)
    train.train(experiment)
    folder = train.run_folder(experiment)
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


def test_an_averaged_model_in_half_precision_is_exported_as_it_is_or_in_float32(data_dir, tmp_path, prepared):
    experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__ema=0.5, training__select="last",
                                 training__precision="mixed_float16", data__protocol="folds", data__fold=2)  # fmt: skip
    train.train(experiment)
    folder = train.run_folder(experiment)
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
def test_the_paper_protocol_makes_its_copies_and_tells_its_leaks(data_dir, tmp_path, prepared):
    home = tmp_path / "datasets"
    shutil.copytree(data_dir / "tiny" / "roi-1.6-32", home / "tiny" / "roi-1.6-32")
    experiment = tiny.experiment(tmp_path, home, training__epochs=1, training__batch_size=32, data__protocol="paper",
                                 training__tensorboard_images=0)  # fmt: skip
    train.train(experiment)
    summary = json.loads((train.run_folder(experiment) / "summary.json").read_text())
    copies = 13 * int((prepared.table["split"] == "train").sum())
    assert Prepared(home / "tiny" / "roi-1.6-32-x13").facts["examples"] == copies
    assert summary["n_images"] == copies - int(0.8 * copies)
    assert summary["leak_audit"]["copy"] >= summary["n_images"] - 2 and summary["leak_audit"]["patient"] > 0


def test_the_phantom_is_made_when_it_is_missing(download, tmp_path, monkeypatch):
    asked = []

    def write(out, patients):
        asked.append(patients)
        shutil.copytree(download, out)

    monkeypatch.setattr("tfrespam.data.phantom.write_phantom", write)
    experiment = tiny.experiment(tmp_path, tmp_path / "home", data__dataset="phantom")
    first = train.prepared_data(experiment)
    again = train.prepared_data(experiment)
    assert asked == [train.PHANTOM_PATIENTS] and first.path == again.path == tmp_path / "home/phantom/roi-1.6-32"
    assert first.name == "phantom" and set(first.table["source"]) == {"phantom"}


def test_the_settings_of_a_run_can_be_written_as_yaml(tmp_path, data_dir):
    experiment = tiny.experiment(tmp_path, data_dir, data__exclude_films=("a", "b"), model__options={"dropout": 0.1})
    train._write_config(experiment, tmp_path)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["data"]["exclude_films"] == ["a", "b"]
    again = Experiment(**cli.parse(Experiment, ["--config", str(tmp_path / "config.yaml")], "x")[1])
    assert again == experiment
