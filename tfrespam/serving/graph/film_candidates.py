"""Find candidate masses of a film in the exported graph, by the steps of `tfrespam.evaluation.candidates`."""

import os
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfrespam.core.files import whole_file
from tfrespam.data.geometry.graph_components import components, dilate
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.platt_scaling import EPSILON

COLUMNS = 6  # y0, x0, y1, x1, score, area
# names of constants in the graph, which `set_scores` changes, and the fields of `CandidateRule` with their values
_CONSTANTS = {"candidates_least_score": "least_score", "candidates_score_slope": "score_slope",
              "candidates_score_intercept": "score_intercept"}  # fmt: skip


def find(probability: tf.Tensor, rule: CandidateRule, film_threshold: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the candidates and the mask of one film.

    Args:
        probability: (H, W, 1) float32, rounded to steps of 1/65535 as in the encoded output.
        rule: Parameters of the candidates.
        film_threshold: Threshold of the mask: a candidate's pixel belongs to it if its probability is at least this, or
            at least the candidate's highest probability if that is lower.

    Returns:
        (K, 6) float32: y0, x0, y1, x1 in pixels, half open, score and area in pixels, best score first; and the mask
        (H, W, 1) bool.
    """
    probability = probability[..., 0]
    size = tf.shape(probability)
    pixels, component = _components(probability >= rule.threshold, rule.join, size)
    values = tf.gather_nd(probability, pixels)
    _, component = tf.unique(component)
    count = tf.reduce_max(tf.concat([component, [-1]], 0)) + 1
    area = tf.math.unsorted_segment_sum(tf.ones_like(component), component, count)
    highest = tf.math.unsorted_segment_max(values, component, count)
    least_score, slope, intercept = (tf.constant(getattr(rule, field), tf.float32, name=name)
                                     for name, field in _CONSTANTS.items())  # fmt: skip
    score = _scaled(highest, slope, intercept)
    start = tf.math.unsorted_segment_min(pixels, component, count)
    end = tf.math.unsorted_segment_max(pixels, component, count) + 1
    least = tf.cast(rule.least_area * tf.cast(tf.reduce_prod(size), tf.float64), tf.float32)
    kept = tf.logical_and(score >= least_score, tf.cast(area, tf.float32) >= least)
    level = tf.where(kept, tf.minimum(highest, film_threshold), 2.0)
    inside = tf.boolean_mask(pixels, values >= tf.gather(level, component))
    mask = tf.scatter_nd(inside, tf.ones_like(inside[:, 0]), size) > 0
    table = tf.concat([tf.cast(start, tf.float32), tf.cast(end, tf.float32), score[:, tf.newaxis],
                       tf.cast(area, tf.float32)[:, tf.newaxis]], axis=1)  # fmt: skip
    return _sorted(tf.boolean_mask(table, kept)), mask[..., tf.newaxis]


def set_scores(path: str | os.PathLike, rule: CandidateRule) -> None:
    """Change operating point and Platt scaling of an exported graph in place.

    Args:
        path: Folder of the SavedModel, not loaded by any process.
        rule: Contains the new `least_score`, `score_slope` and `score_intercept`; other fields are ignored.
    """
    file = Path(path) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
            field = next((field for name, field in _CONSTANTS.items() if name in node.name), None)
            if node.op == "Const" and field:
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(getattr(rule, field), tf.float32))
    with whole_file(file) as temporary:
        temporary.write_bytes(saved.SerializeToString())


def _scaled(score: tf.Tensor, slope: tf.Tensor, intercept: tf.Tensor) -> tf.Tensor:
    """Apply Platt scaling as `PlattScaling.apply` does; slope 1 and intercept 0 return `score` exactly."""
    inside = tf.clip_by_value(score, EPSILON, 1 - EPSILON)
    scaled = tf.sigmoid(slope * (tf.math.log(inside) - tf.math.log(1 - inside)) + intercept)
    return tf.where(tf.logical_and(tf.equal(slope, 1), tf.equal(intercept, 0)), score, scaled)


def _components(mask: tf.Tensor, join: float, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the pixels (N, 2) of `mask` (H, W) and their component numbers (N,).

    Components closer than `join` times the longest side have the same number.
    """
    if join == 0:
        return components(mask)
    gap = tf.cast(tf.round(join * tf.cast(tf.reduce_max(size), tf.float64)), tf.int32)
    pixels, component = components(tf.cond(gap > 0, lambda: dilate(mask, gap), lambda: mask))
    own = tf.gather_nd(mask, pixels)
    return tf.boolean_mask(pixels, own), tf.boolean_mask(component, own)


def _sorted(table: tf.Tensor) -> tf.Tensor:
    """Sort by score, highest first, then by box."""
    for column in (3, 2, 1, 0):
        table = tf.gather(table, tf.argsort(table[:, column], stable=True))
    return tf.gather(table, tf.argsort(table[:, 4], direction="DESCENDING", stable=True))
