"""Export of the selected weights of one run, or of the average of several."""

import json

import numpy as np
import pytest
from small_model import SIZE, small_model
from small_runs import SUMMARY, _write_fake, make_run

from tfrespam.core.errors import UserError
from tfrespam.core.files import file_hash
from tfrespam.export import export
from tfrespam.serving.inference import saved_model


@pytest.mark.parametrize(("options", "known"), [({}, {"validation"}), ({"threshold": 0.3}, set()),
                                                ({"views": "flips"}, None)])  # fmt: skip
def test_scores_of_the_run_are_copied_only_for_the_same_network(tmp_path, quick, options, known):
    run = make_run(tmp_path)
    (run / "validation").mkdir()
    (run / "validation" / "summary.json").write_text(json.dumps(SUMMARY))
    export(str(run), **options)
    metrics = saved_model.read_metadata(tmp_path / "models" / "mine" / "1").get("metrics")
    assert metrics == known if known is None else set(metrics) == known


def test_scores_on_training_patients_are_not_copied(tmp_path, quick):
    run = make_run(tmp_path, data={"view": "roi", "context": 1.6, "protocol": "all"}, training={"select": "last"})
    for split in ("validation", "test"):
        (run / split).mkdir()
        (run / split / "summary.json").write_text(json.dumps({**SUMMARY, "protocol": "all", "split": split}))
    export(str(run))
    path = tmp_path / "models" / "mine" / "1"
    assert set(saved_model.read_metadata(path)["metrics"]) == {"test"}
    assert "validation" not in (path / "model_card.md").read_text()


@pytest.mark.parametrize("select", ["best", "last"])
def test_export_uses_the_weights_that_the_run_selected(tmp_path, select, quick, monkeypatch):
    seen = []
    monkeypatch.setattr("tfrespam.workflows.exporting.export_archive",
                        lambda model, path, *_, half, **__: seen.append(model) or _write_fake(model, path, half=half))
    export(str(make_run(tmp_path, training={"select": select})))
    expected = small_model(seed=["best", "last"].index(select)).get_weights()
    for weight, other in zip(seen[0].get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, other)
    known = saved_model.read_metadata(tmp_path / "models" / "mine" / "1")
    assert known["weights"] == [file_hash(tmp_path / f"{select}.keras")] and known["model"] == "unet"


def test_export_averages_runs_and_views_inside_the_graph(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_run(tmp_path / name)
        (tmp_path / name / "facts.json").write_text(json.dumps({"trained_on": {"patient": [name]}, "model": "unet"}))
    small_model(seed=7).save(tmp_path / "b" / "best.keras")
    export(str(tmp_path / "a"), str(tmp_path / "b"), models_dir=str(tmp_path / "models"), views="flips")
    exported = saved_model.load(tmp_path / "models" / "mine")
    assert exported.metadata["views"] == "flips" and exported.metadata["trained_on"] == {"patient": ["a", "b"]}
    pictures, expected = np.random.default_rng(0).random((2, SIZE, SIZE, 1), np.float32), 0
    for seed in (0, 7):
        for axes in ((), (1,), (2,), (1, 2)):
            expected = expected + np.flip(small_model(seed=seed)(np.flip(pictures, axes)), axes) / 8
    np.testing.assert_allclose(exported.predict_images(pictures), expected, atol=1e-6)


def test_a_threshold_that_is_not_a_probability_is_rejected(tmp_path):
    with pytest.raises(UserError, match="`threshold` must be a probability between 0 and 1. Received: 1"):
        export(str(make_run(tmp_path)), threshold=1)
    assert not (tmp_path / "models").exists()


def test_scores_of_other_weights_are_not_copied(tmp_path, quick, caplog):
    run = make_run(tmp_path)
    (run / "validation").mkdir()
    (run / "validation" / "summary.json").write_text(json.dumps(SUMMARY))
    (run / "best.keras").unlink()
    with caplog.at_level("WARNING", "tfrespam"):
        export(str(run))
    assert "best.keras is missing: last.keras is exported, without the scores" in caplog.text
    assert "metrics" not in saved_model.read_metadata(tmp_path / "models" / "mine" / "1")


def test_a_crop_network_can_have_a_rule_of_candidates(tmp_path, quick):
    export(str(make_run(tmp_path)), candidates={"least_score": 0.4})
    rule = saved_model.read_metadata(tmp_path / "models" / "mine" / "1")["candidates"]
    assert rule["least_score"] == 0.4 and rule["threshold"] > 0
    assert "listed if the score is at least 0.4" in (tmp_path / "models" / "mine" / "1" / "model_card.md").read_text()


def test_runs_on_different_data_sets_are_not_averaged(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_run(tmp_path / name)
        (tmp_path / name / "data.json").write_text(json.dumps({"index_sha256": name}))
    with pytest.raises(UserError, match="must have the same prepared data set. Received: .*a, .*b"):
        export(str(tmp_path / "a"), str(tmp_path / "b"))
