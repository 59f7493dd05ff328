"""A tiny network and an experiment that trains within seconds, for tests of the code around them."""

import dataclasses
from pathlib import Path

import keras
from keras import layers

from tfrespam.config import Experiment
from tfrespam.models import BUILDERS, DISCRIMINATORS
from tfrespam.training.runs import TrainingRun

SIZE = 32
SHOWN = {"training__tensorboard_images": 2, "training__tensorboard_curves": 10}  # which `experiment` leaves out


def network(input_shape, width=1.0, *, dropout=0.2, side_outputs=False):
    """Build a network of convolution, batch normalisation, dropout and sigmoid: all kinds of layers with a state."""
    image = keras.Input(input_shape, name="image")
    features = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    features = layers.BatchNormalization(momentum=0.9, name="bn")(features)
    features = layers.Dropout(dropout, name="dropout")(layers.ReLU(name="relu")(features))
    logits = layers.Conv2D(1, 1, dtype="float32", name="logits")(features)
    probability = layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    sides = {name: layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name=name)(features)
             for name in ("boundary1", "mask1") if side_outputs}  # fmt: skip
    return keras.Model(image, {"probability": probability, **sides} if sides else probability)


def discriminator(input_shape, width=1.0):
    """Build a discriminator with a 2 x 2 output and all kinds of layers with a state."""
    inputs = [keras.Input((*input_shape[:2], channels)) for channels in (input_shape[2], 1)]
    features = layers.Conv2D(4, 4, input_shape[0] // 2)(layers.Concatenate()(inputs))
    features = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(features)))
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(features))


BUILDERS["tiny"] = BUILDERS["tiny_rival"] = network
DISCRIMINATORS["tiny_rival"] = discriminator


def experiment(home: Path, data_dir: Path, **settings) -> Experiment:
    """Make an experiment of two epochs on the data set `tiny`, without images and curves in TensorBoard.

    `settings` are dotted names with __ for the dot.
    """
    made = Experiment(name="exp", data_dir=str(data_dir), runs_dir=str(home / "runs"), models_dir=str(home / "models"))
    usual = {"data__dataset": "tiny", "data__image_size": SIZE, "model__name": "tiny", "training__epochs": 2,
             "training__batch_size": 3, "training__learning_rate": 1e-2,
             **dict.fromkeys(SHOWN, 0)}  # fmt: skip
    for name, value in (usual | settings).items():
        made = _replaced(made, name.split("__"), value)
    return made


def _replaced(config, names, value):
    first, *rest = names
    return dataclasses.replace(config, **{first: _replaced(getattr(config, first), rest, value) if rest else value})


def run_of(made: Experiment, prepared, splits, folder: Path) -> TrainingRun:
    """Make a run with the given examples in the given folder."""
    run = TrainingRun(made, folder)
    run.prepared, run.splits = prepared, splits
    return run


def options(made: Experiment) -> list[str]:
    """Return the command line options of the experiment."""
    return [f"--{name}={value}" for name, value in _flat(dataclasses.asdict(made)).items()]


def _flat(settings: dict, prefix: str = "") -> dict:
    flat = {}
    for name, value in settings.items():
        nested = isinstance(value, dict) and name != "options"
        flat |= _flat(value, f"{prefix}{name}.") if nested else {prefix + name: _text(value)}
    return flat


def _text(value) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":  # python tiny.py OPTIONS: the train stage, which then knows the network by name
    from tfrespam.train import main

    main()
