"""Open Inference Protocol, against a test double on tritonclient's servicer class and against a real Triton.

TFRESPAM_PYTRITON names a Python in whose environment nvidia-pytriton and TensorFlow are installed; without it the tests
on Triton are skipped.
"""

import os
import subprocess
import time
from concurrent import futures
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from double import Models, RefusalError

from tfrespam import serving
from tfrespam.core.errors import UserError
from tfrespam.predict import predict
from tfrespam.serving.client.client import Client, newest_version
from tfrespam.serving.inference import saved_model

pytest.importorskip("tritonclient.grpc", reason="the extra [kserve] is not installed")
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402

SERVE = Path(__file__).parents[2] / "serving" / "pytriton_server.py"


class InferenceDouble(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Test double that serves signatures of an export as models; `raw` selects the protocol's output format."""

    def __init__(self, models: Models, served: dict[str, str], raw: bool = True, spoil=lambda answer: None):
        self._models, self._served, self._raw, self._spoil = models, served, raw, spoil
        self.ids = []

    def ModelMetadata(self, request, context):  # noqa: N802
        if request.name not in self._served:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        answer = service_pb2.ModelMetadataResponse(name=request.name, versions=["2"], platform="double")
        strings = self._served[request.name] != "serving_default"
        name, kind, shape = ("image_bytes", "BYTES", [-1, 1]) if strings else ("image", "FP32", [-1, -1, -1, 1])
        answer.inputs.add(name=name, datatype=kind, shape=shape)
        return answer

    def ModelReady(self, request, context):  # noqa: N802
        return service_pb2.ModelReadyResponse(ready=request.version == "2")

    def ModelInfer(self, request, context):  # noqa: N802
        import tensorflow as tf

        self.ids.append(request.id)
        (tensor,) = request.inputs
        if tensor.datatype == "BYTES":
            assert list(tensor.shape) == [len(tensor.contents.bytes_contents), 1]
            value = tf.constant(list(tensor.contents.bytes_contents), tf.string)
        else:
            value = tf.constant(np.frombuffer(request.raw_input_contents[0], np.float32).reshape(list(tensor.shape)))
        try:
            outputs = self._models.run(2, self._served[request.model_name], {tensor.name: value})
        except RefusalError as refusal:
            context.abort(grpc.StatusCode[refusal.code], refusal.message)
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="2", id=request.id)
        for name, array in outputs.items():
            self._add(answer, name, array)
        self._spoil(answer)
        return answer

    def _add(self, answer, name, array):
        strings = array.dtype == object
        shape = array.shape if array.ndim > 1 else (len(array), 1)
        output = answer.outputs.add(name=name, datatype="BYTES" if strings else "FP32", shape=shape)
        if self._raw:
            data = b"".join(len(each).to_bytes(4, "little") + each for each in array) if strings else array.tobytes()
            answer.raw_output_contents.append(data)
        elif strings:
            output.contents.bytes_contents.extend(array)
        else:
            output.contents.fp32_contents.extend(array.ravel())


@pytest.fixture
def start(small_export):
    """Start a test double; return its address and servicer."""
    servers = []

    def start(served, **options):
        server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
        double = InferenceDouble(Models(small_export, "tfrespam"), served, **options)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(double, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"kserve://127.0.0.1:{port}", double

    yield start
    for server in servers:
        server.stop(None)


def encode(shape) -> bytes:
    smooth = cv2.GaussianBlur(np.random.default_rng(shape[0]).random(shape).astype(np.float32), (0, 0), 2)
    return cv2.imencode(".png", cv2.normalize(smooth, None, 0, 65535, cv2.NORM_MINMAX).astype(np.uint16))[1].tobytes()


IMAGES = [encode((20, 50)), encode((40, 33))]
WHOLE = {"tfrespam": "predict_bytes", "tfrespam_film": "predict_film"}


@pytest.mark.parametrize("raw", [True, False])
def test_encoded_images_give_the_results_of_the_graph(start, small_export, raw):
    address, double = start(WHOLE, raw=raw)
    local = saved_model.load(small_export)
    with Client(address) as client:
        assert newest_version(client) == 2 and client.takes_films
        assert client.predict_bytes(IMAGES) == local.predict_bytes(IMAGES)
        (served,), (expected,) = client.predict_film(IMAGES[:1]), local.predict_film(IMAGES[:1])
        assert served[:3] == expected[:3] and served.candidates == ()  # listed by the server, and there are none
    assert all(len(each) == 16 for each in double.ids) and len(set(double.ids)) == 2


def test_a_model_with_serving_default_only_is_sent_pixels(start, small_export):
    address, _ = start({"tfrespam": "serving_default"})
    local = saved_model.load(small_export).predict_bytes(IMAGES)
    with Client(address) as client:
        assert set(client.signatures()) == {"serving_default"} and not client.takes_films
        for found, expected in zip(client.predict_bytes(IMAGES), local, strict=True):
            for ours, theirs in zip(found[:2], expected[:2], strict=True):
                images = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) for png in (ours, theirs)]
                np.testing.assert_array_equal(*images)
            assert found.tumour_fraction == pytest.approx(expected.tumour_fraction)
        with pytest.raises(serving.ImageRefusedError) as caught:
            client.predict_bytes([IMAGES[0], b"bad"])
        assert caught.value.positions == (1,)


def test_rejections_have_their_error_type(start):
    address, _ = start({"tfrespam": "predict_bytes"})
    with Client(address, patience=0) as client, pytest.raises(serving.ImageRefusedError) as caught:
        client.predict_bytes([IMAGES[0], b"bad"])
    assert caught.value.positions == (1,)
    with Client(address, model="other", patience=0) as client, pytest.raises(serving.ModelNotFoundError):
        client.predict_bytes(IMAGES)
    with pytest.raises(UserError, match="no labels"):
        Client(address, label="stable")
    with Client("kserve://127.0.0.1:9", patience=0) as client, pytest.raises(serving.ServerUnavailableError):
        client.versions()


def cut_string(answer):
    answer.raw_output_contents[0] = answer.raw_output_contents[0][:-5]


def long_string(answer):
    answer.raw_output_contents[0] = b"\xff\xff\xff\xff" + b"x" * 20


def missing_output(answer):
    del answer.raw_output_contents[1]


def giant_shape(answer):
    for output in answer.outputs:
        if output.datatype == "FP32":
            output.shape[0] = 1 << 40


def other_type(answer):
    for output in answer.outputs:
        output.datatype = "INT8"


def other_name(answer):
    for output in answer.outputs:
        output.name = "scores"


@pytest.mark.parametrize("spoil", [cut_string, long_string, missing_output, giant_shape, other_type, other_name])
def test_wrong_answers_are_refused(start, spoil):
    address, _ = start({"tfrespam": "predict_bytes"}, spoil=spoil)
    with Client(address, patience=0) as client, pytest.raises(serving.WrongAnswerError):
        client.predict_bytes(IMAGES)


def test_error_without_tritonclient_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tritonclient.grpc", None)
    with pytest.raises(UserError, match=r"pip install '.\[kserve\]'"):
        Client("kserve://host:8001")


@pytest.fixture(scope="module")
def triton(small_export):
    """Address of a real Triton Inference Server with the small export."""
    python = os.environ.get("TFRESPAM_PYTRITON")
    if not python:
        pytest.skip("TFRESPAM_PYTRITON names no Python with nvidia-pytriton and TensorFlow")
    command = [python, SERVE, small_export / "2", "--grpc_port", "18011", "--http_port", "18010", "--metrics_port",
               "18012"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert any(line.strip() == "ready" for line in process.stdout)
    yield "kserve://127.0.0.1:18011"
    process.terminate()
    process.wait(60)


def test_triton_gives_the_results_of_the_graph(triton, small_export):
    local = saved_model.load(small_export)
    with Client(triton, patience=5) as client:
        assert newest_version(client) == 1 and client.takes_films
        assert client.predict_bytes(IMAGES) == local.predict_bytes(IMAGES)
        (served,), (expected,) = client.predict_film(IMAGES[:1]), local.predict_film(IMAGES[:1])
        assert served[:3] == expected[:3] and served.candidates == ()  # listed by the server, and there are none
        with pytest.raises(serving.ImageRefusedError) as caught:
            client.predict_bytes([IMAGES[0], b"bad"])
        assert caught.value.positions == (1,)
    with Client(triton, model="other", patience=0) as client, pytest.raises(serving.ModelNotFoundError):
        client.versions()


def test_predict_with_triton_writes_the_same_files_as_a_local_model(triton, small_export, tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(encode((30 + number, 40)))
    files = [str(tmp_path / f"{number}.png") for number in range(6)]
    for name, place in (("local", {"model": str(small_export)}), ("served", {"server": triton})):
        predict(*files, output=str(tmp_path / name), film="never", batch_size=2, **place)
    local, served = ({path.name: path.read_bytes() for path in (tmp_path / name).glob("*")}
                     for name in ("local", "served"))  # fmt: skip
    assert local == served and len(local) == 19


def test_triton_serves_parallel_requests(triton):
    clients = [Client(triton, patience=20) for _ in range(16)]
    started = time.monotonic()
    with futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: clients[number % 16].predict_bytes(IMAGES), range(160)))
    print(f"160 requests of two images in {time.monotonic() - started:.1f} s")
    assert all(answer == answers[0] for answer in answers)
