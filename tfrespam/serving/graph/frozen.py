"""Freeze a network for export: constant weights, with batch normalisation folded into convolutions.

TensorFlow's graph optimizer multiplies constant factors into constant kernels, and oneDNN converts the layout of
constant kernels once. Neither is possible with variables, which may change between calls.
"""

import contextlib
import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# Limit of constant weights: TensorFlow holds about forty copies of each constant while it writes a graph, and about
# twenty while it reads one. Larger networks keep variables and lose little, because constants save a fixed cost.
MAX_BYTES = 1 << 25


def weight_bytes(model: keras.Model) -> int:
    return sum(math.prod(weight.shape) * weight.value.dtype.size for weight in model.weights)


def freeze(model: keras.Model, call: Callable, spec: tf.TensorSpec,
           half: bool = False) -> Callable[[tf.Tensor], tf.Tensor]:  # fmt: skip
    """Convert `call`, a function of one tensor like `spec` that uses `model`, to a graph with constant weights.

    A network of more than MAX_BYTES keeps its variables; the caller must hold a reference to them. With `half`
    kernels are stored as float16 and converted to float32 for computation.
    """
    if half:
        call = _with_half_kernels(model, call)
    with _affine_normalization(model):
        traced = tf.function(call, input_signature=[spec]).get_concrete_function()
    if not half and weight_bytes(model) > MAX_BYTES:  # as variables, float16 kernels would be stored as float32
        return traced
    frozen = convert_variables_to_constants_v2(traced)
    return lambda tensor: tf.ensure_shape(frozen(tensor)[0], traced.output_shapes)


def round_kernels(model: keras.Model) -> None:
    """Round kernels in place to float16 values; biases are unchanged."""
    for weight in _kernels(model):
        weight.assign(weight.numpy().astype(np.float16))


def pack_halves(path: str | os.PathLike) -> None:
    """Store the float16 constants of a SavedModel as two bytes each; TensorFlow writes three.

    Args:
        path: Folder of the SavedModel, not loaded by any process.
    """
    file = Path(path) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in (meta.graph_def for meta in saved.meta_graphs):
        for node in itertools.chain(graph.node, *(function.node_def for function in graph.library.function)):
            tensor = node.attr["value"].tensor if node.op == "Const" else None
            if tensor is not None and len(tensor.half_val) > 1:
                tensor.tensor_content = tf.make_ndarray(tensor).tobytes()
                tensor.ClearField("half_val")
    file.write_bytes(saved.SerializeToString())


def _kernels(model: keras.Model) -> list[keras.Variable]:
    return [weight for weight in model.weights if len(weight.shape) > 1]


def _with_half_kernels(model: keras.Model, call: Callable) -> Callable:
    # a bitcast of int16 cannot be read by OpenVINO
    halves = [(weight, weight.numpy().astype(np.float16)) for weight in _kernels(model)]

    def called(tensor):
        kernels = [(weight, tf.cast(tf.constant(half), weight.dtype)) for weight, half in halves]
        with keras.StatelessScope(state_mapping=kernels, initialize_variables=False):
            return call(tensor)

    return called


@contextlib.contextmanager
def _affine_normalization(model: keras.Model) -> Iterator[None]:
    """Compute batch normalisation as a product and a bias inside the block.

    Keras' form ends in a sum that TensorFlow does not recognise as the bias of a convolution.
    """
    layers = [layer for layer in model._flatten_layers() if _affine(layer)]
    for layer in layers:
        layer.call = functools.partial(_call, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _affine(layer: keras.Layer) -> bool:
    return (type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, 3) and layer.center and layer.scale
            and layer.compute_dtype == "float32")


def _call(layer, inputs, training=None, mask=None):
    factor = layer.gamma * tf.math.rsqrt(layer.moving_variance + layer.epsilon)
    return tf.nn.bias_add(inputs * factor, layer.beta - layer.moving_mean * factor)
