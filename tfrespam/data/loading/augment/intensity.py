"""Changes of grey values: transforms, and the arithmetic that `JointAugment` shares with them."""

import tensorflow as tf

from tfrespam.data.loading.augment.transform import Intensity


def change_gamma(images: tf.Tensor, exponents: tf.Tensor) -> tf.Tensor:
    """Raise grey values, clipped to [0, 1], to the power of each image's exponent (N,)."""
    return tf.pow(tf.clip_by_value(images, 0.0, 1.0), exponents[:, None, None, None])


def change_contrast(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Multiply the distance of grey values from each image's mean by its factor (N,)."""
    means = tf.reduce_mean(images, (1, 2), keepdims=True)
    return means + (images - means) * factors[:, None, None, None]


def normal_noise(shape: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Draw normal numbers of `shape` (N, H, W, C), each image's from its own seed (N, 2)."""
    one = tf.TensorSpec([None, None, None], tf.float32)
    return tf.map_fn(lambda seed: tf.random.stateless_normal(shape[1:], seed), seeds, fn_output_signature=one)


class Gamma(Intensity):
    """Exponent of the grey values, log-uniform within 1/(1+gamma) and 1+gamma."""

    def __init__(self, gamma: float):
        self.gamma = gamma

    def draw(self, numbers):
        return tf.pow(1.0 + self.gamma, numbers[:, 0])

    def apply(self, drawn, images):
        return change_gamma(images, drawn)


class Contrast(Intensity):
    """Factor on the grey values about their mean, uniform within 1 plus and minus `share`."""

    def __init__(self, share: float):
        self.share = share

    def draw(self, numbers):
        return 1.0 + numbers[:, 0] * self.share

    def apply(self, drawn, images):
        return change_contrast(images, drawn)


class Noise(Intensity):
    """Added normal noise of standard deviation `deviation`, in grey values of [0, 1]."""

    count = 2

    def __init__(self, deviation: float):
        self.deviation = deviation

    def draw(self, numbers):
        return tf.cast(numbers * 2.0**23, tf.int32)  # a seed for each image

    def apply(self, drawn, images):
        return images + self.deviation * normal_noise(tf.shape(images), drawn)
