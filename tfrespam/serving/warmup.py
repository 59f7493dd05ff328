"""The requests with which TensorFlow Serving warms a model up before it answers anybody.

Without them the first request of each signature and batch size waits for TensorFlow to optimise the graph. Format:
tensorflow/serving, g3doc/saved_model_warmup.md: a TFRecord file of PredictionLog in assets.extra/.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
BATCH_SIZES = (1, 2, 4, 8)  # allowed_batch_sizes of serving/batching.config


def write_warmup(folder: Path, image_size: int, channels: int = 1) -> None:
    """Writes one PredictionLog for every signature and batch size into a SavedModel's folder.

    Args:
        folder: The version's folder.
        image_size: Side of the network's input, in pixels.
        channels: Pictures that it takes side by side.
    """
    import tensorflow as tf

    path = folder / WARMUP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in _logs(image_size, channels):
            writer.write(log.SerializeToString())


def _logs(image_size: int, channels: int) -> Iterator:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    from tfrespam.serving.signatures import signatures

    for signature, described in signatures(channels).items():
        for count in BATCH_SIZES:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name in described["inputs"]:
                value = (_encoded(count, image_size, signature == "predict_film") if name.endswith("_bytes")
                         else _images(count, image_size, channels))  # fmt: skip
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictLog(request=request)
            yield prediction_log_pb2.PredictionLog(predict_log=log)


def _images(count: int, image_size: int, channels: int) -> np.ndarray:
    return np.stack([np.stack([_picture(image_size, image_size)] * channels, axis=-1)] * count)


def _encoded(count: int, image_size: int, films: bool = False) -> list[bytes]:
    """By turns a 16-bit PNG that must be resized and a JPEG of the network's own height.

    Films are narrow strips, which few tiles cover: scans of whole breasts would keep the server from answering for
    minutes, and optimise the graph no further.
    """
    import cv2

    deep_width, flat_width = [max(image_size // 16, 1)] * 2 if films else (3 * image_size, image_size)
    deep = np.rint(_picture(2 * image_size, deep_width) * 65535).astype(np.uint16)
    flat = np.rint(_picture(image_size, flat_width) * 255).astype(np.uint8)
    kinds = [cv2.imencode(".png", deep)[1].tobytes(), cv2.imencode(".jpg", flat)[1].tobytes()]
    return [kinds[number % 2] for number in range(count)]


def _picture(height: int, width: int) -> np.ndarray:
    """A soft bright disc, (height, width) float32 in [0, 1]: neither constant nor as large as noise when encoded."""
    rows, columns = np.linspace(-1, 1, height)[:, np.newaxis], np.linspace(-1, 1, width)
    return np.exp(-2 * (rows**2 + columns**2)).astype(np.float32)
