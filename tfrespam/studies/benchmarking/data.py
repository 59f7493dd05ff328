"""Throughput, in examples a second, of the input pipeline and of data preparation."""

import contextlib
import dataclasses
import functools
import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrespam.config import AugmentConfig, DataConfig
from tfrespam.core.workers import pool
from tfrespam.data.loading import pipeline, prepared
from tfrespam.data.loading.augment import Augment
from tfrespam.data.loading.augment.resampling import compose, resample
from tfrespam.data.phantom.dataset import write_phantom
from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.readers import sources
from tfrespam.workflows.preparation import prepare_source

STRONG = AugmentConfig(rotation_degrees=30, quarter_turns=True, scale=0.2, shift=0.05, gamma=0.3, contrast=0.2,
                       noise=0.01)  # fmt: skip


def prepare_rates(folder: Path, image_size: int, patients: int, workers: tuple[int, ...]) -> dict[str, float]:
    """Measure the films a second of `prepare` on phantom films, for each number of processes.

    "whole" is the rate of the whole stage, in which start and end dominate for so few films. "reading" is the rate of
    the running reader processes, which applies to many films. "decoding" is the rate of one process that only decodes
    films and their masks.
    """
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
        list(readers.map(read, films[: 8 * workers]))  # warm-up: every process imports its modules
        start = time.perf_counter()
        count = sum(1 for _ in readers.map(read, films, chunksize=4))
        return count / (time.perf_counter() - start)


def pipeline_rates(folder: Path, image_size: int, batch_size: int, seconds: float) -> dict[str, float]:
    """Measure the examples a second of the training pipeline, with the paper's augmentation and with all kinds.

    "resampling" is the rate of the same cores when they only rotate images and masks.
    """
    home = next(folder.glob("prepared-*"))
    data = prepared.find(home, DataConfig("phantom", image_size=image_size))
    everything = np.ones(len(data.table["split"]), bool)
    rates = {}
    kinds = {"rotation and flips": AugmentConfig(), "all kinds": STRONG}
    kinds |= {f"{name}, joint draw": dataclasses.replace(config, draw="joint") for name, config in kinds.items()}
    for name, config in kinds.items():
        stream = pipeline.training(data, everything, config, batch_size=batch_size, seed=0)
        rates[name] = _rate(stream.as_numpy_iterator(), batch_size, seconds)
    return {**rates, "resampling": _rate(_resampled(image_size, batch_size), batch_size, seconds)}


def _resampled(image_size: int, batch_size: int) -> Iterator:
    augment = Augment(rotation_degrees=10.0, flips=True)
    drawn = augment.draw(tf.stack([tf.range(batch_size)] * 2, 1))
    side = tf.constant(float(image_size))
    matrices = compose([each.matrix(drawn[each.name], side, side) for each in augment.geometric], side, side)
    images = tf.random.stateless_uniform([batch_size, image_size, image_size, 1], (0, 0))
    masks = tf.cast(images > 0.5, tf.uint8)

    def rotate(*pair):
        return tuple(resample(each, matrices) for each in pair)

    stream = tf.data.Dataset.from_tensors((images, masks)).repeat().map(rotate, tf.data.AUTOTUNE)
    return stream.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def _rate(stream: Iterator, batch_size: int, seconds: float) -> float:
    """Measure the examples a second of an endless stream of batches."""
    for _ in itertools.islice(stream, 8):  # fill cache and buffers
        pass
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(stream)
        count += batch_size
    return count / (time.perf_counter() - start)
