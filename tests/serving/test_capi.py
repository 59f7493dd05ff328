"""The exported graph through TensorFlow's C API, as in a server without Python."""

import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tfrespam.serving.inference import saved_model

SCRIPT = Path(__file__).with_name("capi_run.py")
RANDOM = np.random.default_rng(0)


def run(folder, signature: str, value: np.ndarray) -> subprocess.CompletedProcess:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    described = saved.meta_graphs[0].signature_def[signature]
    (feed,) = (info.name for info in described.inputs.values())
    fetches = [f"{name}={info.name}" for name, info in described.outputs.items()]
    buffer = io.BytesIO()
    np.savez(buffer, value=value)
    command = [sys.executable, SCRIPT, folder, feed, *fetches]
    return subprocess.run(command, input=buffer.getvalue(), capture_output=True, timeout=120)


def outputs(answer: subprocess.CompletedProcess) -> dict[str, np.ndarray]:
    assert answer.returncode == 0, answer.stderr.decode()[-2000:]
    return dict(np.load(io.BytesIO(answer.stdout), allow_pickle=True))


@pytest.mark.parametrize("shape", [(16, 16), (23, 40)])
def test_probabilities_match_python(small_export, shape):
    images = RANDOM.random((2, *shape, 1), np.float32)
    answer = outputs(run(small_export / "1", "serving_default", images))["probability"]
    expected = saved_model.load(small_export / "1").predict_images(images)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("signature", ["predict_bytes", "predict_film"])
def test_masks_match_python(small_export, signature):
    sizes = [(20, 31), (64, 48)]
    pictures = [cv2.imencode(".png", RANDOM.integers(0, 65536, size).astype(np.uint16))[1].tobytes() for size in sizes]
    answer = outputs(run(small_export / "1", signature, np.array(pictures, object)))
    expected = getattr(saved_model.load(small_export / "1"), signature)(pictures)
    assert list(answer["mask_png_bytes"]) == [each.mask_png for each in expected]
    for served, known in zip(answer["probability_png_bytes"], expected, strict=True):
        served, known = (cv2.imdecode(np.frombuffer(png, np.uint8), -1) for png in (served, known.probability_png))
        assert np.abs(served.astype(int) - known).max() <= 1  # of 65535
    np.testing.assert_allclose(answer["tumour_fraction"], [each.tumour_fraction for each in expected], atol=1e-6)


def test_a_bad_image_is_an_invalid_argument_with_its_position(small_export):
    answer = run(small_export / "1", "predict_bytes", np.array([b"bad"], object))
    assert answer.returncode == 1
    assert "error 3: " in answer.stderr.decode() and "image_bytes[0] not a readable PNG" in answer.stderr.decode()
