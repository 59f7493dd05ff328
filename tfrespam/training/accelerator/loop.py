"""Training loop on an accelerator, with checkpoints, within a limited time."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from tfrespam.config import AugmentConfig, Experiment
from tfrespam.core.errors import UserError
from tfrespam.training.accelerator import checkpoint, device_augment
from tfrespam.training.accelerator.learner import Learner, floating_weights, host_copy

SAVE_EVERY = 30.0  # seconds between checkpoints; else writing would take most of the time of short epochs
_VALIDATION_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Rows:
    """Examples of one split.

    Args:
        image_index: (N,) int32, index of each example's image.
        transform: (N, 8) float32, its transform (`packed.FIELDS`).
    """

    image_index: np.ndarray
    transform: np.ndarray


class Loop:
    """Train epoch by epoch, from the last checkpoint on.

    Examples that do not fill a whole batch are omitted; they differ from epoch to epoch.

    Args:
        learner: Compiled learner.
        train, validation: Examples of both splits.
        augment: Settings of random transforms, drawn in each epoch; None for copies, which have their own transforms.
        experiment: Settings, of which batch size, seed, context and image size are used.
        folder: Folder of the checkpoints.
        log: Function that receives a line of text for each epoch.
    """

    def __init__(self, learner: Learner, train: Rows, validation: Rows, augment: AugmentConfig | None,
                 experiment: Experiment, folder: Path, log: Callable[[str], None] = print):  # fmt: skip
        self.learner, self.train, self.validation = learner, train, validation
        self.augment, self.folder, self.log = augment, folder, log
        self.batch_size, self.seed = experiment.training.batch_size, experiment.seed
        self.context, (height, width) = experiment.data.context, experiment.data.image_shape
        self.square = height == width
        self.history, self.best = checkpoint.restore(learner, folder)
        self._compiled, self._epoch_seconds = False, 0.0

    def run(self, epochs: int, seconds: float, started: float) -> bool:
        """Train, but start no epoch that would end later than `seconds` after `started`.

        Args:
            epochs: Total number of epochs, with those before a restart.
            seconds: Time limit.
            started: `time.monotonic()` at the start of that time.

        Returns:
            Whether all epochs are finished.
        """
        saved = time.monotonic()
        while len(self.history) < epochs and time.monotonic() + self._epoch_seconds <= started + seconds:
            self._epoch(epochs)
            if time.monotonic() - saved > SAVE_EVERY:
                self.save()
                saved = time.monotonic()
        self.save()
        return len(self.history) == epochs

    def save(self) -> None:
        checkpoint.save(self.learner, self.history, self.best, self.folder)

    def _epoch(self, epochs: int) -> None:
        began, number = time.perf_counter(), len(self.history)
        examples = self._epoch_examples(number)
        count = len(examples["image_index"])
        logs, trained = self._fit(examples)
        row = {"epoch": number + 1, **logs}
        _check_finite("training loss", row["loss"], number + 1)
        before = time.perf_counter()
        row |= self._validate()
        _check_finite("validation loss", row["val_loss"], number + 1)
        self._epoch_seconds = max(self._epoch_seconds, trained + time.perf_counter() - before)
        row["seconds"] = round(time.perf_counter() - began, 2)
        if not self.history or row["val_dice"] > max(each["val_dice"] for each in self.history):
            self.best = self.learner.final_average()
        self.history.append(row)
        scores = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", "dice", "val_loss", "val_dice", "val_miou"))
        self.log(f"epoch {number + 1:3d}/{epochs}  {scores}  {count / trained:.0f} images/s, {row['seconds']:.1f} s")

    def _fit(self, examples: dict[str, np.ndarray]) -> tuple[dict[str, float], float]:
        """Train for one epoch; return loss and scores, and the seconds of an epoch without compilation.

        The first step of a process, which compiles, is run and measured separately.
        """
        count, first = len(examples["image_index"]), 0 if self._compiled else self.batch_size
        logs, seconds, self._compiled = {}, 0.0, True
        for start, stop in ((0, first), (first, count)):
            if start == stop:
                continue
            began, batches = time.perf_counter(), {name: values[start:stop] for name, values in examples.items()}
            found = self.learner.fit(batches, np.zeros(stop - start, np.float32), batch_size=self.batch_size,
                                     shuffle=False, verbose=0).history  # fmt: skip
            seconds = (time.perf_counter() - began) * count / (stop - start)
            logs = {name: logs.get(name, 0.0) + values[-1] * (stop - start) / count for name, values in found.items()}
        return logs, seconds

    def _epoch_examples(self, epoch: int) -> dict[str, np.ndarray]:
        """Draw the order of an epoch's examples and their transforms; they depend only on seed and epoch."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.train.image_index))
        order = order[: len(order) // self.batch_size * self.batch_size]
        transform = self.train.transform[order]
        if self.augment is not None:
            transform = device_augment.draw(self.augment, random, len(order), self.context, self.square)
        return {"image_index": self.train.image_index[order], "transform": transform}

    def _validate(self) -> dict[str, float]:
        with self.averaged():
            rows = {"image_index": self.validation.image_index, "transform": self.validation.transform}
            found = self.learner.evaluate(rows, np.zeros(len(rows["image_index"]), np.float32),
                                          batch_size=_VALIDATION_BATCH, verbose=0, return_dict=True)  # fmt: skip
        return {f"val_{name}": float(value) for name, value in found.items()}

    @contextmanager
    def averaged(self, weights: list[np.ndarray] | None = None) -> Iterator[keras.Model]:
        """Assign the running average, or `weights`, inside the block, and restore the previous weights afterwards."""
        variables = floating_weights(self.learner.network)
        own = [host_copy(variable) for variable in variables]
        _assign(variables, self.learner.final_average() if weights is None else weights)
        try:
            yield self.learner.network
        finally:
            _assign(variables, own)


def _check_finite(what: str, value: float, epoch: int) -> None:
    if not np.isfinite(value):
        raise UserError(f"the {what} became {value} in epoch {epoch}. Expected a finite number. Lower "
                        "`training.learning_rate`, set `training.clip_norm` or set `training.precision` float32")


def _assign(variables: list, values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
