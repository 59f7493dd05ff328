"""Input pipeline with tf.data: read shards, shuffle, augment and batch, reproducibly after every restart."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfrespam.config import AugmentConfig
from tfrespam.core.errors import first_line
from tfrespam.core.faults import outside_fault
from tfrespam.data.loading import augment, pairs, recrop
from tfrespam.data.loading.prepared import Prepared

DECODED_LIMIT = 3 << 30  # bytes; larger data sets are kept encoded in memory and decoded again in each epoch


@contextlib.contextmanager
def corruption_as_user_error(prepared: Prepared) -> Iterator[None]:
    """Convert TensorFlow's errors about damaged or missing records inside the block to UserError."""
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.OutOfRangeError,
            tf.errors.FailedPreconditionError) as error:  # fmt: skip
        if outside_fault(error):
            raise
        reason = error.message.splitlines()[0].rpartition("}} ")[2]  # without the name of TensorFlow's function
        raise prepared.damaged("the TFRecord shards", reason) from None


def encoded(prepared: Prepared, chosen: np.ndarray, second: str = "none",
            among: np.ndarray | None = None) -> tf.data.Dataset:  # fmt: skip
    """Read the features of the chosen examples, images as PNG bytes, in the order of index.csv.

    Args:
        prepared: The data set.
        chosen: Bool per row of index.csv.
        second: Which second image is added as the feature `second` (`DataConfig.second`); "" if there is none.
        among: Bool per row whose image may be such a second image (default: `chosen`, which is then a whole split).
    """
    dataset = _stored(prepared, chosen)
    if second == "none":
        return dataset
    among = chosen if among is None else among
    images = [example["image"] for example in _stored(prepared, among).as_numpy_iterator()]
    place = {row: n for n, row in enumerate(np.flatnonzero(among).tolist())}
    rows = pairs.partners(prepared.table, chosen, second, among).tolist()
    found = [images[place[row]] if row >= 0 else b"" for row in rows]
    seconds = tf.data.Dataset.from_tensor_slices(tf.constant(found, tf.string))
    return tf.data.Dataset.zip(dataset, seconds).map(lambda example, second: {**example, "second": second})


def _stored(prepared: Prepared, chosen: np.ndarray) -> tf.data.Dataset:
    config = tfds.ReadConfig(interleave_cycle_length=1, shuffle_seed=None)
    skip = {name: tfds.decode.SkipDecoding() for name in ("image", "mask")}
    try:
        builder = tfds.builder_from_directory(prepared.shards)
        dataset = builder.as_dataset(split="all", shuffle_files=False, read_config=config, decoders=skip)
    except Exception as error:  # damage makes TFDS raise errors of many types
        if outside_fault(error):
            raise
        what = f"dataset_info.json or features.json in {prepared.shards.name}"
        raise prepared.damaged(what, first_line(error)) from None
    chosen = tf.constant(chosen)
    dataset = dataset.enumerate().filter(lambda position, _: chosen[position]).map(lambda _, example: example)
    return dataset.apply(tf.data.experimental.assert_cardinality(int(np.sum(chosen))))


def decode(example: dict) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode PNG bytes to `image` (H, W, 1) uint16 and `mask` (H, W, 1) uint8 {0, 1}.

    A second image becomes a second channel, black if it is missing.
    """
    image, mask = tf.io.decode_png(example["image"], 1, tf.uint16), tf.io.decode_png(example["mask"], 1)
    if "second" in example:
        data = example["second"]
        second = tf.cond(tf.strings.length(data) > 0, lambda: tf.io.decode_png(data, 1, tf.uint16),
                         lambda: tf.zeros_like(image))  # fmt: skip
        image = tf.concat([image, second], -1)
    return image, mask


def to_float(image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Convert uint16 grey values to float32 in [0, 1], and the mask to float32 {0, 1}."""
    return tf.cast(image, tf.float32) / 65535.0, tf.cast(mask, tf.float32)


class Shard(NamedTuple):
    """The examples of each step that a worker takes, and the number of devices among which they are divided."""

    worker: int = 0
    workers: int = 1
    devices: int = 1  # of all workers together


ALL = Shard()


def training(prepared: Prepared, chosen: np.ndarray, config: AugmentConfig, *, batch_size: int, seed: int,
             first_step: int = 0, shard: Shard = ALL, second: str = "none") -> tf.data.Dataset:  # fmt: skip
    """Create an endless stream of augmented (image, mask) batches that depends only on the arguments.

    Example number n of the stream (counted over all epochs) is augmented with seed (seed, n), so that a run resumed at
    `first_step` uses exactly the examples of an undisturbed run. Each example occurs once an epoch; all batches are
    full. A `shard` gives one worker's examples of each step, one batch for each of its devices; the shards together
    contain each example of the stream once.

    With `config.recrop` the data set contains wider crops (`prepared.find_wider`), from which images are cut. A
    `second` image, the second channel, is transformed as the first is.
    """
    count, depth = int(np.sum(chosen)), pairs.channels(second)
    pixels = math.prod(prepared.image_shape) * (1 + 2 * depth) * count
    keep_decoded = pixels <= DECODED_LIMIT
    dataset = encoded(prepared, chosen, second)
    parallel = tf.data.AUTOTUNE
    if keep_decoded:
        dataset = dataset.map(decode, parallel)
    dataset = dataset.cache().shuffle(count, seed=seed, reshuffle_each_iteration=True).repeat()
    dataset = dataset.enumerate().skip(first_step * batch_size).filter(_in_shard(shard, batch_size))

    def numbered(number, *example):
        image, mask = example[0] if keep_decoded else decode(example[0])
        return tf.stack([tf.cast(seed, tf.int64), number]), *_shaped(prepared, depth, image, mask)

    change = augment.build(config)

    def augmented(seeds, images, masks):
        images, drawn = to_float(images, masks)[0], change.draw(seeds)
        if config.recrop:
            wide = prepared.facts["context"]
            crops = recrop.draw(config, seeds, wide / config.recrop)
            pose = drawn if config.draw == "joint" else recrop.pose(drawn, seeds)
            images, masks = recrop.cut(pose, crops, images, masks, wide, config.recrop,
                                       as_recorded=_as_recorded(config))  # fmt: skip
        return change.apply(drawn, images, masks, geometry=not config.recrop)

    dataset = dataset.map(numbered, parallel, deterministic=True)
    dataset = dataset.batch(batch_size // shard.devices, drop_remainder=True)
    return dataset.map(augmented, parallel, deterministic=True).prefetch(parallel)


def epochs(prepared: Prepared, chosen: np.ndarray, change: Callable, *, batch_size: int, seed: int,
           second: str = "none") -> tf.data.Dataset:  # fmt: skip
    """Batch the chosen examples, shuffled and changed anew in each epoch; the last batch may be short.

    Args:
        prepared: The data set.
        chosen: Bool per row of index.csv.
        change: Function of images (N, H, W, C), masks and seeds (N, 2) that returns images and masks, such as an
            `Augment`.
        batch_size: Examples in a batch.
        seed: Seed of order and changes: the n-th epoch is the same for equal arguments.
        second: As in `encoded`.
    """
    count, images = int(np.sum(chosen)), pairs.channels(second)
    dataset = encoded(prepared, chosen, second)
    keep_decoded = math.prod(prepared.image_shape) * (1 + 2 * images) * count <= DECODED_LIMIT
    if keep_decoded:
        dataset = dataset.map(decode, tf.data.AUTOTUNE)
    dataset = dataset.cache().shuffle(count, seed=seed, reshuffle_each_iteration=True)
    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)

    def seeded(number, example):
        image, mask = example if keep_decoded else decode(example)
        return tf.stack([tf.cast(seed, tf.int64), number]), *_shaped(prepared, images, image, mask)

    def changed(seeds, images, masks):
        return change(*to_float(images, masks), seeds)

    dataset = tf.data.Dataset.zip(numbers, dataset).map(seeded, tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size).map(changed, tf.data.AUTOTUNE, deterministic=True)
    return dataset.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size))).prefetch(tf.data.AUTOTUNE)


def _as_recorded(config: AugmentConfig) -> bool:
    """Return whether crops are cut as in the first recorded runs with recropping."""
    plain = not config.context_range and not config.off_centre and config.crop_shape == "square"
    return config.draw == "joint" and plain


def step_lesions(prepared: Prepared, chosen: np.ndarray, batch_size: int, seed: int, step: int) -> list[str]:
    """Return the lesions of step number `step` of the stream of `training` with the same arguments."""
    count = int(np.sum(chosen))
    places = tf.data.Dataset.range(count).shuffle(count, seed=seed, reshuffle_each_iteration=True).repeat()
    drawn = places.skip(step * batch_size).take(batch_size).as_numpy_iterator()
    lesions = prepared.table["lesion_id"][chosen]
    return [str(lesions[place]) for place in drawn]


def _in_shard(shard: Shard, batch_size: int):
    """Return a predicate of n: whether example n is in the worker's contiguous, equal share of its step."""
    return lambda number, *_: number % batch_size // (batch_size // shard.workers) == shard.worker


def evaluation(prepared: Prepared, chosen: np.ndarray, *, batch_size: int, second: str = "none",
               among: np.ndarray | None = None) -> tf.data.Dataset:  # fmt: skip
    """Batch the chosen examples once, unchanged, in the order of index.csv; the last batch may be short.

    `among` as in `encoded`, for a part of a split.
    """
    def plain(example):
        return _shaped(prepared, pairs.channels(second), *to_float(*decode(example)))

    dataset = encoded(prepared, chosen, second, among).map(plain, tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def padded_evaluation(prepared: Prepared, chosen: np.ndarray, *, batch_size: int, shard: Shard,
                      second: str = "none") -> tf.data.Dataset:  # fmt: skip
    """Batch as `evaluation` for several devices: full (image, mask, weight) batches, one for each device.

    The last step is padded with black images of weight 0 (a device without an example would give NaN). The weight of
    real examples is so far above 1 that Keras' mean over all examples equals the mean over the real ones.
    """
    count, size = int(np.sum(chosen)), prepared.image_shape
    whole = -(-count // batch_size) * batch_size

    def weighted(example):
        return *_shaped(prepared, pairs.channels(second), *to_float(*decode(example))), tf.constant(whole / count)

    black = tf.zeros((*size, pairs.channels(second))), tf.zeros((*size, 1)), 0.0
    padding = tf.data.Dataset.from_tensors(black).repeat(whole - count)
    dataset = encoded(prepared, chosen, second).map(weighted, tf.data.AUTOTUNE).concatenate(padding)
    dataset = dataset.enumerate().filter(_in_shard(shard, batch_size)).map(lambda _, example: example)
    return dataset.batch(batch_size // shard.devices, drop_remainder=True).cache().prefetch(tf.data.AUTOTUNE)


def _shaped(prepared: Prepared, depth: int, image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Set the static shapes of image and mask, which Keras' resizing layers require."""
    size = prepared.image_shape
    return tf.ensure_shape(image, (*size, depth)), tf.ensure_shape(mask, (*size, 1))
