"""Estimate time, memory and disk space of a training from a few measured steps."""

import dataclasses

REPEATS = 3  # measured steps, after one that traces
_FORWARD = 1 / 3  # time of validation per example, as a share of that of training
_IMAGE_BYTES, _MASK_BYTES, _VALIDATION_BYTES = 2, 1, 8  # per pixel, in the caches of the pipeline


@dataclasses.dataclass(frozen=True)
class Measured:
    """Measured cost of a training step.

    Args:
        seconds: Median time of a step.
        memory: Peak memory of the process, bytes.
        disk: Size of weights, checkpoints and export, bytes.
    """

    seconds: float
    memory: int
    disk: int


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Estimated cost of a whole training.

    Args:
        measured: Cost of a step.
        epochs: Remaining epochs.
        steps: Steps of an epoch.
        batch_size: Examples of a step.
        validated: Number of validation examples.
        pixels: Pixels of an image.
        images: Images of an example (2 with `data.second`).
    """

    measured: Measured
    epochs: int
    steps: int
    batch_size: int
    validated: int
    pixels: int
    images: int = 1

    @property
    def epoch_seconds(self) -> float:
        return self.measured.seconds * (self.steps + _FORWARD * self.validated / self.batch_size)

    @property
    def seconds(self) -> float:
        return self.epochs * self.epoch_seconds

    @property
    def memory(self) -> int:
        """Bytes, including the examples that are kept in memory."""
        trained = self.steps * self.batch_size * (_IMAGE_BYTES * self.images + _MASK_BYTES)
        return self.measured.memory + self.pixels * (trained + self.validated * _VALIDATION_BYTES)

    def __str__(self) -> str:
        return (f"{self.epochs} epochs of {self.steps} steps at {self.measured.seconds:.3g} s (measured on {REPEATS}): "
                f"about {duration(self.seconds)} after building the graph, {duration(self.epoch_seconds)} an epoch; "
                f"memory about {size(self.memory)}, disk {size(self.measured.disk)}")  # fmt: skip


def duration(seconds: float) -> str:
    """Format a time in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def size(count: int) -> str:
    """Format a number of bytes in MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
