import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.training.kernels.fused_adam import fuse_update

GRADIENTS = np.random.default_rng(0).normal(size=(5, 6, 4)).astype(np.float32)
SCHEDULE = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.01, warmup_steps=2)


def trained(fused, kind=keras.optimizers.Adam, dtype="float32", **options):
    """Return a weight and the optimizer's variables after five steps inside a graph, as in `fit`."""
    weight = keras.Variable(np.linspace(-1, 1, 24).reshape(6, 4), dtype=dtype)
    optimizer = kind(SCHEDULE, beta_1=0.8, **options)
    optimizer.build([weight])
    if fused:
        fuse_update(optimizer)
    step = tf.function(lambda gradient: optimizer.apply([gradient], [weight]))
    for gradient in GRADIENTS:
        step(tf.cast(gradient, dtype))
    return [np.asarray(value, np.float64) for value in (weight, *optimizer.variables)]


@pytest.mark.parametrize("options", [{}, {"epsilon": 1e-3}, {"global_clipnorm": 0.5}, {"weight_decay": 0.1},
                                     {"kind": keras.optimizers.AdamW, "weight_decay": 0.1}])  # fmt: skip
def test_weights_and_moments_match_keras(options):
    for fused, unfused in zip(trained(True, **options), trained(False, **options), strict=True):
        np.testing.assert_allclose(fused, unfused, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("options", [{"amsgrad": True}, {"kind": keras.optimizers.Adamax}, {"dtype": "float64"}])
def test_unsupported_options_use_keras(options):
    for fused, unfused in zip(trained(True, **options), trained(False, **options), strict=True):
        np.testing.assert_array_equal(fused, unfused)


def test_graph_has_one_operation_a_weight():
    weight = keras.Variable(np.ones((6, 4), np.float32))
    optimizer = keras.optimizers.Adam()
    optimizer.build([weight])
    fuse_update(optimizer)
    step = tf.function(lambda gradient: optimizer.apply([gradient], [weight]))
    kinds = [node.type for node in step.get_concrete_function(tf.TensorSpec((6, 4))).graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 1 and "Sqrt" not in kinds


def test_a_compiled_model_trains_in_half_precision():
    """Under half precision LossScaleOptimizer wraps the optimizer, whose weights are float32."""
    inner = keras.optimizers.Adam(0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
    weight = keras.Variable(np.ones(3, np.float32))
    optimizer.build([weight])
    fuse_update(optimizer)
    optimizer.apply([tf.constant([8.0, -8.0, 0.0])], [weight])
    np.testing.assert_allclose(weight, [0.9, 1.1, 1.0], atol=1e-5)
    assert "update_step" in vars(inner)
