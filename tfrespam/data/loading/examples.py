"""Examples of one split of a prepared data set, for `model.fit` and `model.evaluate`."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
import tensorflow as tf

from tfrespam.config import DataConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import Prepared
from tfrespam.data.loading.protocols import identities

Split = Literal["train", "validation", "test"]
Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Examples:
    """The examples of one split.

    Args:
        prepared: The data set.
        chosen: Bool per row of the data set's table.
        data: Protocol, fold and excluded films.
        split: "train", "validation" or "test".
        audit: Number of examples whose copy, film, breast or patient is among the training examples.
        seed: Seed of the protocol `paper`.
    """

    prepared: Prepared
    chosen: np.ndarray
    data: DataConfig
    split: Split
    audit: dict[str, int | None]
    seed: int = 0

    def __len__(self) -> int:
        return int(self.chosen.sum())

    @property
    def table(self) -> dict[str, np.ndarray]:
        """Metadata of the examples by column, (N,) each: `lesion_id`, `patient_id`, `pathology` …"""
        return {name: values[self.chosen] for name, values in self.prepared.table.items()}

    @property
    def trained_on(self) -> dict[str, list[str]]:
        """Hashes of lesions, films, breasts and patients, with which an export can detect leaks later."""
        return identities(self.prepared.table, self.chosen)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Read all images, (N, H, W, C) float32 in [0, 1], and masks, (N, H, W, 1) float32 of 0 and 1."""
        with pipeline.corruption_as_user_error(self.prepared):
            images, masks = zip(*self.batches(64).as_numpy_iterator(), strict=True)
        return np.concatenate(images), np.concatenate(masks)

    def batches(self, batch_size: int = 8, augment: Change | None = None, seed: int = 0) -> tf.data.Dataset:
        """Batch (image, mask), each example once an epoch; the last batch may be short.

        Args:
            batch_size: Examples in a batch.
            augment: An `Augment`, or any function of images, masks and (N, 2) seeds that returns images and masks.
                With it order and changes are drawn anew in each epoch; without it examples are unchanged and in the
                order of the table.
            seed: Seed of order and changes; the same seed gives the same epochs.

        Returns:
            Batches of (N, H, W, C) and (N, H, W, 1) float32, for `model.fit`.

        Raises:
            UserError: `batch_size` is not above 0.
        """
        if batch_size < 1:
            raise UserError(f"`batch_size` must be 1 or more. Received: {batch_size}")
        second = self.data.second
        if augment is None:
            return pipeline.evaluation(self.prepared, self.chosen, batch_size=batch_size, second=second)
        return pipeline.epochs(self.prepared, self.chosen, augment, batch_size=batch_size, seed=seed, second=second)
