"""Augmentation of the paper: make 13 copies of every training lesion first, and split them afterwards."""

import io
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.augment import JointAugment
from tfrespam.data.loading.prepared import COPIES, Prepared

PAPER = AugmentConfig(rotation_degrees=10.0, flips=True, draw="joint")  # as in all earlier copies


def paper_copies(prepared: Prepared, copies: int = COPIES) -> Iterator[tuple[str, dict]]:
    """Yield (key, example) of the original (copy 0) and `copies` - 1 augmented copies of each training lesion.

    A copy depends only on its number and the id of its lesion.
    """
    chosen = prepared.table["split"] != "test"
    dataset = pipeline.encoded(prepared, chosen).flat_map(
        lambda example: tf.data.Dataset.range(copies).map(lambda copy: {**example, "copy": copy}))  # fmt: skip
    seeds = tf.constant([[zlib.crc32(name.encode()) & 0x3FFFFFFF] for name in prepared.table["lesion_id"][chosen]])
    numbered = dataset.enumerate().map(lambda n, example: (seeds[n // copies, 0], example))
    made = numbered.map(_copy, tf.data.AUTOTUNE, deterministic=True)
    with pipeline.corruption_as_user_error(prepared):
        for example in made.as_numpy_iterator():
            yield f"{example['lesion_id'].decode()}-{example['copy']}", _storable(example)


def _copy(seed: tf.Tensor, example: dict) -> dict:
    image, mask = pipeline.to_float(*pipeline.decode(example))
    seeds = tf.stack([seed, tf.cast(example["copy"], tf.int32)])[tf.newaxis]
    turned, turned_mask = (each[0] for each in JointAugment(PAPER)(image[tf.newaxis], mask[tf.newaxis], seeds))
    original = example["copy"] == 0
    image, mask = tf.where(original, image, turned), tf.where(original, mask, turned_mask)
    stored = tf.cast(tf.round(image * 65535.0), tf.uint16), tf.cast(mask, tf.uint8)
    pixels = tf.cast(tf.reduce_sum(mask), tf.int64)
    return {**example, "image": tf.io.encode_png(stored[0], 1), "mask": tf.io.encode_png(stored[1], 1),
            "mass_pixels": pixels}  # fmt: skip


def _storable(example: dict) -> dict:
    text = {name: value.decode() for name, value in example.items()
            if isinstance(value, bytes) and name not in ("image", "mask")}  # fmt: skip
    images = {name: io.BytesIO(example[name]) for name in ("image", "mask")}
    numbers = {name: value for name, value in example.items() if isinstance(value, (np.generic, np.ndarray))}
    return {**numbers, **text, **images}
