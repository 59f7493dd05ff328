"""What a run keeps after every epoch, so that it can be killed at any moment and go on as if nothing had happened.

Keras' BackupAndRestore, CSVLogger and ModelCheckpoint write one after the other and in place: a kill between two of
them leaves a history that disagrees with the weights, or half a file. Here each is replaced whole, best weights first
and the state that says "epoch done" last; what a killed epoch had written is written again, equal.
"""

import json
import time
import zipfile
from pathlib import Path

import keras

from tfrespam.errors import UserError, first_line
from tfrespam.files import check_seal, recover_directory, seal, whole_directory, whole_file, write_csv
from tfrespam.training.averaging import WeightAverage, network_of


class RunRecorder(keras.callbacks.Callback):
    """Writes best.keras, history.csv and state/ into a run's folder.

    Args:
        folder: The run's folder.
        average: The running average of the model's weights; the best weights are its.
        monitor: Logged value whose maximum decides which weights are best.
    """

    def __init__(self, folder: Path, average: WeightAverage, monitor: str = "val_dice"):
        super().__init__()
        self.folder, self.average, self.monitor = Path(folder), average, monitor
        self.history: list[dict] = []
        self._started = 0.0

    def restore(self, model: keras.Model) -> int:
        """Loads weights, optimizer and history of the last finished epoch; returns how many are finished."""
        state = self.folder / "state"
        recover_directory(state)
        if not (state / "state.json").exists():
            return 0
        try:
            check_seal(state)
            known = json.loads((state / "state.json").read_text(encoding="utf-8"))
            self.history = known["history"]
            model.optimizer.build(model.trainable_variables)
            model.load_weights(state / "model.weights.h5")
            self.average.restore(state)
            for variable, value in zip(_random_states(model), known.get("random_states", []), strict=True):
                variable.assign(value)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UserError(f"{state} is damaged ({first_line(error)}), so the run cannot go on from it. best.keras "
                            "beside it can still be exported. Remove the run's folder to train anew") from None
        return len(self.history)

    @property
    def best(self) -> dict | None:
        """The history's row with the highest `monitor`, the earliest of equals."""
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
            known = {"history": self.history, "random_states": [v.numpy().tolist() for v in _random_states(self.model)]}
            (state / "state.json").write_text(json.dumps(known), encoding="utf-8")
            seal(state)


def _random_states(model: keras.Model) -> list:
    """Where the random numbers of dropout and the like stand; Keras leaves them out of its weight files."""
    weights = {id(weight) for weight in model.non_trainable_weights}
    return [variable for variable in model.non_trainable_variables if id(variable) not in weights]


def save_model(model: keras.Model, path: Path) -> None:
    """Writes the network as a .keras file, whole or not at all."""
    with whole_file(path) as temporary:
        network_of(model).save(temporary)
