"""Breast-mass segmentation in mammograms: ResPAM U-Net and baseline networks in TensorFlow/Keras.

`import tfrespam as tr` imports neither TensorFlow nor Keras; what is named below is imported when it is first used.

| name | what it is |
|---|---|
| `tr.build_model(name, ...)` | a Keras model |
| `tr.layers`, `tr.losses`, `tr.metrics`, `tr.models` | Keras layers, losses, metrics and networks |
| `tr.data` | prepared data sets, their splits, augmentation |
| `tr.load_model(path)` | an exported network, or a trainable Keras model |
| `tr.export`, `tr.evaluate`, `tr.predict` | the stages of the same names, as functions |

A `.keras` file loads in any process that has imported `tfrespam`: its classes are registered when Keras is imported.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING

import wrapt

from tfrespam.core import lazy

if TYPE_CHECKING:
    from tfrespam import data, layers, losses, metrics, models
    from tfrespam.api.evaluate_model import evaluate
    from tfrespam.api.export_model import export
    from tfrespam.api.load_model import load_model
    from tfrespam.api.predict_images import predict
    from tfrespam.models import build_model

__version__: str
__all__ = ["build_model", "data", "evaluate", "export", "layers", "load_model", "losses", "metrics", "models",
           "predict"]  # fmt: skip

_ROOMS = ("data", "layers", "losses", "metrics", "models")
_FUNCTIONS = {
    "build_model": "tfrespam.models",
    "load_model": "tfrespam.api.load_model",
    "evaluate": "tfrespam.api.evaluate_model",
    "export": "tfrespam.api.export_model",
    "predict": "tfrespam.api.predict_images",
}
_REGISTERED = ("tfrespam.layers", "tfrespam.losses", "tfrespam.metrics")  # hold all classes that a file may name

_find, __dir__ = lazy.attach(__name__, {room: f"{__name__}.{room}" for room in _ROOMS} | _FUNCTIONS)


def __getattr__(name: str):
    if name == "__version__":
        from importlib.metadata import version

        return version("tfrespam")
    return _find(name)


class _Package(types.ModuleType):
    """The package. Its stages `evaluate`, `export` and `predict` are modules with the names of its functions.

    Python binds a submodule to its package when it is imported; here the function keeps the name. The stage is what
    `importlib.import_module("tfrespam.predict")` gives and `python -m tfrespam.predict` runs.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _FUNCTIONS and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


def _register(keras: types.ModuleType) -> None:
    """Import what registers our classes with Keras; what is being imported already registers itself."""
    for name in _REGISTERED:
        if name not in sys.modules:
            importlib.import_module(name)


sys.modules[__name__].__class__ = _Package
wrapt.register_post_import_hook(_register, "keras")
