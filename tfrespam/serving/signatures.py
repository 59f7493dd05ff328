"""A trained network as a SavedModel that takes pictures as they come and gives masks at their own size."""

import os

import keras
import tensorflow as tf

from tfrespam.serving import codecs
from tfrespam.serving.resize import resize

MAX_PIXELS = 1 << 26  # 67 million; a film digitised at 42 um has about 25 million
SIGNATURES = {
    "serving_default": {
        "inputs": {"image": "float32 [N, H, W, 1], grey values in [0, 1], bright = dense; any H and W"},
        "outputs": {"probability": "float32 [N, H, W, 1] in [0, 1]"},
    },
    "predict_bytes": {
        "inputs": {"image_bytes": "string [N]: PNG (8 or 16 bit) or JPEG, grey or RGB, of any sizes"},
        "outputs": {
            "mask_png_bytes": "string [N]: 8-bit PNG, 255 where probability >= threshold, else 0, at the picture's size",
            "probability_png_bytes": "string [N]: 16-bit PNG of round(65535 probability), at the picture's size",
            "tumour_fraction": "float32 [N]: share of the picture's pixels inside the mask",
        },
    },
}


def export_archive(model: keras.Model, path: str | os.PathLike, image_size: int, threshold: float = 0.5,
                   max_pixels: int = MAX_PIXELS) -> None:  # fmt: skip
    """Writes `model` as a SavedModel with the signatures described in SIGNATURES.

    Everything a caller would otherwise have to repeat is in the graph: decoding, grey values to [0, 1], resizing to
    the network and back. Pictures are stretched to the network's square. A batch with unreadable or too large
    pictures fails with an InvalidArgumentError that lists their positions.

    Args:
        model: Takes (N, image_size, image_size, 1) in [0, 1]; gives (N, image_size, image_size, 1), or a dict with
            that under "probability".
        path: A folder, created or filled.
        image_size: Side of the network's input, in pixels.
        threshold: Probability from which a pixel belongs to the mask.
        max_pixels: Largest picture that `predict_bytes` decodes.
    """
    size = tf.constant([image_size, image_size])

    def network(image):
        output = model(image, training=False)
        return tf.cast(output["probability"] if isinstance(output, dict) else output, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name="image")])
    def serving_default(image):
        return {"probability": resize(network(resize(image, size)), tf.shape(image)[1:3])}

    def read(data):
        picture, state = codecs.decode(data, max_pixels)
        resized = tf.ensure_shape(resize(picture[tf.newaxis], size)[0], [image_size, image_size, 1])
        return resized, tf.shape(picture)[:2], state

    def write(probability_and_size):
        probability = resize(probability_and_size[0][tf.newaxis], probability_and_size[1])[0]
        mask = probability >= threshold
        fraction = tf.reduce_mean(tf.cast(mask, tf.float32))
        return codecs.encode_mask(mask), codecs.encode_probability(probability), fraction

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def predict_bytes(image_bytes):
        specs = (tf.TensorSpec([image_size, image_size, 1]), tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32))
        resized, sizes, states = tf.map_fn(read, image_bytes, fn_output_signature=specs)
        with tf.control_dependencies(_check(states, max_pixels)):
            probability = network(tf.identity(resized))
        specs = (tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.float32))
        masks, probabilities, fractions = tf.map_fn(write, (probability, sizes), fn_output_signature=specs)
        return {"mask_png_bytes": masks, "probability_png_bytes": probabilities, "tumour_fraction": fractions}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", serving_default)
    archive.add_endpoint("predict_bytes", predict_bytes)
    archive.write_out(os.fspath(path), verbose=False)


def _check(states: tf.Tensor, max_pixels: int) -> list[tf.Operation]:
    """Fails with the positions of the pictures that could not be decoded; `states` (N,) int32 from `decode`."""
    faults = {
        codecs.UNREADABLE: "not a readable PNG or JPEG",
        codecs.TOO_LARGE: f"larger than the limit of {max_pixels} pixels",
    }
    checks = []
    for state, fault in faults.items():
        where = tf.reshape(tf.where(states == state), [-1])
        message = tf.strings.format("image_bytes{} " + fault, where, summarize=-1)
        checks.append(tf.debugging.Assert(tf.size(where) == 0, [message]))
    return checks
