"""Stop training when the loss becomes NaN or infinite, and name the lesions of the current step."""

import math
from collections.abc import Callable
from pathlib import Path

import keras

from tfrespam.core.errors import UserError


class FiniteLoss(keras.callbacks.Callback):
    """Raise UserError at the first step with a loss of NaN or infinity. Nothing of that epoch is kept.

    A step's loss is checked while the next step runs, so that the device never waits for the check.

    Args:
        lesions: Function that returns the lesion ids of a step's examples, for the step's number over all epochs, from
            0.
        steps: Steps of an epoch.
        folder: The run's folder, which contains the last finished epoch.
    """

    def __init__(self, lesions: Callable[[int], list[str]], steps: int, folder: Path):
        super().__init__()
        self.lesions, self.steps, self.folder = lesions, steps, folder

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._checked, self._waiting = epoch, 0, None

    def on_train_batch_end(self, batch, logs=None):
        self._check()
        self._waiting = batch + 1, logs["loss"]  # a running mean over the epoch: it stays NaN once it is NaN

    def on_epoch_end(self, epoch, logs=None):
        self._check()
        if not math.isfinite(logs.get("val_loss", 0.0)):
            raise self._error("validation loss", logs["val_loss"], self.steps)

    def _check(self) -> None:
        if self._waiting is None:
            return
        done, loss = self._waiting
        if not math.isfinite(float(loss)):
            raise self._error("training loss", float(loss), done)
        self._checked = done

    def _error(self, what: str, value: float, done: int) -> UserError:
        first = self._epoch * self.steps
        steps = [f"step {step + 1}: {', '.join(self.lesions(first + step))}"
                 for step in range(max(min(self._checked, done - 1) - 1, -first), done)]  # fmt: skip
        good = f"Epoch {self._epoch}, the last good one, is kept in {self.folder}"
        kept = good if self._epoch else "No epoch was finished before"
        return UserError(f"the {what} became {value} in epoch {self._epoch + 1}, step {done} of {self.steps}. Expected "
                         "a finite number. Lesions of that step and of the one before, which may have damaged the "
                         f"weights: {'; '.join(steps)}. {kept}. Lower `training.learning_rate` or set "
                         "`training.clip_norm`, and inspect those images")
