"""Stage `benchmark`: timing, tables, projection, and a complete quick run."""

import importlib.util
import json
from pathlib import Path

import pytest

from tfrespam import benchmark
from tfrespam.core.console import console
from tfrespam.core.errors import UserError

ROOT = Path(__file__).parents[1]


def speed(**medians):
    return {name: {"median": value, "low": value, "high": value} for name, value in medians.items()}


def test_projection_matches_a_computation_by_hand():
    specification = importlib.util.spec_from_file_location("projection", ROOT / "experiments" / "projection.py")
    projection = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(projection)
    assert projection.step_seconds(2.0, 10**9, 1, 1e9, 1.0) == 2.0
    assert projection.step_seconds(2.0, 10**9, 4, 1e9, 0.25) == pytest.approx(0.5 + 1.5 * 4)
    model = {"name": "m", "width": 1, "image_size": 32, "batch_size": 8, "parameters": 1000}
    results = {"model": model, "load_before": 0, "machine": "m",
               "speed": {"training step": {"paths": speed(TensorFlow=1.0)}}}
    found = projection.rows(results, examples=960)
    assert [row[0] for row in found] == ["1", "2", "4", "8", "16", "32", "64"]
    assert found[0][1:] == ["2.00"] * 4 and found[1][1:] == ["1.00"] * 4 and found[4][1] == "-"
    assert "A projection, not a measurement" in projection.markdown(results, "file", 960)


@pytest.mark.parametrize(("options", "message"), [
    ({"model": "alexnet"}, "must be one of respam_unet"), ({"rounds": 0}, "`rounds` must be 1"),
    ({"width": 0.0}, "`model.width` must be a number above 0"), ({"image_size": 50}, "must be a multiple of 32"),
])  # fmt: skip
def test_errors_give_advice(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        benchmark.benchmark(output=str(tmp_path), quick=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ds_unet", "cgan", "prior_knowledge_net"])
def test_networks_in_training_wrappers_are_measured(model, tmp_path):
    benchmark.benchmark(model, width=0.0625, image_size=64, batch_size=2, quick=True, output=str(tmp_path),
                        parts=("train", "infer"))  # fmt: skip
    found = json.loads(next(tmp_path.iterdir()).read_text())
    assert found["model"]["parameters"] > 0 and {"training step", "inference, batch 8"} <= found["speed"].keys()


@pytest.mark.slow
def test_bfloat16_and_float32_are_timed(tmp_path, capsys):
    benchmark.benchmark(width=0.0625, image_size=32, batch_size=2, precision="mixed_bfloat16", quick=True,
                        output=str(tmp_path), parts=("train",))  # fmt: skip
    (file,) = tmp_path.iterdir()
    assert file.name == "respam_unet-0.0625-32-mixed_bfloat16.json"
    results = json.loads(file.read_text())
    assert {"TensorFlow", "TensorFlow, float32"} <= set(results["speed"]["training step"]["paths"])
    assert results["model"]["precision"] == "mixed_bfloat16"
    assert "respam_unet, width 0.0625, 32 px, mixed_bfloat16" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["respam_unet", "unet"])
def test_a_quick_run_writes_the_results(tmp_path, model, capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 200)  # no line of the table is wrapped
    benchmark.benchmark(model, width=0.0625, image_size=32, batch_size=2, quick=True, output=str(tmp_path), name="x",
                        parts=("train", "infer", "data") if model == "respam_unet" else ("train",))  # fmt: skip
    results = json.loads((tmp_path / "x.json").read_text())
    assert results["sgemm_rate"] > 1e8 and results["bandwidth"] > 1e7 and results["versions"]["tensorflow"]
    step = results["speed"]["training step"]
    assert step["operations"] == 3 * 2 * results["model"]["forward_operations"]
    assert step["paths"]["TensorFlow"]["median"] > 0
    assert ("PyTorch eager" in step["paths"]) == (model == "respam_unet" and bool(importlib.util.find_spec("torch")))
    assert any("Conv2D" in kind for kind in results["profile"])
    told = capsys.readouterr().out
    assert "training step" in told and "sgemm rate" in told and "x.json" in told
    if model == "respam_unet":
        assert {"TensorFlow", "TensorFlow, exported"} <= set(results["speed"]["inference, batch 8"]["paths"])
        assert results["other"]["input pipeline, examples/s, all kinds"] > 1
