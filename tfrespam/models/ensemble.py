"""Ensembles and test-time augmentation as one network.

Test-time augmentation applies the network to mirrored and rotated copies of the image, transforms the predictions back
(exactly, without interpolation) and averages the probabilities. An ensemble averages several networks, for instance
those of several folds.
"""

from collections.abc import Sequence

import keras
from keras import layers

from tfrespam.layers import QuarterTurn
from tfrespam.models.blocks import without_sides

VIEWS = {  # name -> (quarter turns, mirrored left-right) of each copy
    "none": ((0, False),),
    "mirror": ((0, False), (0, True)),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "dihedral": tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}


def average(models: Sequence[keras.Model], views: str = "none") -> keras.Model:
    """Build one network that returns the mean probability of `models` over `views`.

    Args:
        models: Networks with the same input (H, W, C) and the output `probability`.
        views: A key of `VIEWS`: "none" (1 view), "mirror" (2: unchanged and left-right), "flips" (4), or "dihedral"
            (8, for square inputs).

    Returns:
        A functional model from `image` to `probability`; the given model itself for one model and "none".

    Raises:
        ValueError: Unknown views, no model, models with different inputs, or "dihedral" for inputs that are not square.
    """
    if views not in VIEWS:
        raise ValueError(f"Argument `views` must be one of {', '.join(VIEWS)}. Received: views={views!r}")
    shapes = {tuple(model.input_shape[1:]) for model in models}
    if len(shapes) != 1:
        raise ValueError(f"Models to be averaged must have the same input shape. Received: {sorted(shapes)}")
    height, width, _ = next(iter(shapes))
    if height != width and any(turns % 2 for turns, _ in VIEWS[views]):
        raise ValueError(f"Argument `views` must be none, mirror or flips for an input of {height} x {width} pixels: "
                         f"rotation by 90 degrees changes its shape. Received: views={views!r}")
    models = [without_sides(model) for model in models]
    if len(models) == 1 and views == "none":
        return models[0]
    # Keras requires unique names of the parts of a network; several runs of one network have the same name
    models = [keras.Model(model.input, model.output, name=f"member{n}") for n, model in enumerate(models, 1)]
    image = keras.Input(shapes.pop(), name="image")
    predictions = []
    for turns, mirrored in VIEWS[views]:
        view = QuarterTurn(turns, mirrored)(image)
        for model in models:
            predictions.append(QuarterTurn(turns, mirrored, inverse=True)(model(view)))
    return keras.Model(image, layers.Average(dtype="float32", name="probability")(predictions), name="average")
