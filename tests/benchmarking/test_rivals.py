"""The ways to infer: what cannot be had is said and left out."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tfrespam.benchmarking import paths
from tfrespam.config import DataConfig, Experiment, ModelConfig
from tfrespam.errors import UserError
from tfrespam.serving import formats


def test_a_runtime_that_cannot_have_the_network_is_left_out(monkeypatch, capsys):
    def write(model, folder, image_size, kind):
        if kind == "onnx":
            raise UserError("too large")
        return None, lambda images: images + 1

    monkeypatch.setattr(formats, "write", write)
    monkeypatch.setattr(paths, "installed", lambda package: True)
    calls = paths._converted(None, np.zeros((1, 8, 8, 1)), Path())
    assert list(calls) == ["OpenVINO"] and calls["OpenVINO"]().max() == 1
    assert "ONNX Runtime is left out: too large" in capsys.readouterr().out


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_networks_have_the_precision_that_is_asked_for_and_leave_no_trace(precision):
    experiment = Experiment(data=DataConfig(image_size=32), model=ModelConfig("unet", 0.03125))
    network = paths.compiled(experiment, precision)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions[0].dtype_policy.name == precision and network.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
