"""Ends a training whose loss is no number any more, and names the lesions that it was learning from."""

import math
from collections.abc import Callable
from pathlib import Path

import keras

from tfrespam.errors import UserError


class FiniteLoss(keras.callbacks.Callback):
    """Raises UserError at the first step with a loss of NaN or infinity. Nothing of that epoch is kept.

    A step's loss is looked at when the next one is under way, so that the device never waits for it.

    Args:
        lesions: Gives the lesion ids of a step's examples, by the step's number over all epochs, from 0.
        steps: Steps of an epoch.
        folder: The run's folder, which holds the last finished epoch.
    """

    def __init__(self, lesions: Callable[[int], list[str]], steps: int, folder: Path):
        super().__init__()
        self.lesions, self.steps, self.folder = lesions, steps, folder

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._checked, self._waiting = epoch, 0, None

    def on_train_batch_end(self, batch, logs=None):
        self._look()
        self._waiting = batch + 1, logs["loss"]  # a mean over the epoch's steps: once no number, never one again

    def on_epoch_end(self, epoch, logs=None):
        self._look()
        if not math.isfinite(logs.get("val_loss", 0.0)):
            raise self._error("validation loss", logs["val_loss"], self.steps)

    def _look(self) -> None:
        if self._waiting is None:
            return
        done, loss = self._waiting
        if not math.isfinite(float(loss)):
            raise self._error("training loss", float(loss), done)
        self._checked = done

    def _error(self, what: str, value: float, done: int) -> UserError:
        first = self._epoch * self.steps
        found = [f"step {step + 1}: {', '.join(self.lesions(first + step))}"
                 for step in range(max(min(self._checked, done - 1) - 1, -first), done)]  # fmt: skip
        good = f"Epoch {self._epoch}, the last good one, is kept in {self.folder}"
        kept = good if self._epoch else "No epoch was finished before"
        return UserError(f"the {what} became {value} in epoch {self._epoch + 1}, step {done} of {self.steps}. Expected "
                         "a finite number. Lesions of that step and of the one before, which may have spoilt the "
                         f"weights: {'; '.join(found)}. {kept}. Lower --training.learning_rate or set "
                         "--training.clip_norm, and look at those pictures")
