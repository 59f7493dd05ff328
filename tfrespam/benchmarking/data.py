"""Examples a second: out of the input pipeline, and into the prepared data set."""

import contextlib
import functools
import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrespam.config import AugmentConfig, DataConfig
from tfrespam.data.examples import CropPolicy, film_examples
from tfrespam.workers import pool

STRONG = AugmentConfig(rotation_degrees=30, quarter_turns=True, scale=0.2, shift=0.05, gamma=0.3, contrast=0.2,
                       noise=0.01)  # fmt: skip


def prepare_rates(folder: Path, image_size: int, patients: int, workers: tuple[int, ...]) -> dict[str, float]:
    """Films a second of `prepare` on phantom films, for each number of processes: of the whole stage, whose start and
    end weigh much on so few films, and of the reading processes once they are there, which is what many films cost.

    "decoding" is what one process reaches that does nothing but decode films and their masks.
    """
    from tfrespam.data import sources
    from tfrespam.data.phantom import write_phantom
    from tfrespam.prepare import prepare_source

    download = folder / "download"
    if not download.exists():
        write_phantom(download, patients=patients)
    module = sources.find_source(download)
    films = module.scan(download).films
    rates = {}
    for count in workers:
        home, start = folder / f"prepared-{count}", time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            prepare_source(download, home, "phantom", "roi", 1.6, image_size, count)
        rates[f"whole, processes: {count}"] = len(films) / (time.perf_counter() - start)
    for count in workers:
        rates[f"reading, processes: {count}"] = _reading_rate(module.__name__, films * patients, image_size, count)
    start = time.perf_counter()
    for film in films:
        module.read(film)
    return {**rates, "decoding": len(films) / (time.perf_counter() - start)}


def _reading_rate(source: str, films: list, image_size: int, workers: int) -> float:
    policy = CropPolicy("roi", 1.6, image_size)
    read = functools.partial(film_examples, source, policy=policy)
    with pool(workers) as readers:
        list(readers.map(read, films[: 8 * workers]))  # until every process has its modules
        start = time.perf_counter()
        count = sum(1 for _ in readers.map(read, films, chunksize=4))
        return count / (time.perf_counter() - start)


def pipeline_rates(folder: Path, image_size: int, batch_size: int, seconds: float) -> dict[str, float]:
    """Examples a second of the training pipeline with the paper's augmentation and with every kind of it.

    "resampling" is what the same cores reach that do nothing but turn pictures and masks.
    """
    from tfrespam.data import pipeline, prepared

    home = next(folder.glob("prepared-*"))
    data = prepared.find(home, DataConfig("phantom", image_size=image_size))
    everything = np.ones(len(data.table["split"]), bool)
    rates = {}
    for name, config in {"rotation and flips": AugmentConfig(), "all kinds": STRONG}.items():
        stream = pipeline.training(data, everything, config, batch_size=batch_size, seed=0)
        rates[name] = _rate(stream.as_numpy_iterator(), batch_size, seconds)
    return {**rates, "resampling": _rate(_resampled(image_size, batch_size), batch_size, seconds)}


def _resampled(image_size: int, batch_size: int) -> Iterator:
    import tensorflow as tf

    from tfrespam.data import augment

    seeds = tf.stack([tf.range(batch_size)] * 2, 1)
    spec = augment.Transform(*[tf.TensorSpec([])] * 8, noise_seed=tf.TensorSpec([2], tf.int32))
    transforms = tf.map_fn(lambda seed: augment.draw(AugmentConfig(), seed), seeds, fn_output_signature=spec)
    matrices = augment.matrix(transforms, tf.constant([batch_size, image_size, image_size, 1]))
    images = tf.random.stateless_uniform([batch_size, image_size, image_size, 1], (0, 0))
    masks = tf.cast(images > 0.5, tf.uint8)

    def turned(*pictures):
        return tuple(augment.resample(each, matrices) for each in pictures)

    stream = tf.data.Dataset.from_tensors((images, masks)).repeat().map(turned, tf.data.AUTOTUNE)
    return stream.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def _rate(stream: Iterator, batch_size: int, seconds: float) -> float:
    """Examples a second that come out of an endless stream of batches."""
    for _ in itertools.islice(stream, 8):  # fills the cache and the buffers
        pass
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(stream)
        count += batch_size
    return count / (time.perf_counter() - start)
