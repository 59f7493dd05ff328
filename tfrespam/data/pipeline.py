"""tf.data: shards -> chosen examples -> shuffle -> augmentation on the fly -> batches, the same after every restart."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfrespam.config import AugmentConfig
from tfrespam.data import augment, pairs, recrop
from tfrespam.data.prepared import Prepared
from tfrespam.errors import first_line
from tfrespam.faults import outside_fault

DECODED_LIMIT = 3 << 30  # bytes; a larger set stays encoded in memory and is decoded again each epoch


@contextlib.contextmanager
def damage_told(prepared: Prepared) -> Iterator[None]:
    """Raises UserError where the block finds records of the data set that are damaged or missing."""
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.OutOfRangeError,
            tf.errors.FailedPreconditionError) as error:  # fmt: skip
        if outside_fault(error):
            raise
        reason = error.message.splitlines()[0].rpartition("}} ")[2]  # without the name of TensorFlow's own function
        raise prepared.damaged("the TFRecord shards", reason) from None


def encoded(prepared: Prepared, chosen: np.ndarray, second: str = "none") -> tf.data.Dataset:
    """Features of the chosen examples as stored, pictures still PNG bytes, in the order of index.csv.

    Args:
        prepared: The data set.
        chosen: Bool per row of index.csv.
        second: Which picture stands beside each as the feature `second` (`DataConfig.second`); "" where there is none.
    """
    dataset = _stored(prepared, chosen)
    if second == "none":
        return dataset
    images = [example["image"] for example in dataset.as_numpy_iterator()]
    place = {row: n for n, row in enumerate(np.flatnonzero(chosen).tolist())}
    found = [images[place[row]] if row >= 0 else b"" for row in pairs.partners(prepared.table, chosen, second).tolist()]
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
    """PNG bytes to `image` (H, W, 1) uint16 and `mask` (H, W, 1) uint8 {0, 1}; a second picture is a second channel of
    the image, black where there is none.
    """
    image, mask = tf.io.decode_png(example["image"], 1, tf.uint16), tf.io.decode_png(example["mask"], 1)
    if "second" in example:
        data = example["second"]
        second = tf.cond(tf.strings.length(data) > 0, lambda: tf.io.decode_png(data, 1, tf.uint16),
                         lambda: tf.zeros_like(image))  # fmt: skip
        image = tf.concat([image, second], -1)
    return image, mask


def channels(second: str) -> int:
    """How many pictures stand side by side (`DataConfig.second`)."""
    return 1 if second == "none" else 2


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
             first_step: int = 0, share: Share = ALL, second: str = "none") -> tf.data.Dataset:  # fmt: skip
    """An endless stream of augmented (image, mask) batches that depends on its arguments alone.

    Example number n of the stream (counted over all epochs) is augmented with seed (seed, n), so a run resumed at
    `first_step` sees exactly what the undisturbed run would have seen. Each example comes once in an epoch; no batch
    is short. A `share` gives one worker's examples of each step, one batch for each of its devices: together the
    shares are the stream, each example once.

    With `config.recrop` the data set holds wider crops (`prepared.find_wider`), out of which pictures are cut. A
    `second` picture, the image's second channel, is turned and changed as the first is.
    """
    count, pictures = int(np.sum(chosen)), channels(second)
    pixels = prepared.facts["image_size"] ** 2 * (1 + 2 * pictures) * count
    keep_decoded = pixels <= DECODED_LIMIT
    dataset = encoded(prepared, chosen, second)
    parallel = tf.data.AUTOTUNE
    if keep_decoded:
        dataset = dataset.map(decode, parallel)
    dataset = dataset.cache().shuffle(count, seed=seed, reshuffle_each_iteration=True).repeat()
    dataset = dataset.enumerate().skip(first_step * batch_size).filter(_taken(share, batch_size))

    def drawn(number, *example):
        image, mask = example[0] if keep_decoded else decode(example[0])
        transform = augment.draw(config, tf.stack([tf.cast(seed, tf.int64), number]))
        return transform, *_shaped(prepared, pictures, image, mask)

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


def step_lesions(prepared: Prepared, chosen: np.ndarray, batch_size: int, seed: int, step: int) -> list[str]:
    """The lesions of step number `step` of the stream that `training` makes of the same arguments."""
    count = int(np.sum(chosen))
    places = tf.data.Dataset.range(count).shuffle(count, seed=seed, reshuffle_each_iteration=True).repeat()
    drawn = places.skip(step * batch_size).take(batch_size).as_numpy_iterator()
    lesions = prepared.table["lesion_id"][chosen]
    return [str(lesions[place]) for place in drawn]


def _taken(share: Share, batch_size: int):
    """Whether example number n of the stream is the worker's: of each step it takes a run of equal length."""
    return lambda number, *_: number % batch_size // (batch_size // share.workers) == share.worker


def evaluation(prepared: Prepared, chosen: np.ndarray, *, batch_size: int, second: str = "none") -> tf.data.Dataset:
    """The chosen examples once, as they are, in the order of index.csv; the last batch may be short."""
    def plain(example):
        return _shaped(prepared, channels(second), *to_float(*decode(example)))

    dataset = encoded(prepared, chosen, second).map(plain, tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def padded_evaluation(prepared: Prepared, chosen: np.ndarray, *, batch_size: int, share: Share,
                      second: str = "none") -> tf.data.Dataset:  # fmt: skip
    """As `evaluation`, for several devices: (image, mask, weight) batches that are all full, one for each device.

    The last step is filled up with black pictures of weight 0 (a device without an example would give NaN). The real
    ones weigh as much above 1 as makes Keras' mean over all examples, the filled ones included, the mean over the real.
    """
    count, size = int(np.sum(chosen)), prepared.facts["image_size"]
    whole = -(-count // batch_size) * batch_size

    def weighted(example):
        return *_shaped(prepared, channels(second), *to_float(*decode(example))), tf.constant(whole / count)

    black = tf.zeros((size, size, channels(second))), tf.zeros((size, size, 1)), 0.0
    filled = tf.data.Dataset.from_tensors(black).repeat(whole - count)
    dataset = encoded(prepared, chosen, second).map(weighted, tf.data.AUTOTUNE).concatenate(filled)
    dataset = dataset.enumerate().filter(_taken(share, batch_size)).map(lambda _, example: example)
    return dataset.batch(batch_size // share.devices, drop_remainder=True).cache().prefetch(tf.data.AUTOTUNE)


def _shaped(prepared: Prepared, pictures: int, image: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Image and mask with their size known to the graph, as Keras' resizing layers want it."""
    size = prepared.facts["image_size"]
    return tf.ensure_shape(image, (size, size, pictures)), tf.ensure_shape(mask, (size, size, 1))
