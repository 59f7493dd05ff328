"""Export a network as a SavedModel whose signatures segment encoded images of any size."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfrespam.data.geometry.crop import Size, sides
from tfrespam.data.geometry.graph_resize import from_frame, resize, to_frame
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.serving.graph import codecs, film_candidates
from tfrespam.serving.graph import film_scan as film
from tfrespam.serving.graph.frozen import freeze, pack_halves

MAX_PIXELS = 1 << 26  # 67 million; a film digitised at 42 um has about 25 million
_ANSWER = {
    "mask_png_bytes": "string [N]: 8-bit PNG, 255 where probability >= threshold (on films film_threshold)",
    "probability_png_bytes": "string [N]: 16-bit PNG of round(65535 probability), at the image's size",
    "tumour_fraction": "float32 [N]: share of the image's pixels inside the mask",
}
_CANDIDATES = ("float32 [N, K, 6]: y0, x0, y1, x1 (pixels, half open), score, area in pixels; best score first, rows "
               "of 0 after a film's last candidate")  # fmt: skip
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
        "outputs": {**_ANSWER, "candidates": _CANDIDATES},
    },
}


def signatures(channels: int = 1) -> dict[str, dict]:
    """Return the description of the signatures of a network with `channels` input images."""
    if channels == 1:
        return SIGNATURES
    image = f"float32 [N, H, W, {channels}], grey values in [0, 1], one image per channel, black if missing"
    return {"serving_default": {**SIGNATURES["serving_default"], "inputs": {"image": image}}}


def export_archive(model: keras.Model, path: str | os.PathLike, image_size: Size, threshold: float = 0.5,
                   keep_aspect: bool = False, tile_shares: Sequence[float] = (1.0,),
                   film_threshold: float | None = None, max_pixels: int = MAX_PIXELS,
                   half: bool = False, rule: CandidateRule | None = None) -> None:  # fmt: skip
    """Write `model` as a SavedModel with the signatures described in SIGNATURES.

    The graph includes decoding, scaling of grey values to [0, 1], and resizing to the network's input and back. A
    batch with unreadable or too large images fails with an InvalidArgumentError that lists their positions.

    Args:
        model: Maps (N, height, width, C) in [0, 1] to (N, height, width, 1), or to a dict with that under
            "probability". With several input images (C > 1) the only signature is `serving_default`, because a file
            contains one image.
        path: Folder, created if necessary.
        image_size: Size of the network's input in pixels: side of a square, or height and width.
        threshold: Probability threshold: pixels with at least this probability belong to the mask.
        keep_aspect: Whether images of other proportions are padded with black; otherwise they are stretched.
        tile_shares: Tile sizes with which `predict_film` scans a breast, as shares of its longest side.
        film_threshold: Like `threshold`, for `predict_film` (default: the same).
        max_pixels: Images with more pixels are rejected.
        half: Whether kernels are stored as float16; they should be rounded to it (`frozen.round_kernels`).
        rule: Parameters of the candidates of `predict_film` (default: the components that reach `film_threshold`).
    """
    film_threshold = threshold if film_threshold is None else film_threshold
    channels = model.input_shape[-1]
    network_input = tf.TensorSpec([None, *sides(image_size), channels], tf.float32)
    network = freeze(model, functools.partial(_probability, model), network_input, half)
    graph = _Graph(network, image_size, threshold, keep_aspect, tuple(tile_shares), film_threshold, max_pixels,
                   rule or CandidateRule(film_threshold))  # fmt: skip
    data = tf.TensorSpec([None], tf.string, name="image_bytes")
    images = tf.TensorSpec([None, None, None, channels], tf.float32, name="image")
    inputs = {"serving_default": images, "predict_bytes": data, "predict_film": data}
    traced = {name: tf.function(getattr(graph, name), autograph=False).get_concrete_function(inputs[name])
              for name in signatures(channels)}  # fmt: skip
    module = tf.Module()  # keras.export.ExportArchive does the same, but traces every function twice
    module.captured = list({id(weight): weight for each in traced.values() for weight in each.variables}.values())
    tf.saved_model.save(module, os.fspath(path), signatures=traced)
    if half:
        pack_halves(path)


@dataclasses.dataclass(frozen=True)
class _Graph:
    """Functions of the signatures; the arguments are those of `export_archive`."""

    network: Callable[[tf.Tensor], tf.Tensor]  # one function for all signatures, so that the model is traced once
    image_size: Size
    threshold: float
    keep_aspect: bool
    tile_shares: tuple[float, ...]
    film_threshold: float
    max_pixels: int
    rule: CandidateRule

    def serving_default(self, image):
        probability = self.network(self._to_network(image))
        return {"probability": self._from_network(probability, tf.shape(image)[1:3])}

    def predict_bytes(self, image_bytes):
        network_shape = [*sides(self.image_size), 1]
        specs = tf.TensorSpec(network_shape), tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32)
        images, sizes, states = _map(self._read, image_bytes, specs)
        with tf.control_dependencies(_check(states, self.max_pixels)):
            probability = self.network(tf.identity(images))
        return _map(self._write, (probability, sizes), _ANSWER_SPECS)

    def predict_film(self, image_bytes):
        states = _map(lambda data: codecs.decode(data, self.max_pixels)[1], image_bytes, tf.TensorSpec([], tf.int32))
        with tf.control_dependencies(_check(states, self.max_pixels)):
            answer = _map(self._film, tf.identity(image_bytes), _FILM_SPECS)
        return {**answer, "candidates": answer["candidates"].to_tensor(shape=[None, None, film_candidates.COLUMNS])}

    def _read(self, data):
        image, state = codecs.decode(data, self.max_pixels)
        return self._to_network(image[tf.newaxis])[0], tf.shape(image)[:2], state

    def _write(self, probability_and_size):
        probability, size = probability_and_size
        return _answer(self._from_network(probability[tf.newaxis], size)[0], self.threshold)

    def _film(self, data):
        image, _ = codecs.decode(data, self.max_pixels)
        probability = film.segment(self.network, image, self.image_size, self.tile_shares, self.keep_aspect)
        with tf.control_dependencies([_check_numbers(probability)]):
            probability = codecs.in_steps(probability)
        found, mask = film_candidates.find(probability, self.rule, self.film_threshold)
        return {**_encoded(mask, probability), "candidates": found}

    def _to_network(self, image):
        channels = [self._resized(image[..., k : k + 1]) for k in range(image.shape[-1])]
        image = tf.concat(channels, -1) if len(channels) > 1 else channels[0]
        return tf.ensure_shape(image, [None, *sides(self.image_size), len(channels)])

    def _resized(self, image):
        if self.keep_aspect:
            return to_frame(image, self.image_size)
        return resize(image, tf.constant(sides(self.image_size)))

    def _from_network(self, probability, size):
        return (from_frame if self.keep_aspect else resize)(probability, size)


_ANSWER_SPECS = {"mask_png_bytes": tf.TensorSpec([], tf.string), "probability_png_bytes": tf.TensorSpec([], tf.string),
                 "tumour_fraction": tf.TensorSpec([], tf.float32)}  # fmt: skip

_FILM_SPECS = {**_ANSWER_SPECS, "candidates": tf.RaggedTensorSpec([None, film_candidates.COLUMNS], tf.float32, 0)}


def _answer(probability, threshold):
    with tf.control_dependencies([_check_numbers(probability)]):  # NaN would give an empty mask
        mask = probability >= threshold
    return _encoded(mask, probability)


def _encoded(mask, probability):
    return {
        "mask_png_bytes": codecs.encode_mask(mask),
        "probability_png_bytes": codecs.encode_probability(probability),
        "tumour_fraction": tf.reduce_mean(tf.cast(mask, tf.float32)),
    }


def _map(function, elements, specs):
    """Map over single elements: images can be large, and only the network is faster in batches."""
    return tf.map_fn(function, elements, fn_output_signature=specs, parallel_iterations=1)


def _probability(model, image):
    output = model(image, training=False)
    return tf.cast(output["probability"] if isinstance(output, dict) else output, tf.float32)


def _check_numbers(probability: tf.Tensor) -> tf.Operation:
    message = "image_bytes: the network answers with NaN instead of a probability"
    return tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(probability)), [message])


def _check(states: tf.Tensor, max_pixels: int) -> list[tf.Operation]:
    """Return assertions that fail with the positions of undecodable images; `states` (N,) int32 is from `decode`."""
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
