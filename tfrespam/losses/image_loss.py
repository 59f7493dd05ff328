"""Base class of the losses: mean over images of a loss of one image."""

import numbers

import keras
from keras import ops


class ImageLoss(keras.losses.Loss):
    """Mean over images of `value`. Subclass it to write your own loss.

    All sums are float32: the pixels of one image overflow float16.

    Args:
        name: Name in Keras' logs.
        options: Keyword arguments of `value`: numbers of 0 or more, stored in `self.options` and in the configuration.
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.

    Call arguments:
        y_true: (N, H, W, 1), 0 or 1.
        y_pred: (N, H, W, 1), probabilities in [0, 1].
        sample_weight: (N,), one weight per image.
    """

    def __init__(self, name=None, options=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.options = dict(options or {})
        check_numbers(f"loss {self.name!r}", self.options)
        if "radius" in self.options:
            radius = self.options["radius"]
            if radius != int(radius):
                raise ValueError(f"The option radius of loss {self.name!r} must be a whole number of pixels. "
                                 f"Received: {radius}")  # fmt: skip
            self.options["radius"] = int(radius)

    def value(self, mask, probability):
        """Compute the loss of each image, (N,), from float32 (N, H, W, 1) mask and probability."""
        raise NotImplementedError

    def call(self, y_true, y_pred):
        if len(y_true.shape) != 4 or len(y_pred.shape) != 4:
            raise ValueError("A loss takes masks and probabilities of shape (N, H, W, 1). "
                             f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}")
        return self.value(ops.cast(y_true, "float32"), ops.cast(y_pred, "float32"))

    def get_config(self):
        return {**super().get_config(), **self.options}


def check_numbers(loss, options):
    """Raise ValueError unless all `options` are numbers of 0 or more; `loss` names the loss in the message."""
    wrong = {option: value for option, value in options.items() if not (_is_number(value) and value >= 0)}
    if wrong:
        raise ValueError(f"Options of {loss} must be numbers of 0 or more. Received: {wrong}")


def _is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
