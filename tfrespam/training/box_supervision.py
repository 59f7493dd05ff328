"""Weak supervision: a network that learns from boxes, because its loss sees nothing else of the masks."""

from collections.abc import Mapping

import keras
from keras import ops

from tfrespam.affinity import Affinity
from tfrespam.config import TrainingConfig
from tfrespam.errors import UserError
from tfrespam.losses import PerImageLoss, bounding_box, get_loss, is_number
from tfrespam.training.optimizer import inner

PROJECTION = ("least_fill", "most_fill")
PAIRS = ("affinity", "warmup_epochs", "contrast", "distance")


class BoxSupervision(keras.Model):
    """A network as `fit` trains it with the loss "box": projection(box) + strength * affinity(box, picture).

    The box of each mask is computed first, and is all that the losses get; metrics, which train nothing, are those of
    the mask. A strong affinity at the start would reward a blank answer, so its strength rises linearly.

    Args:
        network: Functional model from `image` to `probability`; compile with the loss `projection`.
        steps_per_epoch: Steps of the optimizer that make an epoch.
        affinity: Weight of the pairwise term.
        warmup_epochs: Epochs over which that weight rises from 0.
        contrast, distance: As in `tfrespam.affinity.Affinity`.
    """

    def __init__(self, network, steps_per_epoch: int, affinity=1.0, warmup_epochs=1.0, contrast=0.1, distance=2):
        super().__init__()
        self.built = True  # its part is
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
        """The pairwise term's weight now. The optimizer counts the steps, and is restored with a run that goes on."""
        steps = ops.cast(inner(self.optimizer).iterations, "float32")
        return self.affinity * ops.minimum(steps / self.warmup_steps, 1.0)


def box_supervised(network: keras.Model, training: TrainingConfig, steps_per_epoch: int) -> BoxSupervision:
    """The network as `--training.loss box` trains it. Raises UserError for one that would see the masks after all."""
    if isinstance(network.output, dict):
        raise UserError("--training.loss box trains networks without side outputs, which would learn from the masks. "
                        f"Received: {network.name} with {', '.join(network.output_names)}")
    unknown = [name for name in training.loss_options if name not in PROJECTION + PAIRS]
    if unknown:
        known = ", ".join(PROJECTION + PAIRS)
        raise UserError(f"Options of --training.loss box: {known}. Received: {', '.join(unknown)}")
    _check_pairs(training.loss_options, network.input_shape[1])
    return BoxSupervision(network, steps_per_epoch, **_some(training, PAIRS))


def _check_pairs(options: Mapping, side: int) -> None:
    distance = options.get("distance", 2)
    wrong = {name: options[name] for name in PAIRS if name in options and not (is_number(options[name])
                                                                               and options[name] >= 0)}  # fmt: skip
    if wrong:
        raise UserError(f"Options of --training.loss box must be numbers of 0 or more. Received: {wrong}")
    if distance != int(distance) or not 1 <= distance < side:
        raise UserError("The option distance of --training.loss box must be a whole number of pixels, from 1 to "
                        f"{side - 1}. Received: {distance}")  # fmt: skip


def projection_of(training: TrainingConfig) -> PerImageLoss:
    """The loss that `BoxSupervision` is compiled with."""
    return get_loss("projection", **_some(training, PROJECTION))


def _some(training: TrainingConfig, names: tuple[str, ...]) -> dict:
    return {name: value for name, value in training.loss_options.items() if name in names}
