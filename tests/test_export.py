import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import yaml
from small_model import SIZE, small_model

from tfrespam import export
from tfrespam.config import Experiment
from tfrespam.errors import UserError
from tfrespam.export import export_model
from tfrespam.files import file_hash
from tfrespam.serving import saved_model
from tfrespam.serving.signatures import SIGNATURES
from tfrespam.serving.warmup import WARMUP
from tfrespam.training.runs import describe

CONFIG = {"name": "mine", "seed": 3, "models_dir": "saved_models", "data": {"view": "roi", "context": 1.6},
          "model": {"name": "unet", "width": 0.25, "options": {"depth": 4}},
          "training": {"select": "best"}}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def quick(monkeypatch):
    """Replaces the slow parts, for tests of what happens around them."""
    monkeypatch.setattr("tfrespam.serving.signatures.export_archive", _write_fake)
    monkeypatch.setattr(export, "_check_parity", lambda *_: None)
    monkeypatch.setattr("tfrespam.models.flops.count_flops", lambda _: 1)


def _write_fake(model, path, *_, half):
    (path / "saved_model.pb").touch()


def test_publishes_the_next_version_with_all_that_is_known(model, tmp_path):
    first = export_model(model, tmp_path, "mine", {**describe(CONFIG), "trained_on": {"patients": 5}}, threshold=0.3)
    assert first == tmp_path / "mine" / "1" and saved_model.locate(tmp_path / "mine") == first
    known = json.loads((first / "metadata.json").read_text())
    assert known["model"] == "unet" and known["width"] == 0.25 and known["options"] == {"depth": 4}
    assert known["data"] == CONFIG["data"] and known["seed"] == 3 and known["trained_on"] == {"patients": 5}
    assert known["image_size"] == SIZE and known["threshold"] == 0.3 and known["keep_aspect"] is False
    assert known["parameters"] == model.count_params() and known["flops"] > 1000
    assert known["name"] == "mine" and known["version"] == 1
    assert known["signatures"] == SIGNATURES and known["input_meaning"]
    assert known["sha256"] == saved_model.fingerprint(first)
    assert {"saved_model.pb", "variables", "assets.extra", "metadata.json", "model_card.md"} <= set(os.listdir(first))
    assert (first / WARMUP).stat().st_size > 1000
    assert "# Model card: mine, version 1" in (first / "model_card.md").read_text()
    assert known["versions"]["keras"] == keras.__version__ and known["licence"] and "git" in known
    images = np.random.default_rng(0).random((3, SIZE, SIZE, 1), np.float32)
    served = saved_model.load(first).predict_images(images)
    np.testing.assert_allclose(served, model.predict(images, verbose=0), rtol=0, atol=1e-6)


def test_never_overwrites_and_clears_what_a_killed_export_left(model, tmp_path, quick):
    (tmp_path / "mine" / "7").mkdir(parents=True)
    (tmp_path / "mine" / "7" / "kept").touch()
    (tmp_path / "mine" / ".8.partial-killed").mkdir()
    assert [export_model(model, tmp_path, "mine", {}).name for _ in range(2)] == ["8", "9"]
    assert sorted(os.listdir(tmp_path / "mine")) == ["7", "8", "9"]
    assert (tmp_path / "mine" / "7" / "kept").exists()


def test_exports_at_the_same_time_get_versions_of_their_own(model, tmp_path, quick):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: export_model(model, tmp_path, "mine", {}), range(8)))
    assert sorted(int(path.name) for path in paths) == list(range(1, 9))
    assert sorted(os.listdir(tmp_path / "mine"), key=int) == [str(number) for number in range(1, 9)]


def test_whole_film_models_keep_the_aspect(model, tmp_path, quick):
    path = export_model(model, tmp_path, "film", {"data": {"view": "film"}})
    assert json.loads((path / "metadata.json").read_text())["keep_aspect"] is True


def test_weights_that_give_nan_are_not_published(tmp_path):
    broken = small_model()
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    with pytest.raises(UserError, match="Nothing was published: the weights give NaN"):
        export_model(broken, tmp_path, "mine", {})
    assert os.listdir(tmp_path / "mine") == []


def test_a_graph_that_answers_otherwise_is_not_published(model, tmp_path, monkeypatch):
    from tfrespam.serving.signatures import export_archive

    other = small_model(seed=1)
    monkeypatch.setattr("tfrespam.serving.signatures.export_archive",
                        lambda _, *rest, **options: export_archive(other, *rest, **options))
    with pytest.raises(UserError, match="differs from the model by .*expected at most 0.0001. Nothing was published"):
        export_model(model, tmp_path, "mine", {})
    assert os.listdir(tmp_path / "mine") == []


def test_only_square_grey_inputs_can_be_exported(tmp_path):
    image = keras.Input((16, 24, 1))
    with pytest.raises(UserError, match=r"\(N, S, S, C\).*Received: \(None, 16, 24, 1\)"):
        export_model(keras.Model(image, image), tmp_path, "mine", {})


def test_another_format_lies_in_the_same_version(model, tmp_path, quick, monkeypatch, capsys):
    def convert(_, folder, size, kind):
        (folder / f"model.{kind}").touch()
        return folder / f"model.{kind}", 2.5e-7

    monkeypatch.setattr("tfrespam.serving.formats.convert", convert)
    path = export_model(model, tmp_path, "mine", {}, also="onnx")
    assert (path / "model.onnx").exists() and (path / "saved_model.pb").exists()
    assert "model.onnx differs from the SavedModel by at most 2.5e-07" in capsys.readouterr().out


def test_a_format_that_fails_publishes_nothing(model, tmp_path, quick, monkeypatch):
    def fail(*_):
        raise UserError("no kernel")

    monkeypatch.setattr("tfrespam.serving.formats.convert", fail)
    with pytest.raises(UserError, match="no kernel"):
        export_model(model, tmp_path, "mine", {}, also="litert")
    assert os.listdir(tmp_path / "mine") == []


SUMMARY = {"dataset": "d", "protocol": "folds", "split": "validation", "n_images": 9, "n_patients": 4, "coverage": 0.2,
           "threshold": 0.5, "metrics": {"dice": {"image": 0.875}}, "skill": 0.1, "leak_audit": {"copy": 0},
           "command": "python -m tfrespam.train"}  # fmt: skip


def test_scores_are_added_when_they_are_known(model, tmp_path, quick):
    path = export_model(model, tmp_path, "mine", {"model": "unet"})
    assert "has not been judged as a whole" in (path / "model_card.md").read_text()
    export.record_scores(path, {"validation": SUMMARY})
    known = json.loads((path / "metadata.json").read_text())
    assert known["metrics"]["validation"]["metrics"]["dice"]["image"] == 0.875 and known["model"] == "unet"
    assert "| Dice | 0.875 |" in (path / "model_card.md").read_text()


@pytest.mark.parametrize(("options", "known"), [({}, {"validation"}), ({"threshold": 0.3}, set()),
                                                ({"views": "flips"}, None)])  # fmt: skip
def test_stage_takes_over_the_scores_of_the_same_network_alone(tmp_path, quick, options, known):
    run = make_run(tmp_path)
    (run / "validation").mkdir()
    (run / "validation" / "summary.json").write_text(json.dumps(SUMMARY))
    export.export(str(run), **options)
    metrics = saved_model.read_metadata(tmp_path / "models" / "mine" / "1").get("metrics")
    assert metrics == known if known is None else set(metrics) == known


def make_run(folder, **select):
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "models_dir": str(folder / "models")} | select))
    for seed, name in enumerate(("best", "last")):
        small_model(seed=seed).save(folder / f"{name}.keras")
    return folder


@pytest.mark.parametrize("select", ["best", "last"])
def test_stage_exports_the_weights_that_the_run_selected(tmp_path, select, quick, monkeypatch):
    seen = []
    monkeypatch.setattr("tfrespam.serving.signatures.export_archive",
                        lambda model, path, *_, half: seen.append(model) or _write_fake(model, path, half=half))
    export.export(str(make_run(tmp_path, training={"select": select})))
    expected = small_model(seed=["best", "last"].index(select)).get_weights()
    for weight, other in zip(seen[0].get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, other)
    known = saved_model.read_metadata(tmp_path / "models" / "mine" / "1")
    assert known["weights"] == [file_hash(tmp_path / f"{select}.keras")] and known["model"] == "unet"


def test_stage_averages_runs_and_views_inside_the_graph(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_run(tmp_path / name)
        (tmp_path / name / "facts.json").write_text(json.dumps({"trained_on": {"patient": [name]}, "model": "unet"}))
    small_model(seed=7).save(tmp_path / "b" / "best.keras")
    export.export(str(tmp_path / "a"), str(tmp_path / "b"), models_dir=str(tmp_path / "models"), views="flips")
    exported = saved_model.load(tmp_path / "models" / "mine")
    assert exported.metadata["views"] == "flips" and exported.metadata["trained_on"] == {"patient": ["a", "b"]}
    pictures, expected = np.random.default_rng(0).random((2, SIZE, SIZE, 1), np.float32), 0
    for seed in (0, 7):
        for axes in ((), (1,), (2,), (1, 2)):
            expected = expected + np.flip(small_model(seed=seed)(np.flip(pictures, axes)), axes) / 8
    np.testing.assert_allclose(exported.predict_images(pictures), expected, atol=1e-6)


def test_an_export_is_known_by_its_weights(tmp_path):
    run = make_run(tmp_path)
    assert export.exported_from(run / "best.keras", tmp_path / "models", "mine") is None
    export.export(str(run), views="dihedral")
    assert export.exported_from(run / "best.keras", tmp_path / "models", "mine") is None
    for unlike in ({"threshold": 0.3}, {"weights": "float16"}, {"arithmetic": "float32"}):
        export.export(str(run), **unlike)
        assert export.exported_from(run / "best.keras", tmp_path / "models", "mine") is None
    export.export(str(run))
    export.export(str(run))
    assert export.exported_from(run / "best.keras", tmp_path / "models", "mine") == tmp_path / "models" / "mine" / "5"
    metadata = tmp_path / "models" / "mine" / "5" / "metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"calibration": {"temperature": 2.0}}))
    assert export.exported_from(run / "best.keras", tmp_path / "models", "mine") == tmp_path / "models" / "mine" / "6"
    assert export.exported_from(run / "last.keras", tmp_path / "models", "mine") is None


def test_stage_refuses_a_threshold_that_is_no_probability(tmp_path):
    with pytest.raises(UserError, match="--threshold must be a probability between 0 and 1. Received: 1"):
        export.export(str(make_run(tmp_path)), threshold=1)
    assert not (tmp_path / "models").exists()


def test_stage_names_what_is_missing(tmp_path):
    with pytest.raises(UserError, match="with its config.yaml. Received"):
        export.export(str(tmp_path))
    (tmp_path / "config.yaml").write_text("just text")
    with pytest.raises(UserError, match="must hold an experiment's settings"):
        export.export(str(tmp_path))
    (tmp_path / "config.yaml").write_text("name: mine\ntraining:\n  epochs: 3\n")
    with pytest.raises(UserError, match="training.select.*cut short"):
        export.export(str(tmp_path))
    (tmp_path / "config.yaml").write_text("name: mine\ntraining:\n  select: last\n")
    with pytest.raises(UserError, match="neither best.keras nor last.keras"):
        export.export(str(tmp_path))
    (tmp_path / "best.keras").write_bytes(b"half a file")
    with pytest.raises(UserError, match="best.keras cannot be loaded"):
        export.export(str(tmp_path))


def test_describe_reads_what_train_writes():
    import dataclasses

    described = describe(dataclasses.asdict(Experiment(name="x", seed=5)))
    assert described["experiment"] == "x" and described["seed"] == 5 and described["data"]["image_size"] == 224


def test_help_needs_no_tensorflow():
    code = "import sys; from tfrespam import cli, export; cli.parse(export.export, ['x']); " \
           "sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.slow
def test_kill_at_any_moment_leaves_whole_versions_only(tmp_path):
    make_run(tmp_path)
    command = [sys.executable, "-m", "tfrespam.export", str(tmp_path)]
    start = time.monotonic()
    subprocess.run(command, check=True, timeout=300)
    whole, draw = time.monotonic() - start, random.Random(0)
    for _ in range(10):
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
