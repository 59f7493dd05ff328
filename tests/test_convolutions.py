"""experiments/convolutions.py: all implementations give the same numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tfrespam import build_model

FILE = Path(__file__).parents[1] / "experiments" / "convolutions.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("convolutions", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("kernel", "ways"), [(1, 5), (3, 5), (7, 5)])
def test_all_implementations_of_a_convolution_agree(script, kernel, ways):
    shape = script.Shape(9, 7, 3, 5, kernel, 1, 1)
    answers = {name: call().numpy() for name, call in script.ways(shape, 2).items()}
    assert len(answers) == ways
    for name, answer in answers.items():
        expected = answers[name.split(",")[0]]
        np.testing.assert_allclose(answer.reshape(expected.shape), expected, rtol=0, atol=1e-3)


def test_strided_convolutions_are_measured_with_tensorflow_only(script):
    assert list(script.ways(script.Shape(8, 8, 3, 5, 3, 2, 1), 2)) == ["forward", "inputs", "kernels"]


def test_every_convolution_of_the_network_is_measured(script):
    model = build_model("unet", (32, 32, 1), width=0.0625)
    found = script.shapes(model, 2)
    layers = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert sum(found.values()) >= len(layers) > 10
    rows = script.measure(dict(list(found.items())[:2]), 2, 1)
    assert all(row["forward"] > 0 for row in rows) and "fastest" in script.summary(rows)
