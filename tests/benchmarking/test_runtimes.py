"""Runtimes for inference: unsupported ones are reported and skipped."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tfrespam.config import DataConfig, Experiment, ModelConfig
from tfrespam.core.errors import UserError
from tfrespam.serving.graph import formats
from tfrespam.studies.benchmarking import runtimes


def test_unsupported_runtimes_are_skipped(monkeypatch, capsys):
    def write(model, folder, image_size, kind):
        if kind == "onnx":
            raise UserError("too large")
        return None, lambda images: images + 1

    monkeypatch.setattr(formats, "write", write)
    monkeypatch.setattr(runtimes, "installed", lambda package: True)
    calls = runtimes._converted(None, np.zeros((1, 8, 8, 1)), Path())
    assert list(calls) == ["OpenVINO"] and calls["OpenVINO"]().max() == 1
    assert "ONNX Runtime is skipped: too large" in capsys.readouterr().out


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_compiled_networks_have_the_requested_precision(precision):
    experiment = Experiment(data=DataConfig(image_size=32), model=ModelConfig("unet", 0.03125))
    network = runtimes.compiled(experiment, precision)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions[0].dtype_policy.name == precision and network.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
