"""Exports are written completely or not at all, as numbered versions."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from small_model import SIZE, small_model
from small_runs import SUMMARY

from tfrespam.config import Experiment, ModelConfig
from tfrespam.core.errors import UserError
from tfrespam.models.stored import load_network
from tfrespam.serving.graph.signatures import SIGNATURES
from tfrespam.serving.graph.warmup import WARMUP
from tfrespam.serving.inference import saved_model
from tfrespam.training.runs import describe
from tfrespam.workflows import exporting
from tfrespam.workflows.exporting import export_model

EXPERIMENT = Experiment(name="mine", seed=3, model=ModelConfig("unet", 0.25, {"depth": 4}))


def test_export_writes_the_next_version_with_metadata(model, tmp_path):
    facts = {**describe(EXPERIMENT), "trained_on": {"patients": 5}}
    first = export_model(model, tmp_path, "mine", facts, threshold=0.3)
    assert first == tmp_path / "mine" / "1" and saved_model.locate(tmp_path / "mine") == first
    known = json.loads((first / "metadata.json").read_text())
    assert known["model"] == "unet" and known["width"] == 0.25 and known["options"] == {"depth": 4}
    assert known["data"]["context"] == 1.6 and known["seed"] == 3 and known["trained_on"] == {"patients": 5}
    assert known["image_size"] == SIZE and known["threshold"] == 0.3 and known["keep_aspect"] is False
    assert known["parameters"] == model.count_params() and known["flops"] > 1000
    assert known["name"] == "mine" and known["version"] == 1
    assert known["signatures"] == SIGNATURES and known["input_meaning"]
    assert known["sha256"] == saved_model.fingerprint(first)
    assert {"saved_model.pb", "variables", "assets.extra", "metadata.json", "model_card.md",
            "model.keras"} <= set(os.listdir(first))  # fmt: skip
    for stored, weight in zip(load_network(first / "model.keras").get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(stored, weight)
    assert (first / WARMUP).stat().st_size > 1000
    assert "# Model card: mine, version 1" in (first / "model_card.md").read_text()
    assert known["versions"]["keras"] == keras.__version__ and known["licence"] and "git" in known
    images = np.random.default_rng(0).random((3, SIZE, SIZE, 1), np.float32)
    served = saved_model.load(first).predict_images(images)
    np.testing.assert_allclose(served, model.predict(images, verbose=0), rtol=0, atol=1e-6)


def test_export_keeps_versions_and_removes_files_of_a_killed_export(model, tmp_path, quick):
    (tmp_path / "mine" / "7").mkdir(parents=True)
    (tmp_path / "mine" / "7" / "kept").touch()
    (tmp_path / "mine" / ".8.partial-killed").mkdir()
    assert [export_model(model, tmp_path, "mine", {}).name for _ in range(2)] == ["8", "9"]
    assert sorted(os.listdir(tmp_path / "mine")) == ["7", "8", "9"]
    assert (tmp_path / "mine" / "7" / "kept").exists()


def test_simultaneous_exports_get_different_versions(model, tmp_path, quick):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: export_model(model, tmp_path, "mine", {}), range(8)))
    assert sorted(int(path.name) for path in paths) == list(range(1, 9))
    assert sorted(os.listdir(tmp_path / "mine"), key=int) == [str(number) for number in range(1, 9)]


def test_whole_film_models_keep_the_aspect_ratio(model, tmp_path, quick):
    path = export_model(model, tmp_path, "film", {"data": {"view": "film"}})
    assert json.loads((path / "metadata.json").read_text())["keep_aspect"] is True


def test_weights_that_give_nan_are_not_published(tmp_path):
    broken = small_model()
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    with pytest.raises(UserError, match="Nothing was published: the weights give NaN"):
        export_model(broken, tmp_path, "mine", {})
    assert os.listdir(tmp_path / "mine") == []


def test_a_graph_that_differs_from_the_model_is_not_published(model, tmp_path, monkeypatch):
    from tfrespam.serving.graph.signatures import export_archive

    other = small_model(seed=1)
    monkeypatch.setattr("tfrespam.workflows.exporting.export_archive",
                        lambda _, *rest, **options: export_archive(other, *rest, **options))
    with pytest.raises(UserError, match="differs from the model by .*expected at most 0.0001. Nothing was published"):
        export_model(model, tmp_path, "mine", {})
    assert os.listdir(tmp_path / "mine") == []


def test_only_square_grayscale_inputs_can_be_exported(tmp_path):
    image = keras.Input((16, 24, 1))
    with pytest.raises(UserError, match=r"equal ones but for whole films.*Received: \(None, 16, 24, 1\)"):
        export_model(keras.Model(image, image), tmp_path, "mine", {})


def test_another_format_is_written_to_the_same_version(model, tmp_path, quick, monkeypatch, capsys):
    def convert(_, folder, size, kind):
        (folder / f"model.{kind}").touch()
        return folder / f"model.{kind}", 2.5e-7

    monkeypatch.setattr("tfrespam.workflows.exporting.convert", convert)
    path = export_model(model, tmp_path, "mine", {}, also="onnx")
    assert (path / "model.onnx").exists() and (path / "saved_model.pb").exists()
    assert "model.onnx differs from the SavedModel by at most 2.5e-07" in capsys.readouterr().out


def test_a_format_that_fails_publishes_nothing(model, tmp_path, quick, monkeypatch):
    def fail(*_):
        raise UserError("no kernel")

    monkeypatch.setattr("tfrespam.workflows.exporting.convert", fail)
    with pytest.raises(UserError, match="no kernel"):
        export_model(model, tmp_path, "mine", {}, also="litert")
    assert os.listdir(tmp_path / "mine") == []


def test_scores_can_be_added_after_the_export(model, tmp_path, quick):
    path = export_model(model, tmp_path, "mine", {"model": "unet"})
    assert "has not been evaluated as a whole" in (path / "model_card.md").read_text()
    exporting.record_scores(path, {"validation": SUMMARY})
    known = json.loads((path / "metadata.json").read_text())
    assert known["metrics"]["validation"]["metrics"]["dice"]["image"] == 0.875 and known["model"] == "unet"
    assert "| Dice | 0.875 |" in (path / "model_card.md").read_text()


def test_scores_can_be_recorded_after_an_interruption(model, tmp_path, monkeypatch):
    """A graph without its new metadata would count as damaged, for this call and all later ones."""
    path = export_model(model, tmp_path, "mine", {"data": {"view": "film", "context": 1.6}})
    found = {"sensitivity": {"fp_0.5": {"score": 0.4, "value": 0.7, "ci95": [0.6, 0.8]}}}
    detection = {"iou_0.1": found, "iou_0.5": found, "n_candidates": 99, "n_lesions": 50,
                 "reliability": {"slope": 0.8, "intercept": -1.5}}  # fmt: skip
    with monkeypatch.context() as interrupted:
        interrupted.setattr(exporting, "_describe", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            exporting.record_scores(path, {"validation": SUMMARY | {"detection": detection}})
    saved_model.load(path)
    exporting.record_scores(path, {"validation": SUMMARY | {"detection": detection}})
    known = saved_model.load(path).metadata
    assert known["sha256"] == saved_model.fingerprint(path) and known["candidates"]["score_slope"] == 0.8
