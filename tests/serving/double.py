"""Test double of TensorFlow Serving for tests of the client.

It answers as the published interfaces say: the gRPC services PredictionService and ModelService (through the official
servicer classes), and the REST API (g3doc/api_rest.md) on a second port. Behind both is the exported graph, loaded by
TensorFlow's own loader. As strict as tensorflow_model_server 2.20, as far as that was seen: it takes 4 x cores gRPC
calls at a time (--grpc_max_threads) and answers the rest "Server Threadpool Exhausted", and a missing signature has
another status on each interface. What it cannot show is how the real server batches, loads and fails.

    python double.py --models_dir DIR --model NAME [--grpc_port N] [--rest_port N] [--slow SECONDS]
        [--grpc_max_threads N] [--log FILE]

prints one line, "ready GRPC_PORT REST_PORT", and serves on the loopback interface until it is ended.
"""

import argparse
import base64
import json
import os
import re
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

MAX_THREADS = 4 * (os.cpu_count() or 1)  # gRPC calls at a time: main.cc, grpc_max_threads
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
HTTP = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504, "INTERNAL": 500,
        "RESOURCE_EXHAUSTED": 429, "UNIMPLEMENTED": 501, "FAILED_PRECONDITION": 400,
        "UNAUTHENTICATED": 401}  # fmt: skip
ROUTE = re.compile(r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<rest>.*)")


class RefusalError(Exception):
    """A gRPC status with its message."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class Models:
    """Versions of one model, shared by the gRPC and REST interfaces.

    `refuse`, a list of (code, message), is used up one a call before anything is answered; `slow` seconds pass before
    every answer.
    """

    def __init__(self, folder: Path, name: str, labels: dict[str, int] | None = None, slow: float = 0.0):
        self.name, self.labels, self.slow = name, labels or {}, slow
        self.refuse: list[tuple[str, str]] = []
        self.calls = 0
        self.requests: list[dict[str, str]] = []  # what came with each: x-request-id, authorization
        self._lock = threading.Lock()
        self.loaded = {int(path.name): tf.saved_model.load(str(path)) for path in folder.iterdir()
                       if path.name.isdecimal()}  # fmt: skip

    def pick(self, name: str, version: int | None, label: str | None) -> int:
        if name != self.name:
            raise RefusalError("NOT_FOUND", f"Servable not found for request: Latest({name})")
        if label:
            if label not in self.labels:
                raise RefusalError("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
            version = self.labels[label]
        version = max(self.loaded) if version is None else version
        if version not in self.loaded:
            raise RefusalError("NOT_FOUND", f"Servable not found for request: Specific({name}, {version})")
        return version

    def run(self, version: int, signature: str, inputs: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
        with self._lock:
            self.calls += 1
            refusal = self.refuse.pop(0) if self.refuse else None
        if refusal:
            raise RefusalError(*refusal)
        time.sleep(self.slow)
        function = self.signature(version, signature)
        expected = set(function.structured_input_signature[1])
        if set(inputs) != expected:
            raise RefusalError("INVALID_ARGUMENT", f"input keys {sorted(inputs)} are not {sorted(expected)}")
        try:
            return {name: value.numpy() for name, value in function(**inputs).items()}
        except tf.errors.OpError as error:
            code = type(error).__name__.removesuffix("Error")
            raise RefusalError(re.sub("(?<!^)(?=[A-Z])", "_", code).upper(), error.message) from None

    def signature(self, version: int, name: str):
        signatures = self.loaded[version].signatures
        name = name or "serving_default"
        if name not in signatures:
            raise RefusalError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        return signatures[name]

    def statuses(self, version: int | None) -> get_model_status_pb2.GetModelStatusResponse:
        answer = get_model_status_pb2.GetModelStatusResponse()
        for number in sorted(self.loaded, reverse=True):
            if version in (None, number):
                status = answer.model_version_status.add(version=number, state="AVAILABLE")
                status.status.error_code = 0
        return answer

    def metadata(self, version: int) -> get_model_metadata_pb2.GetModelMetadataResponse:
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name = self.name
        answer.model_spec.version.value = version
        described = get_model_metadata_pb2.SignatureDefMap()
        for name, function in self.loaded[version].signatures.items():
            definition = described.signature_def[name]
            for key, spec in function.structured_input_signature[1].items():
                _describe(definition.inputs[key], spec)
            for key, spec in function.structured_outputs.items():
                _describe(definition.outputs[key], spec)
            definition.method_name = "tensorflow/serving/predict"
        answer.metadata["signature_def"].Pack(described)
        return answer


def _describe(info, spec) -> None:
    info.name = spec.name or ""
    info.dtype = spec.dtype.as_datatype_enum
    info.tensor_shape.CopyFrom(spec.shape.as_proto())


def _asked(spec) -> tuple[str, int | None, str | None]:
    choice = spec.WhichOneof("version_choice")
    version = spec.version.value if choice == "version" else None
    return spec.name, version, spec.version_label if choice == "version_label" else None


class Threads(grpc.ServerInterceptor):
    """Thread pool that rejects calls while all threads are busy, as TensorFlow Serving does."""

    def __init__(self, models: Models, most: int):
        self._models, self._most, self._lock = models, most, threading.Lock()
        self.refused = self._taken = 0

    def intercept_service(self, continuation, details):
        self._models.requests.append(dict(details.invocation_metadata))
        handler = continuation(details)
        return handler and grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answered(handler.unary_unary, request, context),
            handler.request_deserializer, handler.response_serializer)  # fmt: skip

    def _answered(self, answer, request, context):
        with self._lock:
            full = self._taken >= self._most
            self._taken += not full
            self.refused += full
        if full:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        try:
            return answer(request, context)
        finally:
            with self._lock:
                self._taken -= 1


class PredictionDouble(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Test double: Predict and GetModelMetadata."""

    def __init__(self, models: Models):
        self._models = models

    def Predict(self, request, context):  # noqa: N802
        try:
            version = self._models.pick(*_asked(request.model_spec))
            inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
            outputs = self._models.run(version, request.model_spec.signature_name, inputs)
        except RefusalError as refusal:
            context.abort(grpc.StatusCode[refusal.code], refusal.message)
        answer = predict_pb2.PredictResponse()
        answer.model_spec.CopyFrom(request.model_spec)
        answer.model_spec.version.value = version
        for name, value in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer

    def GetModelMetadata(self, request, context):  # noqa: N802
        try:
            return self._models.metadata(self._models.pick(*_asked(request.model_spec)))
        except RefusalError as refusal:
            return context.abort(grpc.StatusCode[refusal.code], refusal.message)


class ModelDouble(model_service_pb2_grpc.ModelServiceServicer):
    """Test double: GetModelStatus."""

    def __init__(self, models: Models):
        self._models = models

    def GetModelStatus(self, request, context):  # noqa: N802
        name, version, label = _asked(request.model_spec)
        try:
            picked = self._models.pick(name, version, label)
        except RefusalError as refusal:
            return context.abort(grpc.StatusCode[refusal.code], refusal.message)
        return self._models.statuses(picked if version is not None or label else None)


class HttpDouble(BaseHTTPRequestHandler):
    """Test double of the REST interface; `models` is set on a subclass."""

    models: Models
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        self._reply(lambda asked: self._status_or_metadata(*asked))

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._reply(lambda asked: self._predict(*asked, body))

    def log_message(self, *_):
        pass

    def _reply(self, answer) -> None:
        self.models.requests.append({name.lower(): value for name, value in self.headers.items()})
        try:
            found = ROUTE.fullmatch(self.path)
            if not found:
                raise RefusalError("INVALID_ARGUMENT", f"Malformed request: {self.command} {self.path}")
            version = int(found["version"]) if found["version"] else None
            status, content = 200, answer((found["name"], version, found["label"], found["rest"]))
        except RefusalError as refusal:
            status, content = HTTP.get(refusal.code, 500), {"error": refusal.message}
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _status_or_metadata(self, name, version, label, rest) -> dict:
        picked = self.models.pick(name, version, label)
        if rest == "/metadata":
            return json_format.MessageToDict(self.models.metadata(picked), preserving_proto_field_name=True)
        if rest:
            raise RefusalError("INVALID_ARGUMENT", f"Malformed request: GET {self.path}")
        statuses = self.models.statuses(picked if version is not None or label else None)
        return json_format.MessageToDict(statuses, preserving_proto_field_name=True,
                                         always_print_fields_with_no_presence=True)  # fmt: skip

    def _predict(self, name, version, label, rest, body: bytes) -> dict:
        if rest != ":predict":
            raise RefusalError("INVALID_ARGUMENT", f"Malformed request: POST {self.path}")
        picked = self.models.pick(name, version, label)
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise RefusalError("INVALID_ARGUMENT", f"JSON Parse error: {error}") from None
        if not isinstance(asked, dict) or ("instances" in asked) == ("inputs" in asked):
            raise RefusalError("INVALID_ARGUMENT", "Request must have 'instances' or 'inputs', and not both")
        signature = asked.get("signature_name", "serving_default")
        if signature not in self.models.loaded[picked].signatures:  # GetInfoMap: not the words of the gRPC side
            raise RefusalError("INVALID_ARGUMENT", f'Serving signature name: "{signature}" not found in signature def')
        specs = self.models.signature(picked, signature).structured_input_signature[1]
        rows = "instances" in asked
        columns = _columns(asked["instances"], specs) if rows else _single(asked["inputs"], specs)
        inputs = {key: _tensor(value, specs[key]) for key, value in columns.items() if key in specs}
        if set(columns) != set(specs):
            raise RefusalError("INVALID_ARGUMENT", f"Missing or unknown inputs: {sorted(set(columns) ^ set(specs))}")
        outputs = {key: _plain(key, value) for key, value in self.models.run(picked, signature, inputs).items()}
        return {"predictions": _as_rows(outputs)} if rows else {"outputs": _alone(outputs)}


def _columns(instances, specs: dict) -> dict:
    """Row format: a list of values of the one input, or of objects with all inputs by name."""
    if not isinstance(instances, list) or not instances:
        raise RefusalError("INVALID_ARGUMENT", "instances must be a list and not empty")
    if all(isinstance(row, dict) and set(row) != {"b64"} for row in instances):
        return {key: [row.get(key) for row in instances] for key in instances[0]}
    return _single(instances, specs)


def _single(value, specs: dict) -> dict:
    if isinstance(value, dict) and set(value) != {"b64"}:
        return value
    if len(specs) != 1:
        raise RefusalError("INVALID_ARGUMENT", "a signature of several inputs needs their names")
    return {next(iter(specs)): value}


def _tensor(value, spec):
    try:
        if spec.dtype == tf.string:
            return tf.constant([_bytes(each) for each in value], tf.string)
        return tf.constant(value, spec.dtype)
    except (TypeError, ValueError) as error:
        raise RefusalError("INVALID_ARGUMENT", f"JSON Value is not of the input's type: {error}") from None


def _bytes(value) -> bytes:
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    if isinstance(value, str):
        return value.encode()
    raise ValueError(f"neither a string nor b64: {type(value).__name__}")


def _plain(name: str, value: np.ndarray):
    if value.dtype != object:
        return value.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(each).decode()} for each in value]
    return [each.decode() for each in value]


def _as_rows(outputs: dict) -> list:
    if len(outputs) == 1:
        return next(iter(outputs.values()))
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]


def _alone(outputs: dict):
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


class Double:
    """Both interfaces, running in this process."""

    def __init__(self, models: Models, grpc_port: int = 0, rest_port: int = 0, grpc_max_threads: int = MAX_THREADS,
                 credentials=None):  # fmt: skip
        self.models, self.threads = models, Threads(models, grpc_max_threads)
        spare = futures.ThreadPoolExecutor(grpc_max_threads + 64)  # those that refuse
        self._grpc = grpc.server(spare, options=UNLIMITED, interceptors=[self.threads])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionDouble(models), self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelDouble(models), self._grpc)
        place = f"127.0.0.1:{grpc_port}"
        self.grpc_port = (self._grpc.add_secure_port(place, credentials) if credentials
                          else self._grpc.add_insecure_port(place))  # fmt: skip
        self._http = ThreadingHTTPServer(("127.0.0.1", rest_port), type("Bound", (HttpDouble,), {"models": models}))
        self.rest_port = self._http.server_address[1]

    def __enter__(self) -> "Double":
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._grpc.stop(grace=None).wait()
        self._http.shutdown()
        self._http.server_close()

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def rest_address(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models_dir", type=Path, required=True)
    parser.add_argument("--model", default="tfrespam")
    parser.add_argument("--grpc_port", type=int, default=0)
    parser.add_argument("--rest_port", type=int, default=0)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--grpc_max_threads", type=int, default=MAX_THREADS)
    parser.add_argument("--log", type=Path, default=os.devnull, help="a line for each call: refused so far, request id")
    options = parser.parse_args()
    models = Models(options.models_dir, options.model, slow=options.slow)
    with (open(options.log, "w", buffering=1) as log,
          Double(models, options.grpc_port, options.rest_port, options.grpc_max_threads) as double):  # fmt: skip
        print("ready", double.grpc_port, double.rest_port, flush=True)
        while not threading.Event().wait(0.2):
            while models.requests:
                log.write(f"{double.threads.refused} {models.requests.pop(0).get('x-request-id', '-')}\n")


if __name__ == "__main__":
    main()
