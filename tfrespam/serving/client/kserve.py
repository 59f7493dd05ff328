"""Transport over KServe's Open Inference Protocol (gRPC), for Triton, OpenVINO Model Server, KServe and MLServer.

The stubs are those of `tritonclient`. The protocol has models but no signatures: single images go to the model NAME,
and whole films to NAME_film if it exists.
"""

import contextlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrespam.core.errors import UserError, extra
from tfrespam.serving.client import grpc_channel
from tfrespam.serving.client.call import Call
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.failures import ModelNotFoundError, ServerFaultError, WrongAnswerError

FILM = "_film"
_SIGNATURES = {"image_bytes": "predict_bytes", "image": "serving_default"}  # by the name of the model's input


class KserveTransport:
    """Send requests in the Open Inference Protocol.

    Args:
        address: host:port.
        model: The model's name on the server.
        version: Number of the version, or None.
        secure: Whether to use TLS.
        credentials: Certificates and token.
        keepalive: Seconds without data after which the connection is probed, or None.
        proxy: Address of a proxy, or None.

    Raises:
        UserError: tritonclient is not installed.
    """

    def __init__(self, address: str, model: str, version: int | None, secure: bool = False,
                 credentials: Credentials | None = None, keepalive: float | None = None,
                 proxy: str | None = None):  # fmt: skip
        try:
            from tritonclient.grpc import service_pb2, service_pb2_grpc
        except ImportError as error:
            raise UserError(f"kserve:// needs tritonclient, {extra('kserve')} ({error})") from None
        self._address, self._model = address, model
        self._version = "" if version is None else str(version)
        self._credentials, self._messages = credentials or Credentials(), service_pb2
        self._channel = grpc_channel.channel(address, secure, self._credentials, keepalive, proxy)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._metadata: dict[str, Any] = {}  # by the model's name; it does not change while a model is served

    def predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes],
                call: Call) -> dict[str, np.ndarray | list[bytes]]:  # fmt: skip
        """Return the outputs of the model for `signature`: arrays, or lists of bytes for strings."""
        model = self._model + FILM if signature == "predict_film" else self._model
        request = self._messages.ModelInferRequest(model_name=model, model_version=self._version, id=call.id)
        tensor = request.inputs.add(name=name)
        if isinstance(value, np.ndarray):
            tensor.datatype = "FP32"
            tensor.shape.extend(value.shape)
            request.raw_input_contents.append(value.astype("<f4").tobytes())
        else:
            tensor.datatype = "BYTES"
            tensor.shape.extend([len(value)] + [1] * (self._rank(model, name, call) - 1))
            tensor.contents.bytes_contents.extend(value)
        answer = self._ask(self._stub.ModelInfer, request, call)
        raw = list(answer.raw_output_contents) or [None] * len(answer.outputs)
        if len(raw) != len(answer.outputs):
            raise self._wrong(f"the answer describes {len(answer.outputs)} outputs, but contains data of {len(raw)}")
        return {output.name: self._decoded(output, data, call.limit)
                for output, data in zip(answer.outputs, raw, strict=True)}  # fmt: skip

    def signatures(self, call: Call) -> dict[str, Any]:
        """Return the signatures of tfrespam's graphs that the models NAME and NAME_film correspond to."""
        described = self._described(self._model, call)
        found = {_SIGNATURES[each.name]: described for each in described.inputs if each.name in _SIGNATURES}
        if not found:
            raise self._wrong(f"{self._model!r} takes {[each.name for each in described.inputs]}; expected image_bytes "
                              "or image")  # fmt: skip
        with contextlib.suppress(ModelNotFoundError, ServerFaultError):  # there is no such model
            found["predict_film"] = self._described(self._model + FILM, call)
        return found

    def versions(self, call: Call) -> dict[int, str]:
        """Return AVAILABLE or UNAVAILABLE for each version; 0 is the version of a model without version numbers."""
        described = self._described(self._model, call)
        named = [each for each in described.versions if each.isdecimal() and self._version in ("", each)]
        states = {}
        for each in named or [""]:
            request = self._messages.ModelReadyRequest(name=self._model, version=each)
            ready = self._ask(self._stub.ModelReady, request, call).ready
            states[int(each or 0)] = "AVAILABLE" if ready else "UNAVAILABLE"
        return states

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _described(self, model: str, call: Call):
        if model not in self._metadata:
            request = self._messages.ModelMetadataRequest(name=model, version=self._version)
            self._metadata[model] = self._ask(self._stub.ModelMetadata, request, call)
        return self._metadata[model]

    def _rank(self, model: str, name: str, call: Call) -> int:
        """Return the number of dimensions of an input: batching servers add a dimension for the batch."""
        shapes = [each.shape for each in self._described(model, call).inputs if each.name == name]
        return len(shapes[0]) if shapes else 1

    def _decoded(self, output, raw: bytes | None, limit: int) -> np.ndarray | list[bytes]:
        """Decode a tensor after comparing the number of values with its shape.

        Strings are returned as a list; a tensor with one number an image has one dimension.
        """
        size = math.prod(output.shape)
        try:
            if output.datatype == "BYTES":
                values = _strings(raw) if raw is not None else list(output.contents.bytes_contents)
                if len(values) != size:
                    raise ValueError(f"{len(values)} strings; its shape requires {size}")
                return values
            if output.datatype != "FP32" or not 0 <= 4 * size <= limit:
                raise ValueError(f"{output.datatype} {list(output.shape)[:8]}")
            flat = np.frombuffer(raw, "<f4") if raw is not None else np.array(output.contents.fp32_contents, np.float32)
            return flat.reshape(output.shape if len(output.shape) > 2 else [size])
        except ValueError as error:
            raise self._wrong(f"the answer's {output.name[:40]} cannot be decoded ({error})") from None

    def _ask(self, method, request, call: Call):
        return grpc_channel.ask(method, request, call, self._credentials, self._address)

    def _wrong(self, message: str) -> WrongAnswerError:
        return WrongAnswerError(f"{self._address}: {message}")


def _strings(raw: bytes) -> list[bytes]:
    """Decode the protocol's raw form of BYTES: each string follows its length as a little-endian uint32."""
    found, place = [], 0
    while place < len(raw):
        end = place + 4 + int.from_bytes(raw[place : place + 4], "little")
        if end > len(raw):
            raise ValueError("a string is truncated")
        found.append(raw[place + 4 : end])
        place = end
    return found
