"""What a person sees while a network trains: a bar over all steps, and a line for each epoch done."""

import keras

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
        self._bar = None

    def on_epoch_begin(self, epoch, logs=None):
        if self._bar is None:  # after a restart, what is done already is not work to be timed
            self._bar = cli.Bar("", (self.epochs - epoch) * self.steps)
            self._bar.start()
        self._epoch, self._done = f"epoch {epoch + 1}/{self.epochs}", 0

    def on_train_batch_end(self, batch, logs=None):
        self._bar.step(batch + 1 - self._done, self._epoch)  # several steps are one call with steps_per_execution
        self._done = batch + 1

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "dice", "val_loss", "val_dice", "val_miou")
                           if name in logs)  # fmt: skip
        cli.console.print(f"epoch {epoch + 1:3d}/{self.epochs}  {scores}")

    def on_train_end(self, logs=None):
        if self._bar is not None:
            self._bar.stop()
