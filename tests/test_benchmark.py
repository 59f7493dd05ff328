"""The stage `benchmark`: its clock, its table, its projection, and a whole quick run."""

import importlib.util
import json
import math
import time
from pathlib import Path

import pytest
from rich.console import Console

from tfrespam import benchmark, cli
from tfrespam.benchmarking import table, timing
from tfrespam.errors import UserError

ROOT = Path(__file__).parents[1]


def test_rivals_take_turns():
    calls = []
    found = timing.alternate({"a": lambda: calls.append("a"), "b": lambda: (calls.append("b"), time.sleep(0.002))}, 3)
    assert calls == ["a", "b"] * 5  # two rounds that do not count
    assert found["a"]["median"] < 0.002 <= found["b"]["low"] <= found["b"]["median"] <= found["b"]["high"]
    assert found["a"]["rounds"] == 3


def speed(**medians):
    return {name: {"median": value, "low": value, "high": value} for name, value in medians.items()}


def test_the_ratio_is_to_the_better_of_pytorchs_ways():
    paths = {**speed(TensorFlow=0.2), "PyTorch eager": {"median": 0.4}, "torch.compile": {"median": 0.3}}
    assert table.ratio_to_torch(paths, "TensorFlow") == pytest.approx(1.5)
    assert math.isnan(table.ratio_to_torch(speed(TensorFlow=0.2), "TensorFlow"))


def test_the_table_puts_the_fastest_first():
    results = {"model": {"name": "unet", "width": 0.5, "image_size": 64}, "machine": "m", "sgemm_rate": 1e9,
               "speed": {"training step": {"pictures": 8, "operations": 1e8, "paths": speed(slow=0.4, fast=0.2)}}}
    console = Console(width=150)
    with console.capture() as captured:
        console.print(table.speed_table(results))
    lines = [line for line in captured.get().splitlines() if "training step" in line]
    assert "fast" in lines[0] and "200.0" in lines[0] and "40.0" in lines[0] and "50%" in lines[0]
    assert "slow" in lines[1] and "25%" in lines[1]


def test_the_projection_is_its_arithmetic():
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
    ({"model": "alexnet"}, "must be one of respam_unet"), ({"rounds": 0}, "--rounds must be 1"),
    ({"width": 0.0}, "--model.width must be a number above 0"), ({"image_size": 50}, "must be a multiple of 32"),
])  # fmt: skip
def test_errors_say_what_to_do(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        benchmark.benchmark(output=str(tmp_path), quick=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ds_unet", "cgan", "prior_knowledge_net"])
def test_networks_that_learn_inside_another_model_are_measured(model, tmp_path):
    benchmark.benchmark(model, width=0.0625, image_size=64, batch_size=2, quick=True, output=str(tmp_path),
                        parts=("train", "infer"))  # fmt: skip
    found = json.loads(next(tmp_path.iterdir()).read_text())
    assert found["model"]["parameters"] > 0 and {"training step", "inference, batch 8"} <= found["speed"].keys()


@pytest.mark.slow
def test_bfloat16_is_timed_beside_float32(tmp_path, capsys):
    benchmark.benchmark(width=0.0625, image_size=32, batch_size=2, precision="mixed_bfloat16", quick=True,
                        output=str(tmp_path), parts=("train",))  # fmt: skip
    (file,) = tmp_path.iterdir()
    assert file.name == "benchmark-respam_unet-0.0625-32-mixed_bfloat16.json"
    results = json.loads(file.read_text())
    assert {"TensorFlow", "TensorFlow, float32"} <= set(results["speed"]["training step"]["paths"])
    assert results["model"]["precision"] == "mixed_bfloat16"
    assert "respam_unet, width 0.0625, 32 px, mixed_bfloat16" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["respam_unet", "unet"])
def test_one_command_makes_the_table(tmp_path, model, capsys, monkeypatch):
    monkeypatch.setattr(cli.console, "width", 200)  # no line of the table is wrapped
    benchmark.benchmark(model, width=0.0625, image_size=32, batch_size=2, quick=True, output=str(tmp_path), name="x",
                        parts=("train", "infer", "data") if model == "respam_unet" else ("train",))  # fmt: skip
    results = json.loads((tmp_path / "benchmark-x.json").read_text())
    assert results["sgemm_rate"] > 1e8 and results["bandwidth"] > 1e7 and results["versions"]["tensorflow"]
    step = results["speed"]["training step"]
    assert step["operations"] == 3 * 2 * results["model"]["forward_operations"]
    assert step["paths"]["TensorFlow"]["median"] > 0
    assert ("PyTorch eager" in step["paths"]) == (model == "respam_unet" and bool(importlib.util.find_spec("torch")))
    assert any("Conv2D" in kind for kind in results["profile"])
    told = capsys.readouterr().out
    assert "training step" in told and "sgemm rate" in told and "benchmark-x.json" in told
    if model == "respam_unet":
        assert {"TensorFlow", "TensorFlow, exported"} <= set(results["speed"]["inference, batch 8"]["paths"])
        assert results["other"]["input pipeline, examples/s, all kinds"] > 1
