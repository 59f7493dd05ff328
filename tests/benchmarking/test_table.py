import math

import pytest
from rich.console import Console

from tfrespam.studies.benchmarking import table


def speed(**medians):
    return {name: {"median": value, "low": value, "high": value} for name, value in medians.items()}


def test_ratio_is_relative_to_the_faster_pytorch_baseline():
    paths = {**speed(TensorFlow=0.2), "PyTorch eager": {"median": 0.4}, "torch.compile": {"median": 0.3}}
    assert table.ratio_to_torch(paths, "TensorFlow") == pytest.approx(1.5)
    assert math.isnan(table.ratio_to_torch(speed(TensorFlow=0.2), "TensorFlow"))


def test_the_fastest_runtime_comes_first():
    results = {"model": {"name": "unet", "width": 0.5, "image_size": 64}, "machine": "m", "sgemm_rate": 1e9,
               "speed": {"training step": {"pictures": 8, "operations": 1e8, "paths": speed(slow=0.4, fast=0.2)}}}
    console = Console(width=150)
    with console.capture() as captured:
        console.print(table.speed_table(results))
    lines = [line for line in captured.get().splitlines() if "training step" in line]
    assert "fast" in lines[0] and "200.0" in lines[0] and "40.0" in lines[0] and "50%" in lines[0]
    assert "slow" in lines[1] and "25%" in lines[1]
