"""The ways to infer: what cannot be had is said and left out."""

from pathlib import Path

import numpy as np

from tfrespam.benchmarking import paths
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
