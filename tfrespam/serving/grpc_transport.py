"""TensorFlow Serving's gRPC API, through the official stubs (`tensorflow-serving-api`), which import TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfrespam import runtime
from tfrespam.serving.failures import failure

# A film's probabilities exceed gRPC's usual 4 MiB; a server that returns should be found within seconds. Without a
# pool of its own a new client shares the connection of an older one, and fails unasked while that one waits.
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
           ("grpc.initial_reconnect_backoff_ms", 200), ("grpc.min_reconnect_backoff_ms", 200),
           ("grpc.max_reconnect_backoff_ms", 2000), ("grpc.use_local_subchannel_pool", 1)]  # fmt: skip


class GrpcTransport:
    """Sends requests as protocol buffers.

    Args:
        address: host:port.
        model: The model's name on the server.
        version: Its number, or None.
        label: A version's label, or None.
        secure: Whether to use TLS.
        ca: File with the certificates to trust, or None for those of gRPC.
        certificate: Files with the client's certificate and key, or None.
    """

    def __init__(self, address: str, model: str, version: int | None, label: str | None, secure: bool = False,
                 ca: str | None = None, certificate: tuple[str, str] | None = None):  # fmt: skip
        runtime.load_tensorflow()
        import grpc
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self._address, self._model, self._version, self._label = address, model, version, label
        if secure:
            chain, key = (Path(file).read_bytes() for file in certificate) if certificate else (None, None)
            trusted = Path(ca).read_bytes() if ca else None
            credentials = grpc.ssl_channel_credentials(trusted, key, chain)
            self._channel = grpc.secure_channel(address, credentials, OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address, OPTIONS)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes],
                timeout: float) -> dict[str, np.ndarray | list[bytes]]:  # fmt: skip
        """The outputs of `signature` for its one input: arrays, or bytes where they are strings."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = signature
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value if isinstance(value, np.ndarray) else list(value)))
        outputs = self._call(self._prediction.Predict, request, timeout).outputs
        return {key: _decoded(tf.make_ndarray(tensor)) for key, tensor in outputs.items()}

    def signatures(self, timeout: float) -> dict[str, Any]:
        """Names of the model's signatures, each with its inputs and outputs as the server describes them."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request.model_spec)
        answer = self._call(self._prediction.GetModelMetadata, request, timeout)
        found = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return dict(found.signature_def)

    def versions(self, timeout: float) -> dict[int, str]:
        """State of each version that the server knows: START, LOADING, AVAILABLE, UNLOADING or END."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        self._name(request.model_spec)
        answer = self._call(self._models.GetModelStatus, request, timeout)
        state = get_model_status_pb2.ModelVersionStatus.State
        return {each.version: state.Name(each.state) for each in answer.model_version_status}

    def close(self) -> None:
        """Lets go of the connection."""
        self._channel.close()

    def _name(self, spec) -> None:
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version
        elif self._label:
            spec.version_label = self._label

    def _call(self, method, request, timeout: float):
        import grpc

        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure(error.code().name, error.details() or "", self._address) from None


def _decoded(array: np.ndarray) -> np.ndarray | list[bytes]:
    return list(array) if array.dtype == object else array
