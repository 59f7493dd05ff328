"""tf.data: shards -> chosen examples -> shuffle -> augmentation on the fly -> batches, the same after every restart."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfrespam.config import AugmentConfig
from tfrespam.data import augment, recrop
from tfrespam.data.prepared import Prepared

DECODED_LIMIT = 3 << 30  # bytes; a larger set stays encoded in memory and is decoded again each epoch


def encoded(prepared: Prepared, chosen: np.ndarray) -> tf.data.Dataset:
    """Features of the chosen examples as stored, pictures still PNG bytes, in the order of index.csv.

    Args:
        prepared: The data set.
        chosen: Bool per row of index.csv.
    """
    builder = tfds.builder_from_directory(prepared.shards)
    config = tfds.ReadConfig(interleave_cycle_length=1, shuffle_seed=None)
    skip = {name: tfds.decode.SkipDecoding() for name in ("image", "mask")}
    dataset = builder.as_dataset(split="all", shuffle_files=False, read_config=config, decoders=skip)
    chosen = tf.constant(chosen)
    dataset = dataset.enumerate().filter(lambda position, _: chosen[position]).map(lambda _, example: example)
    return dataset.apply(tf.data.experimental.assert_cardinality(int(np.sum(chosen))))


def decode(example: dict) -> tuple[tf.Tensor, tf.Tensor]:
    """PNG bytes to `image` (H, W, 1) uint16 and `mask` (H, W, 1) uint8 {0, 1}."""
    return tf.io.decode_png(example["image"], 1, tf.uint16), tf.io.decode_png(example["mask"], 1)


def to_float(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """uint16 grey values to float32 in [0, 1], mask to float32 {0, 1}."""
    return tf.cast(image, tf.float32) / 65535.0, tf.cast(mask, tf.float32)


class Share(NamedTuple):
    """Which part of each step's examples a worker takes, and in batches for how many devices."""

    worker: int = 0
    workers: int = 1
    devices: int = 1  # of all workers together


ALL = Share()


def training(prepared: Prepared, chosen: np.ndarray, config: AugmentConfig, *, batch_size: int, seed: int,
             first_step: int = 0, share: Share = ALL) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of augmented (image, mask) batches that depends on its arguments alone.

    Example number n of the stream (counted over all epochs) is augmented with seed (seed, n), so a run resumed at
    `first_step` sees exactly what the undisturbed run would have seen. Each example comes once in an epoch; no batch
    is short. A `share` gives one worker's examples of each step, one batch for each of its devices: together the
    shares are the stream, each example once.

    With `config.recrop` the data set holds wider crops (`prepared.find_wider`), out of which pictures are cut.
    """
    count = int(np.sum(chosen))
    pixels = prepared.facts["image_size"] ** 2 * 3 * count
    keep_decoded = pixels <= DECODED_LIMIT
    dataset = encoded(prepared, chosen)
    parallel = tf.data.AUTOTUNE
    if keep_decoded:
        dataset = dataset.map(decode, parallel)
    dataset = dataset.cache().shuffle(count, seed=seed, reshuffle_each_iteration=True).repeat()
    dataset = dataset.enumerate().skip(first_step * batch_size).filter(_taken(share, batch_size))

    def drawn(number, *example):
        image, mask = example[0] if keep_decoded else decode(example[0])
        return augment.draw(config, tf.stack([tf.cast(seed, tf.int64), number])), *_shaped(prepared, image, mask)

    moves, regrades = augment.moves(config), augment.regrades(config)

    def augmented(transforms, images, masks):
        images = to_float(images, masks)[0]
        if config.recrop:
            context = prepared.facts["context"] / config.recrop
            images, masks = recrop.cut(transforms, images, masks, context, config.recrop)
        return augment.apply_batch(transforms, images, masks, noise=config.noise,
                                   moves=moves and not config.recrop, regrades=regrades)  # fmt: skip

    dataset = dataset.map(drawn, parallel, deterministic=True).batch(batch_size // share.devices, drop_remainder=True)
    return dataset.map(augmented, parallel, deterministic=True).prefetch(parallel)


def _taken(share: Share, batch_size: int):
    """Whether example number n of the stream is the worker's: of each step it takes a run of equal length."""
    return lambda number, *_: number % batch_size // (batch_size // share.workers) == share.worker


def evaluation(prepared: Prepared, chosen: np.ndarray, *, batch_size: int) -> tf.data.Dataset:
    """The chosen examples once, as they are, in the order of index.csv; the last batch may be short."""
    def plain(example):
        return _shaped(prepared, *to_float(*decode(example)))

    dataset = encoded(prepared, chosen).map(plain, tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def padded_evaluation(prepared: Prepared, chosen: np.ndarray, *, batch_size: int, share: Share) -> tf.data.Dataset:
    """As `evaluation`, for several devices: (image, mask, weight) batches that are all full, one for each device.

    The last step is filled up with black pictures of weight 0 (a device without an example would give NaN). The real
    ones weigh as much above 1 as makes Keras' mean over all examples, the filled ones included, the mean over the real.
    """
    count, size = int(np.sum(chosen)), prepared.facts["image_size"]
    whole = -(-count // batch_size) * batch_size

    def weighted(example):
        return *_shaped(prepared, *to_float(*decode(example))), tf.constant(whole / count)

    black = tf.zeros((size, size, 1))
    filled = tf.data.Dataset.from_tensors((black, black, 0.0)).repeat(whole - count)
    dataset = encoded(prepared, chosen).map(weighted, tf.data.AUTOTUNE).concatenate(filled)
    dataset = dataset.enumerate().filter(_taken(share, batch_size)).map(lambda _, example: example)
    return dataset.batch(batch_size // share.devices, drop_remainder=True).cache().prefetch(tf.data.AUTOTUNE)


def _shaped(prepared: Prepared, *pictures: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The pictures with their size known to the graph, as Keras' resizing layers want it."""
    size = prepared.facts["image_size"]
    return tuple(tf.ensure_shape(picture, (size, size, 1)) for picture in pictures)
