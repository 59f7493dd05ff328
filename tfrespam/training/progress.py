"""What a person sees while a network trains: a bar within the epoch, and a line for each one done."""

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfrespam import cli


class EpochLines(keras.callbacks.Callback):
    """A progress bar over all steps with the time left, and after every epoch its losses and scores.

    Args:
        epochs: Epochs in all.
        steps: Steps of an epoch.
    """

    def __init__(self, epochs: int, steps: int):
        super().__init__()
        self.epochs, self.steps = epochs, steps

    def on_train_begin(self, logs=None):
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=cli.console, transient=True)
        self._task = None
        self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        if self._task is None:  # after a restart, what is done already is not work to be timed
            self._task = self._bar.add_task("", total=(self.epochs - epoch) * self.steps)
        self._bar.update(self._task, description=f"epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch, logs=None):
        done = self._bar.tasks[0].completed
        self._bar.update(self._task, advance=batch + 1 - done % self.steps)

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "dice", "val_loss", "val_dice", "val_miou")
                           if name in logs)  # fmt: skip
        cli.console.print(f"epoch {epoch + 1:3d}/{self.epochs}  {scores}")

    def on_train_end(self, logs=None):
        self._bar.stop()
