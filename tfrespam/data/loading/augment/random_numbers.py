"""Random numbers by seed and name, so that those of a transform do not depend on other transforms.

TensorFlow's stateless generators accept one seed per call; a call for each image and transform would cost more than the
arithmetic of the transforms. Here all images of a batch are drawn at once, by the mixing function of SplitMix64
(Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, doi 10.1145/2660193.2660195).
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

_STEP = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, odd


def uniform(seeds: tf.Tensor, streams: Mapping[str, int]) -> dict[str, tf.Tensor]:
    """Draw float32 numbers, uniform in [-1, 1), from several streams.

    Args:
        seeds: (N, 2) integers.
        streams: Name of a stream -> its number of values for each pair of seeds.

    Returns:
        Name of a stream -> (N, count). A stream's numbers depend only on the seeds and its name.
    """
    first, second = tf.unstack(tf.bitcast(tf.cast(seeds, tf.int64), tf.uint64), axis=1)
    state = _mix(_mix(first + _constant(_STEP)) + second * _constant(_STEP))
    keys = [_key(name, number) for name, count in streams.items() for number in range(count)]
    # without NumPy's type, TensorFlow would convert such large numbers to float64 and lose their last bits
    mixed = _mix(state[:, None] + tf.constant(np.array(keys, np.uint64)))
    top = tf.bitwise.right_shift(mixed, _constant(40))  # as many bits as float32 holds
    numbers = tf.cast(tf.cast(top, tf.int32), tf.float32) * 2.0**-23 - 1.0
    return dict(zip(streams, tf.split(numbers, list(streams.values()), axis=1), strict=True))


def _key(name: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{name} {number}".encode()).digest()[:8], "big")


def _mix(state: tf.Tensor) -> tf.Tensor:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, _constant(shift))) * _constant(factor)
    return tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, _constant(31)))


def _constant(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)
