"""A network of a few weights with the interface of `build_model`: quick to export."""

import keras

SIZE = 16


def small_model(*, side_output: bool = False, seed: int = 0, **input_options) -> keras.Model:
    """Build two convolutions with batch normalisation between; outputs "probability" and optionally another one."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((SIZE, SIZE, 1), name="image", **input_options)
    features = keras.layers.Conv2D(4, 3, padding="same")(image)
    features = keras.layers.ReLU()(keras.layers.BatchNormalization()(features))
    logits = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer=keras.initializers.RandomNormal(stddev=2.0))
    probability = keras.layers.Activation("sigmoid", dtype="float32", name="probability")(logits(features))
    if side_output:
        return keras.Model(image, {"deep": features, "probability": probability})
    return keras.Model(image, probability)
