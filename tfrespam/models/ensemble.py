"""Averages of networks over several weights and several views of a picture, as one network.

Test-time augmentation asks the network about mirrored and turned copies of the picture, turns the answers back
(exactly: pixels only change place) and averages the probabilities. An ensemble averages networks, for instance those of
several folds.
"""

from collections.abc import Sequence

import keras
from keras import layers, ops

from tfrespam.models.blocks import without_sides

VIEWS = {  # name -> (quarter turns, mirrored left-right)
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "dihedral": tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}


@keras.saving.register_keras_serializable("tfrespam")
class QuarterTurn(layers.Layer):
    """Turns square pictures by quarter turns and mirrors them left-right, or undoes that.

    Args:
        turns: Quarter turns, counter-clockwise.
        mirrored: Whether the picture is mirrored after turning.
        inverse: Whether turning and mirroring are undone instead.

    Input and output shape: (N, S, S, C).
    """

    def __init__(self, turns=0, mirrored=False, inverse=False, **kwargs):
        super().__init__(**kwargs)
        self.turns = turns
        self.mirrored = mirrored
        self.inverse = inverse

    def call(self, pictures):
        if self.inverse:
            return ops.rot90(self._mirror(pictures), -self.turns, axes=(1, 2))
        return self._mirror(ops.rot90(pictures, self.turns, axes=(1, 2)))

    def _mirror(self, pictures):
        return ops.flip(pictures, axis=2) if self.mirrored else pictures

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "turns": self.turns, "mirrored": self.mirrored, "inverse": self.inverse}


def average(models: Sequence[keras.Model], views: str = "none") -> keras.Model:
    """One network with the mean probability of `models` over `views`.

    Args:
        models: Networks with the same input (S, S, C) and the output `probability`.
        views: A key of `VIEWS`: "none" (1 view), "flips" (4) or "dihedral" (8).

    Returns:
        A functional model from `image` to `probability`; the very model when there is nothing to average.

    Raises:
        ValueError: Unknown views, no model, or models of different inputs.
    """
    if views not in VIEWS:
        raise ValueError(f"Argument `views` must be one of {', '.join(VIEWS)}. Received: views={views!r}")
    shapes = {tuple(model.input_shape[1:]) for model in models}
    if len(shapes) != 1:
        raise ValueError(f"Models to be averaged must have one and the same input. Received: {sorted(shapes)}")
    models = [without_sides(model) for model in models]
    if len(models) == 1 and views == "none":
        return models[0]
    # Keras wants the parts of a network to have names of their own, and runs of one network share theirs
    models = [keras.Model(model.input, model.output, name=f"member{n}") for n, model in enumerate(models, 1)]
    image = keras.Input(shapes.pop(), name="image")
    answers = []
    for turns, mirrored in VIEWS[views]:
        view = QuarterTurn(turns, mirrored)(image)
        for model in models:
            answers.append(QuarterTurn(turns, mirrored, inverse=True)(model(view)))
    return keras.Model(image, layers.Average(dtype="float32", name="probability")(answers), name="average")
