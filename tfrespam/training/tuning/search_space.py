"""Search space of the stage `tune`: hyperparameters and their ranges."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfrespam.config import BOX_LOSSES, Experiment

RESPAM_ONLY = ("reduction", "fusion")


def names(experiment: Experiment) -> tuple[str, ...]:
    """Return the hyperparameters that exist for the experiment's network and loss."""
    foreign = () if experiment.model.name == "respam_unet" else RESPAM_ONLY
    foreign += () if experiment.training.loss == "bce_dice" else ("loss_weight",)
    foreign += (*RESPAM_ONLY, "width") if experiment.training.initial_weights else ()  # which fit one network only
    return tuple(name for name in _DRAWS if name not in foreign)


def draw(hyperparameters, experiment: Experiment, searched: tuple[str, ...]) -> dict[str, Any]:
    """Draw a value of each searched hyperparameter from KerasTuner's `HyperParameters`."""
    return {name: _DRAWS[name](hyperparameters, experiment) for name in searched}


def apply(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """Return the experiment with the drawn `values`, by name of the hyperparameter."""
    for name, value in values.items():
        experiment = _APPLY[name](experiment, value)
    return experiment


def _near(name: str, low: float, high: float):
    """Return a function that draws between `low` and `high` times the experiment's value, on a logarithmic scale."""

    def drawn(hyperparameters, experiment):
        own = getattr(experiment.model if name == "width" else experiment.training, name)
        return hyperparameters.Float(name, low * own, high * own, sampling="log", default=own)

    return drawn


_DRAWS = {
    "width": lambda hp, e: hp.Choice("width", [e.model.width * f for f in (0.5, 1.0, 1.5, 2.0)], default=e.model.width),
    "reduction": lambda hp, e: hp.Choice("reduction", [4, 8, 16], default=16),
    "fusion": lambda hp, e: hp.Choice("fusion", ["add", "concat", "add_and_restore"], default="add"),
    "loss_weight": lambda hp, e: hp.Float("loss_weight", 0.25, 4.0, sampling="log", default=1.0),
    "learning_rate": _near("learning_rate", 0.2, 5.0),
    "augmentation": lambda hp, e: hp.Choice("augmentation", [0.0, 0.25, 0.5, 1.0]),
}


def _option(name: str):
    def applied(experiment, value):
        model = dataclasses.replace(experiment.model, options={**experiment.model.options, name: value})
        return dataclasses.replace(experiment, model=model)

    return applied


def _trained(experiment: Experiment, **changes) -> Experiment:
    return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, **changes))


def _augmented(experiment: Experiment, strength: float) -> Experiment:
    """Set all transforms except flips to `strength`; 1 is about the strongest that crops of masses allow.

    Shifts stay 0 with recropping and rotations stay 0 with the loss "box", because `config_checks.check` forbids them.
    """
    rotation = 0.0 if experiment.training.loss in BOX_LOSSES else 30.0 * strength
    shift = 0.0 if experiment.augment.recrop else 0.05 * strength
    augment = dataclasses.replace(
        experiment.augment, rotation_degrees=rotation, scale=0.2 * strength, shift=shift,
        gamma=0.3 * strength, contrast=0.2 * strength, noise=0.02 * strength)  # fmt: skip
    return dataclasses.replace(experiment, augment=augment)


_APPLY = {
    "width": lambda e, value: dataclasses.replace(e, model=dataclasses.replace(e.model, width=value)),
    "reduction": _option("reduction"),
    "fusion": _option("fusion"),
    "loss_weight": lambda e, value: _trained(e, loss="bce_dice", loss_options={"dice_weight": value}),
    "learning_rate": lambda e, value: _trained(e, learning_rate=value),
    "augmentation": _augmented,
}
