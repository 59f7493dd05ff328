"""Checkpoints after every epoch, from which a run that was killed at any moment resumes without a difference.

Keras' BackupAndRestore, CSVLogger and ModelCheckpoint write one after the other and in place: a kill between two of
them leaves a history that does not match the weights, or an incomplete file. Here each file is replaced atomically, the
best weights first and the state that marks the epoch as finished last. A resumed run repeats a killed epoch and writes
the same files again.
"""

import json
import time
import zipfile
from pathlib import Path

import keras

from tfrespam.core.errors import UserError, first_line
from tfrespam.core.files import check_seal, recover_directory, seal, whole_directory, whole_file, write_csv
from tfrespam.training.averaging import WeightAverage, network_of
from tfrespam.training.optimizer import build_once


class RunRecorder(keras.callbacks.Callback):
    """Write best.keras, history.csv and state/ into a run's folder.

    Args:
        folder: The run's folder.
        average: The running average of the model's weights; best.keras contains the average.
        monitor: Logged value; the weights with its maximum are the best.
    """

    def __init__(self, folder: Path, average: WeightAverage, monitor: str = "val_dice"):
        super().__init__()
        self.folder, self.average, self.monitor = Path(folder), average, monitor
        self.history: list[dict] = []
        self._started = 0.0

    def restore(self, model: keras.Model) -> int:
        """Load weights, optimizer and history of the last finished epoch; return the number of finished epochs.

        Raises UserError if the state is damaged.
        """
        state = self.folder / "state"
        recover_directory(state)
        if not (state / "state.json").exists():
            return 0
        try:
            check_seal(state)
            saved = json.loads((state / "state.json").read_text(encoding="utf-8"))
            self.history = saved["history"]
            build_once(model)
            model.load_weights(state / "model.weights.h5")
            self.average.restore(state)
            for variable, value in zip(_random_states(model), saved.get("random_states", []), strict=True):
                variable.assign(value)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UserError(f"{state} is damaged ({first_line(error)}), so the run cannot be resumed. best.keras "
                            "beside it can still be exported. Remove the run's folder to train again") from None
        return len(self.history)

    @property
    def best(self) -> dict | None:
        """Row of the history with the highest `monitor`; the earliest among equals."""
        return max(self.history, key=lambda row: row[self.monitor], default=None)

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        row["seconds"] = round(time.perf_counter() - self._started, 2)
        self.history.append(row)
        if self.best is row:
            with self.average.in_place():
                save_model(self.model, self.folder / "best.keras")
        write_csv(self.folder / "history.csv", self.history)
        with whole_directory(self.folder / "state") as state:
            self.model.save_weights(state / "model.weights.h5")
            self.average.save(state)
            random_states = [variable.numpy().tolist() for variable in _random_states(self.model)]
            text = json.dumps({"history": self.history, "random_states": random_states})
            (state / "state.json").write_text(text, encoding="utf-8")
            seal(state)


def _random_states(model: keras.Model) -> list:
    """Return the states of random generators, as of dropout; Keras does not save them in weight files."""
    weights = {id(weight) for weight in model.non_trainable_weights}
    return [variable for variable in model.non_trainable_variables if id(variable) not in weights]


def save_model(model: keras.Model, path: Path) -> None:
    """Write the network atomically as a .keras file."""
    with whole_file(path) as temporary:
        network_of(model).save(temporary)
