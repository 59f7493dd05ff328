"""python fit_only.py OPTIONS: the train stage up to last.keras, without export and evaluation."""

import keras
from keras import layers

from tfrespam import train
from tfrespam.models import BUILDERS
from tfrespam.workflows import training


def network(input_shape, width=1.0, *, normalization=True, side_outputs=False):
    """Build a network without bias before batch normalisation, whose gradient is rounding error that Adam amplifies."""
    image = keras.Input(input_shape, name="image")
    features = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(image)
    features = layers.BatchNormalization(momentum=0.9, name="bn")(features) if normalization else features
    logits = layers.Conv2D(1, 3, padding="same", dtype="float32", name="logits")(layers.ReLU(name="relu")(features))
    probability = layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    sides = {name: layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name=name)(features)
             for name in ("boundary1", "mask1") if side_outputs}  # fmt: skip
    return keras.Model(image, {"probability": probability, **sides} if sides else probability)


BUILDERS["steady"] = network

if __name__ == "__main__":
    training._publish = training._say = lambda *_: None
    train.main()
