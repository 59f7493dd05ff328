from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from tfrespam.serving.client.call import Call
from tfrespam.serving.client.failures import WrongAnswerError
from tfrespam.serving.client.grpc_transport import GrpcTransport

CALL = Call("id1", 2.0, 100)


def transport(label=None, version=None, **methods):
    """Make a transport whose stub has the given methods instead of a connection."""
    made = GrpcTransport("localhost:1", "tfrespam", version, label)
    made._prediction = made._models = SimpleNamespace(**methods)
    return made


def answering(seen, **outputs):
    def predict(request, timeout, metadata):
        seen.append(request)
        answer = predict_pb2.PredictResponse()
        for name, tensor in outputs.items():
            answer.outputs[name].CopyFrom(tensor)
        return answer

    return predict


def test_arrays_and_bytes_keep_their_types():
    seen = []
    predict = answering(seen, area=tf.make_tensor_proto(np.float32([1, 2])), png=tf.make_tensor_proto([b"a", b"b"]))
    found = transport(version=3, Predict=predict).predict("predict_bytes", "image_bytes", [b"x"], CALL)
    np.testing.assert_array_equal(found["area"], [1, 2])
    assert found["png"] == [b"a", b"b"] and seen[0].model_spec.version.value == 3
    assert seen[0].inputs["image_bytes"].string_val == [b"x"]


@pytest.mark.parametrize("tensor", [tf.make_tensor_proto(np.zeros(26, np.float32)),
                                    tf.make_tensor_proto([b"a"], shape=[1])])  # fmt: skip
def test_tensors_that_contradict_their_shape_are_rejected(tensor):
    if tensor.string_val:
        tensor.tensor_shape.dim[0].size = 2
    with pytest.raises(WrongAnswerError, match="cannot be decoded"):
        transport(Predict=answering([], png=tensor)).predict("predict_bytes", "image_bytes", [b"x"], CALL)


def test_states_of_versions_are_names():
    answer = get_model_status_pb2.GetModelStatusResponse()
    answer.model_version_status.add(version=3, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    found = transport(GetModelStatus=lambda request, timeout, metadata: answer).versions(CALL)
    assert found == {3: "AVAILABLE"}


def test_a_server_without_signatures_is_a_wrong_answer():
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    with pytest.raises(WrongAnswerError, match="signatures"):
        transport(GetModelMetadata=lambda request, timeout, metadata: answer).signatures(CALL)
