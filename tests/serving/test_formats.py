import importlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from small_model import SIZE, small_model

from tfrespam.core.errors import UserError
from tfrespam.serving.graph import formats
from tfrespam.serving.graph.signatures import export_archive
from tfrespam.serving.inference import saved_model

NEEDED = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "ai_edge_litert"}


@pytest.fixture(scope="module")
def model():
    return small_model(side_output=True)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    export_archive(model, folder, SIZE)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "file"), [("onnx", "model.onnx"), ("openvino", "model.xml"),
                                            ("litert", "model.tflite")])  # fmt: skip
def test_other_formats_match_the_saved_model(model, folder, kind, file):
    pytest.importorskip(NEEDED[kind])
    path, difference = formats.convert(model, folder, SIZE, kind)
    assert path == folder / file and path.stat().st_size > 500
    assert 0 < difference < 1e-5


@pytest.mark.parametrize("half", [False, True])
def test_openvino_reads_the_saved_model_itself(model, tmp_path, half):
    openvino = pytest.importorskip("openvino")
    folder = tmp_path
    export_archive(model, folder, SIZE, half=half)
    compiled = openvino.Core().compile_model(str(folder), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in ((SIZE, SIZE), (41, 30)):
        images = np.random.default_rng(0).random((2, *shape, 1), np.float32)
        expected = saved_model.load(folder).predict_images(images)
        answer = compiled({"image": images})["probability"]
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)
        clear = np.abs(expected - 0.5) > 1e-4
        np.testing.assert_array_equal((answer >= 0.5)[clear], (expected >= 0.5)[clear])
        assert 0 < np.mean(answer >= 0.5) < 1


def test_a_format_with_different_results_is_rejected(model, folder, monkeypatch):
    other = folder / "model.onnx"
    monkeypatch.setattr(formats, "_onnx", lambda *_: (other, lambda images: np.full_like(images, np.nan)))
    with pytest.raises(UserError, match="model.onnx differs from the SavedModel by nan; expected at most 0.0001"):
        formats.convert(model, folder, SIZE, "onnx")


def test_error_for_a_missing_converter_names_the_extra(model, folder, monkeypatch):
    monkeypatch.setattr(formats, "_openvino", lambda *_: importlib.import_module("no_such_converter"))
    with pytest.raises(UserError, match=r"`format` openvino needs no_such_converter, .*pip install '.\[formats\]'"):
        formats.convert(model, folder, SIZE, "openvino")


def test_failures_of_a_converter_are_user_errors(model, folder, monkeypatch):
    def fail(*_):
        raise RuntimeError("\nno kernel for Frobnicate\nline 2")

    monkeypatch.setattr(formats, "_litert", fail)
    with pytest.raises(UserError, match="cannot be written as litert .RuntimeError: no kernel for Frobnicate"):
        formats.convert(model, folder, SIZE, "litert")


def test_a_network_too_large_for_tf2onnx_is_rejected_before_conversion(model, folder, monkeypatch):
    psutil = pytest.importorskip("psutil")
    pytest.importorskip("tf2onnx")
    free = formats.ONNX_BYTES * sum(weight.numpy().nbytes for weight in model.weights) - 1
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    with pytest.raises(UserError, match="GiB of memory; 0 GiB are free. Use `format` openvino"):
        formats.convert(model, folder, SIZE, "onnx")


def test_auxiliary_outputs_are_not_exported():
    image = keras.KerasTensor((1, 4, 4, 1))
    assert formats._named({"deep": None, "probability": image}) == {"probability": image}
    assert formats._named(image) == {"probability": image}
