"""Training data of the Keras models that `load_model` returned for further training.

A Keras model has no attribute for these data that `keras.Model` and `fit` preserve. This module therefore stores them
for as long as the model object exists.
"""

import weakref
from typing import TYPE_CHECKING, Any

from tfrespam.core.console import log
from tfrespam.data.loading import protocols

if TYPE_CHECKING:
    import keras

_KNOWN: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # model -> its `protocols.Identities`, None if unknown


def remembered(model: "keras.Model", trained_on: dict[str, Any] | None) -> "keras.Model":
    """Record the identities of the examples that trained `model`, None if unknown; return the model."""
    _KNOWN[model] = trained_on
    return model


def added(model: "keras.Model", trained_on: dict[str, Any] | None) -> dict[str, Any] | None:
    """Join the earlier training data of a model to the new ones (`protocols.joined`).

    Args:
        model: Any Keras model; one that was not loaded has no earlier training data.
        trained_on: `protocols.identities` of the new training examples; None if they are not known.

    Returns:
        The identities to store with an export; None if they are not known.
    """
    if model not in _KNOWN:
        return trained_on
    if trained_on is None:
        log.warning("the loaded model's training patients are not stored, because `data` is not training Examples: the "
                    "export has no leak audit")  # fmt: skip
        return None
    if _KNOWN[model] is None:
        log.warning("the training patients of the loaded model are unknown: the leak audit of the export covers only "
                    "those of `data`")  # fmt: skip
        return trained_on
    return protocols.joined(trained_on, _KNOWN[model])
