"""Deep supervision: auxiliary outputs of a network are trained on the mask too, with a separate loss and weights."""

from collections.abc import Sequence

import keras
from keras import ops

from tfrespam.core.errors import UserError
from tfrespam.losses import outline
from tfrespam.training.optimizer import inner

MAIN = "probability"


class SideSupervision(keras.Model):
    """Model that trains a network with auxiliary outputs.

    The loss is loss(probability) + weight(e) * sum of w_i side_loss(auxiliary output i). Auxiliary outputs named
    `mask...` are compared with the mask, those named `boundary...` with its outline (DS U-Net: Ravitha Rajalakshmi et
    al., 2021, doi 10.1002/ima.22516). weight(e) is (1 - e / decay_epochs)^2 in epoch e, counted from 0, and 0 from
    `decay_epochs` on. Metrics are those of `probability` and keep their names; the loss, in training and in validation,
    is the whole sum.

    Args:
        network: Functional model with a dict of outputs that includes `probability`.
        side_loss: Loss of a mask and an auxiliary output.
        side_weights: w_i in the order of the auxiliary outputs' names (`boundary1`, ..., `mask1`, ...), or one value
            for all.
        decay_epochs: Epochs after which the auxiliary outputs no longer count; 0 for a constant weight.
        steps_per_epoch: Optimizer steps an epoch.
    """

    def __init__(self, network, side_loss, side_weights: Sequence[float], decay_epochs: float, steps_per_epoch: int):
        super().__init__()
        self.built = True  # the network is already built
        self.network = network
        self.side_loss = side_loss
        self.side_weights = weights_by_name([name for name in network.output_names if name != MAIN], side_weights)
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred[MAIN], sample_weight, training)
        mask, edge = ops.cast(y, "float32"), outline(y)
        total = sum(weight * self.side_loss(edge if name.startswith("boundary") else mask, y_pred[name], sample_weight)
                    for name, weight in self.side_weights.items())  # fmt: skip
        return loss + self.side_weight() * total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, y_pred[MAIN], sample_weight)

    def side_weight(self):
        """Return weight(e), from the optimizer's step count, which a checkpoint restores."""
        if not self.decay_epochs:
            return 1.0
        epoch = ops.cast(inner(self.optimizer).iterations // self.steps_per_epoch, "float32")
        return ops.square(ops.maximum(1.0 - epoch / self.decay_epochs, 0.0))


def weights_by_name(names: list[str], weights: Sequence[float]) -> dict[str, float]:
    """Map each auxiliary output to its weight, from one weight for each or one for all. Raises UserError otherwise."""
    if len(weights) not in (1, len(names)):
        raise UserError(f"`training.side_weights` must hold one number, or one for each of {', '.join(names)}. "
                        f"Received: {list(weights)}")
    return dict(zip(names, list(weights) * (len(names) if len(weights) == 1 else 1), strict=True))
