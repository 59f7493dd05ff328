import cv2
import numpy as np
import pytest
import tensorflow as tf
from small_model import SIZE, small_model
from tensorflow_serving.apis import prediction_log_pb2

from tfrespam.serving.graph.signatures import SIGNATURES, export_archive
from tfrespam.serving.graph.warmup import BATCH_SIZES, FILMS, WARMUP, write_warmup


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    export_archive(small_model(), folder, SIZE)
    write_warmup(folder, SIZE)
    return folder


@pytest.fixture(scope="module")
def requests(folder):
    records = tf.data.TFRecordDataset(str(folder / WARMUP)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]


def test_warmup_file_has_the_path_expected_by_tensorflow_serving(folder):
    assert (folder / "assets.extra" / "tf_serving_warmup_requests").is_file()


def test_every_signature_has_requests_of_every_batch_size_and_films_one(requests):
    found = {(request.model_spec.signature_name, tensor.tensor_shape.dim[0].size)
             for request in requests for tensor in request.inputs.values()}  # fmt: skip
    assert found == {(signature, size) for signature in SIGNATURES
                     for size in (FILMS if signature == "predict_film" else BATCH_SIZES)}  # fmt: skip
    assert len(requests) == len(found) <= 1000  # what the server reads at most


def test_every_request_can_be_replayed(folder, requests):
    loaded = tf.saved_model.load(str(folder))
    for request in requests:
        signature = loaded.signatures[request.model_spec.signature_name]
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        (count,) = {len(value) for value in inputs.values()}
        assert {len(value) for value in signature(**inputs).values()} == {count}


def test_encoded_images_alternate_between_png_and_jpeg(requests):
    request = next(r for r in requests if r.model_spec.signature_name == "predict_bytes" and
                   r.inputs["image_bytes"].tensor_shape.dim[0].size == 4)  # fmt: skip
    starts = [bytes(data[:4]) for data in tf.make_ndarray(request.inputs["image_bytes"])]
    assert starts == [b"\x89PNG", b"\xff\xd8\xff\xe0"] * 2


def test_films_are_narrow_strips(requests):
    """A scan of a whole breast takes seconds, and fifteen films took a server minutes: see `warmup._encoded`."""
    films = [film for request in requests if request.model_spec.signature_name == "predict_film"
             for film in tf.make_ndarray(request.inputs["image_bytes"])]  # fmt: skip
    shapes = [cv2.imdecode(np.frombuffer(film, np.uint8), cv2.IMREAD_UNCHANGED).shape for film in films]
    assert len(films) == 1 and all(16 * width <= height <= SIZE for height, width in shapes)


def test_images_are_not_constant(requests):
    images = tf.make_ndarray(requests[0].inputs["image"])
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1 and np.ptp(images) > 0.5


def test_requests_of_a_large_network_are_small(tmp_path):
    write_warmup(tmp_path, (512, 288))
    assert (tmp_path / WARMUP).stat().st_size < 1_000_000
    records = tf.data.TFRecordDataset(str(tmp_path / WARMUP)).as_numpy_iterator()
    request = prediction_log_pb2.PredictionLog.FromString(next(records)).predict_log.request
    assert tf.make_ndarray(request.inputs["image"]).shape == (1, 128, 72, 1)
