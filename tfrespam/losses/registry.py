"""Create losses by name, as in YAML files."""

import inspect

import keras

from tfrespam.losses import cross_entropy, overlap
from tfrespam.losses.image_loss import ImageLoss

LOSSES: dict[str, type[ImageLoss]] = {
    "bce": cross_entropy.BCE,
    "dice": overlap.Dice,
    "bce_dice": cross_entropy.BCEDice,
    "iou": overlap.IoU,
    "dice_iou": overlap.DiceIoU,
    "weighted_bce": cross_entropy.WeightedBCE,
    "log_dice": overlap.LogDice,
    "log_dice_outline": overlap.LogDiceOutline,
    "focal": cross_entropy.Focal,
    "tversky": overlap.Tversky,
    "boundary": cross_entropy.Boundary,
    "projection": overlap.Projection,
}
_OLD_OPTIONS = {"tversky": {"misses": "beta", "false_alarms": "alpha"}}  # in recorded settings and saved models


def loss_names() -> tuple[str, ...]:
    """Return the names that `get_loss` accepts."""
    return tuple(LOSSES)


def get_loss(name: str = "bce_dice", **options) -> ImageLoss:
    """Create the loss `name`, for `model.compile`.

    Args:
        name: One of `loss_names()`.
        **options: Keyword arguments of that loss, such as `gamma=1.5` for `focal`.

    Raises:
        ValueError: The name or an option is unknown, or an option is not a number of 0 or more.
    """
    if name not in LOSSES:
        raise ValueError(f"Unknown loss. Expected one of {', '.join(LOSSES)}. Received: loss={name!r}")
    old = _OLD_OPTIONS.get(name, {})
    known = [option for option in inspect.signature(LOSSES[name]).parameters if option not in ("name", "kwargs")]
    unknown = [option for option in options if option not in (*known, *old)]
    if unknown:
        raise ValueError(f"Unknown option of loss {name!r}. Expected {', '.join(known) or 'none'}. "
                         f"Received: {', '.join(unknown)}")  # fmt: skip
    renamed = {old.get(option, option): value for option, value in options.items()}
    if len(renamed) < len(options):
        raise ValueError(f"Options of loss {name!r}: give either {', '.join(old)} or {', '.join(old.values())}. "
                         f"Received: {', '.join(options)}")  # fmt: skip
    return LOSSES[name](**renamed)


@keras.saving.register_keras_serializable("tfrespam")
class PerImageLoss(keras.losses.Loss):
    """Loss by name and options, which models of earlier releases contain; new code uses the loss classes.

    Args:
        loss: One of `loss_names()`.
        options: Keyword arguments of that loss, such as `{"gamma": 1.5}` for `focal`.
        name: Name in Keras' logs (default: that of the loss).
        **kwargs: `reduction` and `dtype` of `keras.losses.Loss`.
    """

    def __init__(self, loss="bce_dice", options=None, name=None, **kwargs):
        super().__init__(name=name or loss, **kwargs)
        self.inner = get_loss(loss, **(options or {}))
        self.loss = loss
        self.options = dict(options or {})

    def call(self, y_true, y_pred):
        return self.inner.call(y_true, y_pred)

    def get_config(self):
        return {**super().get_config(), "loss": self.loss, "options": self.options}
