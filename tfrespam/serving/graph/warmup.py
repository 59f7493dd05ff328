"""Write the warm-up requests of TensorFlow Serving, which it runs before a model is available.

Without them the first request of each signature and batch size waits until TensorFlow has optimised the graph. Format:
tensorflow/serving, g3doc/saved_model_warmup.md: a TFRecord file of PredictionLog in assets.extra/.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrespam.data.geometry.crop import Size, sides
from tfrespam.serving.graph.signatures import signatures

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
BATCH_SIZES = (1, 2, 4, 8)  # allowed_batch_sizes of serving/batching.config
LONGEST = 128  # largest side in pixels except for films: 15 arrays of 512 x 288 pixels would take 9 MB
FILMS = (1,)  # the graph processes films one by one, so larger batches optimise nothing


def write_warmup(folder: Path, image_size: Size, channels: int = 1) -> None:
    """Write one PredictionLog for every signature and batch size (films: only 1) into the folder of a SavedModel.

    Args:
        folder: The version's folder.
        image_size: Size of the network's input in pixels: side of a square, or height and width.
        channels: Number of images in its input.
    """
    import tensorflow as tf

    path = folder / WARMUP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in _logs(_small(sides(image_size)), channels):
            writer.write(log.SerializeToString())


def _small(shape: tuple[int, int]) -> tuple[int, int]:
    """Return a shape of the network's proportions within `LONGEST`; the graph resizes images of other sizes."""
    shrink = -(-max(shape) // LONGEST)
    return shape[0] // shrink, shape[1] // shrink


def _logs(shape: tuple[int, int], channels: int) -> Iterator:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2


    for signature, described in signatures(channels).items():
        for count in FILMS if signature == "predict_film" else BATCH_SIZES:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name in described["inputs"]:
                value = (_encoded(count, *shape, signature == "predict_film") if name.endswith("_bytes")
                         else _images(count, *shape, channels))  # fmt: skip
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictLog(request=request)
            yield prediction_log_pb2.PredictionLog(predict_log=log)


def _images(count: int, height: int, width: int, channels: int) -> np.ndarray:
    return np.stack([np.stack([_disc(height, width)] * channels, axis=-1)] * count)


def _encoded(count: int, height: int, width: int, films: bool = False) -> list[bytes]:
    """Encode images alternately as a 16-bit PNG of twice the height and as a JPEG.

    Films are small strips with few tiles: scans of whole breasts would delay the server by minutes without further
    optimisation of the graph.
    """
    import cv2

    deep_width, flat_width = [max(width // 16, 1)] * 2 if films else (3 * width, width)
    deep = np.rint(_disc(height if films else 2 * height, deep_width) * 255).astype(np.uint16) * 257  # compresses well
    flat = np.rint(_disc(height, flat_width) * 255).astype(np.uint8)
    kinds = [cv2.imencode(".png", deep)[1].tobytes(), cv2.imencode(".jpg", flat)[1].tobytes()]
    return [kinds[number % 2] for number in range(count)]


def _disc(height: int, width: int) -> np.ndarray:
    """Draw a soft bright disc, (height, width) float32 in [0, 1]: not constant, and smaller than noise when encoded."""
    rows, columns = np.linspace(-1, 1, height)[:, np.newaxis], np.linspace(-1, 1, width)
    return np.exp(-2 * (rows**2 + columns**2)).astype(np.float32)
