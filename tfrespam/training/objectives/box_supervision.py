"""Weak supervision by bounding boxes: the loss uses only the bounding box of each mask."""

import keras
from keras import ops

from tfrespam.config import TrainingConfig
from tfrespam.core.errors import UserError
from tfrespam.losses import ImageLoss, bounding_box, check_numbers, get_loss
from tfrespam.losses.affinity import Affinity
from tfrespam.training.optimizer import inner

PROJECTION = ("least_fill", "most_fill")
PAIRS = ("affinity", "warmup_epochs", "contrast", "distance")


class BoxSupervision(keras.Model):
    """Model that trains a network with the loss "box": projection(box) + strength * affinity(box, image).

    The bounding box of each mask is computed first, and the losses receive only the box. Metrics, which do not affect
    training, use the mask. A strong affinity term at the start would favour an empty prediction, so its weight
    (strength) rises linearly.

    Args:
        network: Functional model from `image` to `probability`; compile with the loss `projection`.
        steps_per_epoch: Optimizer steps an epoch.
        affinity: Final weight of the pairwise affinity term.
        warmup_epochs: Epochs over which that weight rises from 0.
        contrast, distance: As in `tfrespam.losses.affinity.Affinity`.
    """

    def __init__(self, network, steps_per_epoch: int, affinity=1.0, warmup_epochs=1.0, contrast=0.1, distance=2):
        super().__init__()
        self.built = True  # the network is already built
        self.network = network
        self.affinity_loss = Affinity(contrast, distance)
        self.affinity = affinity
        self.warmup_steps = max(warmup_epochs * steps_per_epoch, 1.0)

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        box = bounding_box(y)
        loss = super().compute_loss(x, box, y_pred, sample_weight, training)
        target = ops.concatenate([box, ops.cast(x[..., :1], "float32")], axis=-1)
        return loss + self.strength() * self.affinity_loss(target, y_pred, sample_weight)

    def strength(self):
        """Return the current weight of the affinity term, from the optimizer's step count, which a checkpoint restores.
        """
        steps = ops.cast(inner(self.optimizer).iterations, "float32")
        return self.affinity * ops.minimum(steps / self.warmup_steps, 1.0)


def box_supervised(network: keras.Model, training: TrainingConfig, steps_per_epoch: int) -> BoxSupervision:
    """Wrap the network for the loss `box`.

    Raises UserError for invalid options, and for a network with auxiliary outputs, which would learn from the masks.
    """
    if isinstance(network.output, dict):
        raise UserError("`training.loss` box needs a network without auxiliary outputs, which would learn from the "
                        f"masks. Received: {network.name} with {', '.join(network.output_names)}")
    unknown = [name for name in training.loss_options if name not in PROJECTION + PAIRS]
    if unknown:
        known = ", ".join(PROJECTION + PAIRS)
        raise UserError(f"Unknown option of `training.loss` box. Expected {known}. Received: {', '.join(unknown)}")
    pairs, side = _selected_options(training, PAIRS), network.input_shape[1]
    check_numbers("`training.loss` box", pairs)
    if (distance := pairs.get("distance", 1)) not in range(1, side):
        raise UserError("The option distance of `training.loss` box must be an integer number of pixels from 1 to "
                        f"{side - 1}. Received: {distance}")  # fmt: skip
    return BoxSupervision(network, steps_per_epoch, **pairs)


def projection_of(training: TrainingConfig) -> ImageLoss:
    """Create the loss to compile `BoxSupervision` with."""
    return get_loss("projection", **_selected_options(training, PROJECTION))


def _selected_options(training: TrainingConfig, names: tuple[str, ...]) -> dict:
    return {name: value for name, value in training.loss_options.items() if name in names}
