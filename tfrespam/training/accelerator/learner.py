"""Keras model that holds a network and its training images on the device."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from tfrespam.losses import outline
from tfrespam.training.accelerator import device_augment
from tfrespam.training.objectives.side_outputs import MAIN


class Examples(NamedTuple):
    """Images and masks on the host, before they are copied to the device.

    Args:
        images: (P, H, W) float32 in [0, 1].
        masks: (P, H, W) uint8 {0, 1}.
        wider: Images and masks of the same lesions in wider crops, for recropping in training; None without.
        context, factor: Arguments of `device_augment.recrop` for the wider crops; unused without them.
    """

    images: np.ndarray
    masks: np.ndarray
    wider: tuple[np.ndarray, np.ndarray] | None = None
    context: float = 1.0
    factor: float = 1.0


class Objective(NamedTuple):
    """Loss of a network's probability map, and of its auxiliary outputs if it has any.

    Args:
        loss: Loss of mask and probability.
        side_loss: Loss of the mask, or its outline, and an auxiliary output.
        side_weights: Weight of each auxiliary output, by its name; {} without.
        decay_epochs: Epochs after which auxiliary outputs no longer count, as in `SideSupervision`; 0 for a constant
            weight.
        steps_per_epoch: Steps of an epoch.
    """

    loss: keras.losses.Loss
    side_loss: keras.losses.Loss | None = None
    side_weights: dict[str, float] | None = None
    decay_epochs: float = 0.0
    steps_per_epoch: int = 1


class Learner(keras.Model):
    """Keras model whose `fit` takes indices and transforms of images: {"image_index": (N,), "transform": (N, 8 or 11)}.

    Each step takes these images from the device's memory, transforms them and trains the network on them.

    The running average of the weights is that of `averaging.WeightAverage`. A step adds the weights of the step before
    it; after the last step `final_average` adds the last weights.

    Args:
        network: Functional model from an image to "probability", or to a dict with it and auxiliary outputs.
        objective: Loss.
        examples: Images and masks.
        metrics: Keras metrics of mask and probability.
        momentum: Largest momentum of the running average; 0 switches it off.
        noise: Standard deviation of the normal noise that is added to training images.
        seed: Seed of that noise.
    """

    def __init__(self, network, objective: Objective, examples: Examples, metrics, momentum: float = 0.0,
                 noise: float = 0.0, seed: int = 0):  # fmt: skip
        super().__init__(dtype="float32")
        self.built = True  # the network is already built
        self.network, self.objective, self.scores = network, objective, list(metrics)
        self.momentum, self.noise = momentum, noise
        self.context, self.factor = examples.context, examples.factor
        self.stored = self._on_device(examples.images, examples.masks)
        self.wider = self._on_device(*examples.wider) if examples.wider else None
        self.steps = keras.Variable(0, trainable=False, dtype="int32", name="steps")
        self.average = [keras.Variable(host_copy(weight), trainable=False, dtype=weight.dtype, name=f"average{place}")
                        for place, weight in enumerate(floating_weights(network))] if momentum else []  # fmt: skip
        self.random = keras.random.SeedGenerator(seed)

    @staticmethod
    def _on_device(images: np.ndarray, masks: np.ndarray) -> list[keras.Variable]:
        return [keras.Variable(images[..., None].astype("float32"), trainable=False, dtype="float32", name="images"),
                keras.Variable(masks[..., None], trainable=False, dtype="uint8", name="masks")]  # fmt: skip

    def call(self, inputs, training=None):
        if training:
            self._average_last_step()
            self.steps.assign(self.steps + 1)
        images, masks = self._batch(inputs["image_index"], ops.cast(inputs["transform"], "float32"), training)
        output = self.network(images, training=training)
        return {"mask": masks, **(output if isinstance(output, dict) else {MAIN: output})}

    def masks(self, inputs) -> np.ndarray:
        """Return the masks (N, H, W, 1) in {0, 1} of a batch without running the network."""
        return ops.convert_to_numpy(self._batch(inputs["image_index"], inputs["transform"], training=False)[1])

    def _batch(self, index, transform, training):
        """Take and transform images and masks of a batch: (N, H, W, 1) float32 each."""
        wide = training and self.wider is not None
        images, masks = (ops.take(each, index, axis=0) for each in (self.wider if wide else self.stored))
        masks = ops.cast(masks, "float32")
        if wide:
            images, masks = device_augment.recrop(images, masks, transform, self.context, self.factor)
        else:
            images, masks = device_augment.apply(images, masks, transform)
        if training and self.noise:
            images = images + self.noise * keras.random.normal(ops.shape(images), seed=self.random)
            images = ops.clip(images, 0.0, 1.0)
        return images, masks

    def _momentum(self):
        done = ops.cast(self.steps, "float32")
        return ops.minimum(self.momentum, (1 + done) / (10 + done))

    def _average_last_step(self):
        """Add the weights after the previous step to the average; nothing before the first step."""
        share = ops.where(self.steps > 0, 1.0 - self._momentum(), 0.0)
        for average, weight in zip(self.average, floating_weights(self.network) if self.average else (), strict=True):
            change = ops.cast(share, average.dtype) * (average - ops.stop_gradient(ops.convert_to_tensor(weight)))
            average.assign(average - change)

    def final_average(self) -> list[np.ndarray]:
        """Return the running average that includes the last step, or the weights themselves without averaging."""
        weights = [host_copy(weight) for weight in floating_weights(self.network)]
        if not self.average:
            return weights
        done = int(self.steps)
        share = np.float32(1 - min(self.momentum, (1 + done) / (10 + done))) if done else np.float32(0)
        known = [ops.convert_to_numpy(average) for average in self.average]
        return [average - share * (average - weight) for average, weight in zip(known, weights, strict=True)]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        mask, objective = y_pred["mask"], self.objective
        loss = objective.loss(mask, y_pred[MAIN])
        if objective.side_weights:
            edge = outline(mask)
            loss = loss + self._side_weight() * sum(
                weight * objective.side_loss(edge if name.startswith("boundary") else mask, y_pred[name])
                for name, weight in objective.side_weights.items())
        return loss

    def _side_weight(self):
        if not self.objective.decay_epochs:
            return 1.0
        epoch = ops.cast((self.steps - 1) // self.objective.steps_per_epoch, "float32")  # `steps` includes this one
        return ops.square(ops.maximum(1.0 - epoch / self.objective.decay_epochs, 0.0))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        for score in self.scores:
            score.update_state(y_pred["mask"], y_pred[MAIN])
        return self.get_metrics_result()


def host_copy(variable) -> np.ndarray:
    """Copy a variable's value: JAX reuses the memory of a step, and an array of it may share memory with NumPy."""
    return np.array(ops.convert_to_numpy(variable))


def floating_weights(network: keras.Model) -> list:
    """Return the network's floating-point weights; integer counters cannot be averaged."""
    return [weight for weight in network.weights if keras.backend.is_float_dtype(weight.dtype)]
