"""Training progress in the terminal: a bar over all steps, and a line for each finished epoch."""

import time

import keras

from tfrespam.core.console import Bar, log


class EpochLines(keras.callbacks.Callback):
    """Show a progress bar over all steps with the remaining time, and log losses, scores and time after every epoch.

    Args:
        epochs: Total number of epochs.
        steps: Steps of an epoch.
    """

    def __init__(self, epochs: int, steps: int):
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self._bar = None

    def on_epoch_begin(self, epoch, logs=None):
        if self._bar is None:  # after a restart, the bar covers only the remaining epochs
            self._bar = Bar("", (self.epochs - epoch) * self.steps)
            self._bar.start()
        self._epoch, self._done = f"epoch {epoch + 1}/{self.epochs}", 0
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._bar.step(batch + 1 - self._done, self._epoch)  # with steps_per_execution one call covers several steps
        self._done = batch + 1

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "dice", "val_loss", "val_dice", "val_miou")
                           if name in logs)  # fmt: skip
        log.info(f"epoch {epoch + 1:3d}/{self.epochs}  {scores}  {time.perf_counter() - self._started:.1f} s")

    def on_train_end(self, logs=None):
        if self._bar is not None:
            self._bar.stop()
