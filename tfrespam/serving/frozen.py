"""The network as an exported graph computes it fastest: constant weights, batch normalisation a part of convolutions.

TensorFlow's own graph optimizer multiplies constant factors into constant kernels, and oneDNN lays constant kernels out
for the processor once; a variable, which might change, keeps both from it at every call.
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

# of weights: while TensorFlow writes a graph it holds each constant some forty times, and some twenty when it reads it
# again. Heavier networks keep their variables, and lose little: what constants save weighs less the more there is to do
MAX_BYTES = 1 << 25


def weight_bytes(model: keras.Model) -> int:
    return sum(math.prod(weight.shape) * weight.value.dtype.size for weight in model.weights)


def freeze(model: keras.Model, call: Callable, spec: tf.TensorSpec,
           half: bool = False) -> Callable[[tf.Tensor], tf.Tensor]:  # fmt: skip
    """`call`, a function of one tensor like `spec` that computes with `model`, as a graph with constant weights.

    A network of more than MAX_BYTES keeps its variables: what uses the result must hold them. With `half` kernels are
    stored in 16 bits, and computed with in 32.
    """
    if half:
        call = _with_half_kernels(model, call)
    with _affine_normalization(model):
        traced = tf.function(call, input_signature=[spec]).get_concrete_function()
    if not half and weight_bytes(model) > MAX_BYTES:  # kernels of 16 bits would as variables be stored in 32
        return traced
    frozen = convert_variables_to_constants_v2(traced)
    return lambda tensor: tf.ensure_shape(frozen(tensor)[0], traced.output_shapes)


def round_kernels(model: keras.Model) -> None:
    """Rounds kernels, in place, to what 16 bits hold: half the digits, no other network (biases stay as they are)."""
    for weight in _kernels(model):
        weight.assign(weight.numpy().astype(np.float16))


def pack_halves(path: str | os.PathLike) -> None:
    """Rewrites a SavedModel's float16 constants as bytes, two each; TensorFlow writes them as numbers of three bytes.

    Args:
        path: The SavedModel's folder, which nobody reads yet.
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
    # not a bitcast of int16, which OpenVINO does not read
    halves = [(weight, weight.numpy().astype(np.float16)) for weight in _kernels(model)]

    def called(tensor):
        kernels = [(weight, tf.cast(tf.constant(half), weight.dtype)) for weight, half in halves]
        with keras.StatelessScope(state_mapping=kernels, initialize_variables=False):
            return call(tensor)

    return called


@contextlib.contextmanager
def _affine_normalization(model: keras.Model) -> Iterator[None]:
    """Batch normalisation is a product and a bias inside the block: Keras' own form would end as a sum that TensorFlow
    does not recognise as a convolution's bias.
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
