"""Checkpoints of training on an accelerator: weights, optimizer, running average and history, written atomically."""

import json
from pathlib import Path

import numpy as np
from keras import ops

from tfrespam.core.errors import UserError, first_line
from tfrespam.core.files import check_seal, recover_directory, seal, whole_directory
from tfrespam.training.accelerator.learner import Learner


def save(learner: Learner, history: list[dict], best: list[np.ndarray] | None, folder: Path) -> None:
    """Write a checkpoint; `best` are the floating-point weights of the epoch with the best validation Dice so far."""
    with whole_directory(folder) as new:
        np.savez(new / "state.npz", *[ops.convert_to_numpy(each) for each in _state(learner)])
        if best is not None:
            np.savez(new / "best.npz", *best)
        (new / "history.json").write_text(json.dumps(history), encoding="utf-8")
        seal(new)


def restore(learner: Learner, folder: Path) -> tuple[list[dict], list[np.ndarray] | None]:
    """Load a checkpoint into `learner`; return history and best weights, or ([], None) if nothing was saved.

    Raises UserError if the checkpoint is damaged.
    """
    recover_directory(folder)
    if not (folder / "history.json").exists():
        return [], None
    try:
        check_seal(folder)
        history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        with np.load(folder / "state.npz", allow_pickle=False) as known:
            variables = _state(learner)
            if len(known.files) != len(variables):
                raise ValueError(f"{len(known.files)} arrays for {len(variables)} variables")
            for place, variable in enumerate(variables):
                variable.assign(known[f"arr_{place}"])
        return history, _arrays(folder / "best.npz")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} is damaged ({first_line(error)}), so the training cannot be resumed. Remove it to "
                        "train again") from None


def _state(learner: Learner) -> list:
    """Return all variables that training changes."""
    return [*learner.network.variables, *learner.average, learner.steps, learner.random.state,
            *learner.optimizer.variables]  # fmt: skip


def _arrays(path: Path) -> list[np.ndarray] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as known:
        return [known[f"arr_{place}"] for place in range(len(known.files))]
