"""Transport over TensorFlow Serving's gRPC API, with the official stubs of `tensorflow-serving-api`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrespam.core import runtime
from tfrespam.serving.client import grpc_channel
from tfrespam.serving.client.call import Call
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.failures import WrongAnswerError


class GrpcTransport:
    """Send requests to TensorFlow Serving over gRPC.

    Args:
        address: host:port.
        model: The model's name on the server.
        version: Number of the version, or None.
        label: Label of the version, or None.
        secure: Whether to use TLS.
        credentials: Certificates and token.
        keepalive: Seconds without data after which the connection is probed, or None.
        proxy: Address of a proxy, or None.
    """

    def __init__(self, address: str, model: str, version: int | None, label: str | None, secure: bool = False,
                 credentials: Credentials | None = None, keepalive: float | None = None,
                 proxy: str | None = None):  # fmt: skip
        runtime.load_tensorflow()
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self._address, self._model, self._version, self._label = address, model, version, label
        self._credentials = credentials or Credentials()
        self._channel = grpc_channel.channel(address, secure, self._credentials, keepalive, proxy)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes],
                call: Call) -> dict[str, np.ndarray | list[bytes]]:  # fmt: skip
        """Return the outputs of `signature` for its single input `name`: arrays, or lists of bytes for strings."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = signature
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value if isinstance(value, np.ndarray) else list(value)))
        outputs = self._call(self._prediction.Predict, request, call).outputs
        return {key: self._decoded(key, tensor, call.limit) for key, tensor in outputs.items()}

    def signatures(self, call: Call) -> dict[str, Any]:
        """Return the model's signatures by name, with inputs and outputs as the server describes them."""
        from google.protobuf.message import DecodeError
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request.model_spec)
        answer = self._call(self._prediction.GetModelMetadata, request, call)
        found = get_model_metadata_pb2.SignatureDefMap()
        try:
            known = answer.metadata["signature_def"].Unpack(found)
        except DecodeError:
            known = False
        if not known:
            raise WrongAnswerError(f"{self._address}: the answer describes no signatures (not TensorFlow Serving?)")
        return dict(found.signature_def)

    def versions(self, call: Call) -> dict[int, str]:
        """Return the state of each version on the server: START, LOADING, AVAILABLE, UNLOADING or END."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        self._name(request.model_spec)
        answer = self._call(self._models.GetModelStatus, request, call)
        names = get_model_status_pb2.ModelVersionStatus.State.DESCRIPTOR.values_by_number
        return {each.version: names[each.state].name if each.state in names else str(each.state)
                for each in answer.model_version_status}  # fmt: skip

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _name(self, spec) -> None:
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version
        elif self._label:
            spec.version_label = self._label

    def _call(self, method, request, call: Call):
        return grpc_channel.ask(method, request, call, self._credentials, self._address)

    def _decoded(self, name: str, tensor, limit: int) -> np.ndarray | list[bytes]:
        """Decode a tensor after comparing the number of values with its shape; TensorFlow would pad missing values."""
        import tensorflow as tf

        try:
            size = math.prod(each.size for each in tensor.tensor_shape.dim)
            if tensor.dtype != tf.string.as_datatype_enum and size * tf.as_dtype(tensor.dtype).size > limit:
                raise ValueError(f"{size} numbers")
            if tensor.dtype == tf.string.as_datatype_enum and size != len(tensor.string_val):
                raise ValueError(f"{len(tensor.string_val)} strings; its shape requires {size}")
            array = tf.make_ndarray(tensor)
        except (TypeError, ValueError) as error:
            raise WrongAnswerError(f"{self._address}: the answer's {name} cannot be decoded ({error})") from None
        return list(array) if array.dtype == object else array
