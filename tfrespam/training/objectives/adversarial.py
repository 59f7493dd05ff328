"""Adversarial training: a network learns from a loss and from a discriminator of predicted and true masks."""

import keras
import tensorflow as tf
from keras import ops


class Adversarial(keras.Model):
    """Model that trains a network and its discriminator alternately (pix2pix; cGAN of Singh et al., 2020).

    In each step the discriminator D is updated first, with the mean of BCE(D(image, mask), 1) and BCE(D(image,
    probability), 0). Then the network is updated, with BCE(D(image, probability), 1) + loss_weight * loss(mask,
    probability). `loss`, in training and in validation, is the latter sum, `discriminator_loss` the former; metrics are
    those of the probability.

    `trainable_variables` are only those of the network, which `optimizer` updates. The discriminator has a separate
    optimizer.

    Args:
        network: Functional model from `image` to `probability`, the generator.
        discriminator: Functional model from [image, mask] to probabilities that the mask is true.
        loss_weight: Factor on the loss given to `compile`.
    """

    def __init__(self, network, discriminator, loss_weight: float):
        super().__init__()
        self.built = True  # network and discriminator are already built
        self.network = network
        self.discriminator = discriminator
        self.loss_weight = loss_weight
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")

    def compile(self, discriminator_optimizer, **kwargs):
        super().compile(**kwargs)
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):  # mixed_float16
            discriminator_optimizer = keras.optimizers.LossScaleOptimizer(discriminator_optimizer)
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def trainable_variables(self):
        return self.network.trainable_variables

    @property
    def trainable_weights(self):
        return self.network.trainable_weights

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def train_step(self, data):
        image, mask, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            probability = self.network(image, training=True)
            with tape.stop_recording():
                self._train_discriminator(image, mask, probability)
            loss = self.compute_loss(image, mask, probability, weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        self._apply_gradients(self.optimizer, tape, scaled, self.network)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(image)[0])
        return self.compute_metrics(image, mask, probability, weight)

    def test_step(self, data):
        image, mask, _ = keras.utils.unpack_x_y_sample_weight(data)
        self._discriminator_loss(image, mask, self.network(image, training=False), training=False)
        return super().test_step(data)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        score = self.discriminator([x, y_pred], training=training)
        return self.loss_weight * loss + _cross_entropy(1.0, score)

    def _train_discriminator(self, image, mask, probability):
        with tf.GradientTape() as tape:
            loss = self._discriminator_loss(image, mask, probability, training=True)
            scaled = self.discriminator_optimizer.scale_loss(loss)
        self._apply_gradients(self.discriminator_optimizer, tape, scaled, self.discriminator)

    def _discriminator_loss(self, image, mask, probability, training):
        """Compute and log the discriminator's loss."""
        true = self.discriminator([image, ops.cast(mask, "float32")], training=training)
        generated = self.discriminator([image, probability], training=training)
        loss = (_cross_entropy(1.0, true) + _cross_entropy(0.0, generated)) / 2
        self.discriminator_loss.update_state(loss, sample_weight=tf.shape(image)[0])
        return loss

    @staticmethod
    def _apply_gradients(optimizer, tape, loss, network):
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))


def _cross_entropy(truth: float, score):
    return ops.mean(ops.binary_crossentropy(ops.full_like(score, truth), score))
