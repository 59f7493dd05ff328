"""A trained network as a SavedModel that takes pictures as they come and gives masks at their own size."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfrespam.serving import codecs, film
from tfrespam.serving.frozen import freeze, pack_halves
from tfrespam.serving.resize import from_square, resize, to_square

MAX_PIXELS = 1 << 26  # 67 million; a film digitised at 42 um has about 25 million
_ANSWER = {
    "mask_png_bytes": "string [N]: 8-bit PNG, 255 where probability >= threshold (on films film_threshold)",
    "probability_png_bytes": "string [N]: 16-bit PNG of round(65535 probability), at the picture's size",
    "tumour_fraction": "float32 [N]: share of the picture's pixels inside the mask",
}
SIGNATURES = {
    "serving_default": {
        "inputs": {"image": "float32 [N, H, W, 1], grey values in [0, 1], bright = dense; any H and W"},
        "outputs": {"probability": "float32 [N, H, W, 1] in [0, 1]"},
    },
    "predict_bytes": {
        "inputs": {"image_bytes": "string [N]: PNG (8 or 16 bit) or JPEG, grey or RGB, of any sizes"},
        "outputs": _ANSWER,
    },
    "predict_film": {
        "inputs": {"image_bytes": "string [N]: whole films as PNG (8 or 16 bit) or JPEG, bright = dense, of any sizes"},
        "outputs": _ANSWER,
    },
}


def signatures(channels: int = 1) -> dict[str, dict]:
    """The signatures of a network for so many pictures side by side, described."""
    if channels == 1:
        return SIGNATURES
    image = f"float32 [N, H, W, {channels}], grey values in [0, 1], a picture in each channel, black if missing"
    return {"serving_default": {**SIGNATURES["serving_default"], "inputs": {"image": image}}}


def export_archive(model: keras.Model, path: str | os.PathLike, image_size: int, threshold: float = 0.5,
                   keep_aspect: bool = False, tile_shares: Sequence[float] = (1.0,),
                   film_threshold: float | None = None, max_pixels: int = MAX_PIXELS,
                   half: bool = False) -> None:  # fmt: skip
    """Writes `model` as a SavedModel with the signatures described in SIGNATURES.

    Everything a caller would otherwise have to repeat is in the graph: decoding, grey values to [0, 1], resizing to
    the network and back. A batch with unreadable or too large pictures fails with an InvalidArgumentError that lists
    their positions.

    Args:
        model: Takes (N, image_size, image_size, C) in [0, 1]; gives (N, image_size, image_size, 1), or a dict with
            that under "probability". With several pictures side by side (C > 1) the only signature is
            `serving_default`: a file holds one.
        path: A folder, created or filled.
        image_size: Side of the network's input, in pixels.
        threshold: Probability from which a pixel belongs to the mask.
        keep_aspect: Whether pictures that are not square are squared with black margins, or else stretched.
        tile_shares: How large the tiles are with which `predict_film` scans a breast, see `film.segment`.
        film_threshold: As `threshold`, for `predict_film` (default: the same).
        max_pixels: Largest picture that is decoded.
        half: Whether kernels are stored as float16; they should be rounded to it (`frozen.round_kernels`).
    """
    channels = model.input_shape[-1]
    network_input = tf.TensorSpec([None, image_size, image_size, channels], tf.float32)
    network = freeze(model, functools.partial(_probability, model), network_input, half)
    graph = _Graph(network, image_size, threshold, keep_aspect, tuple(tile_shares),
                   threshold if film_threshold is None else film_threshold, max_pixels)  # fmt: skip
    data = tf.TensorSpec([None], tf.string, name="image_bytes")
    images = tf.TensorSpec([None, None, None, channels], tf.float32, name="image")
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", graph.serving_default, [images])
    if channels == 1:
        archive.add_endpoint("predict_bytes", graph.predict_bytes, [data])
        archive.add_endpoint("predict_film", graph.predict_film, [data])
    archive.write_out(os.fspath(path), verbose=False)
    if half:
        pack_halves(path)


@dataclasses.dataclass(frozen=True)
class _Graph:
    """The way of a picture through the signatures; the arguments are those of `export_archive`."""

    network: Callable[[tf.Tensor], tf.Tensor]  # one function for all signatures, so that the model is traced once
    image_size: int
    threshold: float
    keep_aspect: bool
    tile_shares: tuple[float, ...]
    film_threshold: float
    max_pixels: int

    def serving_default(self, image):
        probability = self.network(self._to_network(image))
        return {"probability": self._from_network(probability, tf.shape(image)[1:3])}

    def predict_bytes(self, image_bytes):
        network_shape = [self.image_size, self.image_size, 1]
        specs = tf.TensorSpec(network_shape), tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32)
        images, sizes, states = _map(self._read, image_bytes, specs)
        with tf.control_dependencies(_check(states, self.max_pixels)):
            probability = self.network(tf.identity(images))
        return _map(self._write, (probability, sizes), _ANSWER_SPECS)

    def predict_film(self, image_bytes):
        states = _map(lambda data: codecs.decode(data, self.max_pixels)[1], image_bytes, tf.TensorSpec([], tf.int32))
        with tf.control_dependencies(_check(states, self.max_pixels)):
            return _map(self._film, tf.identity(image_bytes), _ANSWER_SPECS)

    def _read(self, data):
        picture, state = codecs.decode(data, self.max_pixels)
        return self._to_network(picture[tf.newaxis])[0], tf.shape(picture)[:2], state

    def _write(self, probability_and_size):
        probability, size = probability_and_size
        return _answer(self._from_network(probability[tf.newaxis], size)[0], self.threshold)

    def _film(self, data):
        picture, _ = codecs.decode(data, self.max_pixels)
        probability = film.segment(self.network, picture, self.image_size, self.tile_shares, self.keep_aspect)
        return _answer(probability, self.film_threshold)

    def _to_network(self, image):
        channels = [self._resized(image[..., k : k + 1]) for k in range(image.shape[-1])]
        image = tf.concat(channels, -1) if len(channels) > 1 else channels[0]
        return tf.ensure_shape(image, [None, self.image_size, self.image_size, len(channels)])

    def _resized(self, picture):
        if self.keep_aspect:
            return to_square(picture, self.image_size)
        return resize(picture, tf.constant([self.image_size, self.image_size]))

    def _from_network(self, probability, size):
        return (from_square if self.keep_aspect else resize)(probability, size)


_ANSWER_SPECS = {"mask_png_bytes": tf.TensorSpec([], tf.string), "probability_png_bytes": tf.TensorSpec([], tf.string),
                 "tumour_fraction": tf.TensorSpec([], tf.float32)}  # fmt: skip


def _answer(probability, threshold):
    with tf.control_dependencies([_check_numbers(probability)]):  # an empty mask would say that there is no mass
        mask = probability >= threshold
    return {
        "mask_png_bytes": codecs.encode_mask(mask),
        "probability_png_bytes": codecs.encode_probability(probability),
        "tumour_fraction": tf.reduce_mean(tf.cast(mask, tf.float32)),
    }


def _map(function, elements, specs):
    """One element at a time: pictures can be large, and nothing but the network gains from a batch."""
    return tf.map_fn(function, elements, fn_output_signature=specs, parallel_iterations=1)


def _probability(model, image):
    output = model(image, training=False)
    return tf.cast(output["probability"] if isinstance(output, dict) else output, tf.float32)


def _check_numbers(probability: tf.Tensor) -> tf.Operation:
    message = "image_bytes: the network answers with NaN, which is no probability"
    return tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(probability)), [message])


def _check(states: tf.Tensor, max_pixels: int) -> list[tf.Operation]:
    """Fails with the positions of the pictures that could not be decoded; `states` (N,) int32 from `decode`."""
    faults = {
        codecs.UNREADABLE: "not a readable PNG or JPEG (damaged, or CMYK)",
        codecs.TOO_LARGE: f"larger than the limit of {max_pixels} pixels, {codecs.MAX_SIDE} a side",
    }
    checks = []
    for state, fault in faults.items():
        where = tf.reshape(tf.where(states == state), [-1])
        message = tf.strings.format("image_bytes{} " + fault, where, summarize=-1)
        checks.append(tf.debugging.Assert(tf.size(where) == 0, [message]))
    return checks
