"""Breast-mass segmentation in mammograms: ResPAM U-Net and its rivals in TensorFlow/Keras.

`tfrespam.build_model(name, ...)` gives a Keras model. Nothing heavy is imported before it is asked for.
"""


def __getattr__(name: str):
    if name == "build_model":
        from tfrespam.models import build_model

        return build_model
    if name == "__version__":
        from importlib.metadata import version

        return version("tfrespam")
    raise AttributeError(f"module 'tfrespam' has no attribute {name!r}")
