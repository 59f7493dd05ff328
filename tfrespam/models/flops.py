"""How much arithmetic a network needs for one picture."""

import keras


def count_flops(model: keras.Model) -> int:
    """Floating-point operations of one picture's forward pass, a multiplication and an addition counted as two.

    Counted by TensorFlow's profiler on the inference graph. The model's input size must be fixed.
    """
    import tensorflow as tf

    if None in model.input_shape[1:]:
        raise ValueError("Operations can be counted for a fixed input size only. "
                         f"Received: input_shape={model.input_shape}")
    specification = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(specification)
    options = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    return tf.compat.v1.profiler.profile(function.graph, options=options.with_empty_output().build()).total_float_ops
