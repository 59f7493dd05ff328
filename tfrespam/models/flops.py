"""Number of floating-point operations of a network."""

import keras


def count_flops(model: keras.Model) -> int:
    """Count the floating-point operations of one image's forward pass; a multiplication and an addition count as two.

    TensorFlow's profiler counts them on the inference graph. Raises ValueError unless the input size is fixed.
    """
    import tensorflow as tf

    if None in model.input_shape[1:]:
        raise ValueError("Operations can be counted for a fixed input size only. "
                         f"Received: input_shape={model.input_shape}")
    specification = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(specification)
    options = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    return tf.compat.v1.profiler.profile(function.graph, options=options.with_empty_output().build()).total_float_ops
