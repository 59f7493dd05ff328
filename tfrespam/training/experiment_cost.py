"""Measure time, memory and disk space of a training step of an experiment."""

import dataclasses

from tfrespam.config import Experiment
from tfrespam.data.loading.pairs import channels
from tfrespam.training.estimate import Measured
from tfrespam.training.fit import compiled
from tfrespam.training.step_cost import measure


def measure_training(experiment: Experiment) -> Measured:
    """Measure steps of an experiment's network as `fit` compiles it. TensorFlow must have been started."""
    training, data = experiment.training, experiment.data
    alone = dataclasses.replace(experiment, training=dataclasses.replace(training, steps_per_execution=1))
    return measure(compiled(alone, 100), (*data.image_shape, channels(data.second)), training.batch_size)
