"""Measure what limits a score: agreement of networks with each other and with the reference, position and size.

    python experiments/agreement.py saved_models/A saved_models/B saved_models/C --output agreement.csv

The exported networks must have been trained under protocol folds or official on the same data with the same patients
held out. Each outlines the images of these patients. The table has the Dice of each network and of their mean
probability with the reference, and of every pair of networks. Networks that agree with each other far better than with
the reference have learnt the same outline, and more or better networks of their kind will not come nearer to it. Two
further columns show what an error consists of: `in_place` is the Dice after each mask was moved onto the other's centre
of gravity, and `same_size` that of as many of the likeliest pixels as the other mask has.
"""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.ndimage

from tfrespam import cli
from tfrespam.config import LEAKING, DataConfig, Experiment
from tfrespam.core import runtime
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv
from tfrespam.evaluation import confusion, statistics

MEAN = "mean of all"  # of the networks' probabilities


def dice(probability: np.ndarray, other: np.ndarray, patients: np.ndarray) -> dict[str, float]:
    """Mean Dice of probabilities (N, H, W) at 0.5 with masks, its 95 % interval by patients, in place, at same size."""
    found = confusion.binarise(probability)
    values = confusion.dice(confusion.count_pixels(found, other))
    low, high = statistics.patient_bootstrap(values, patients)
    return {"dice": float(values.mean()), "low": low, "high": high,
            "in_place": _mean_dice(map(moved, found, other), other),
            "same_size": _mean_dice(map(confusion.likeliest, probability, other.sum(axis=(1, 2))), other)}  # fmt: skip


def _mean_dice(masks: Iterable[np.ndarray], others: np.ndarray) -> float:
    return float(confusion.dice(confusion.count_pixels(np.stack(list(masks)), others)).mean())


def moved(mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`mask` (H, W) bool with its centre of gravity on that of `other`, to whole pixels; as it is if one is empty."""
    if not (mask.any() and other.any()):
        return mask
    centres = (np.argwhere(each).mean(axis=0) for each in (other, mask))
    return scipy.ndimage.shift(mask, np.rint(np.subtract(*centres)), order=0)


def agreement(probabilities: dict[str, np.ndarray], reference: np.ndarray, patients: np.ndarray) -> list[dict]:
    """Return a row for each network with the reference, for their mean with it, and for each pair of networks.

    Args:
        probabilities: By network, (N, H, W) float32.
        reference: Masks (N, H, W) bool.
        patients: (N,) the patient of each image.
    """
    judged = dict(probabilities)
    if len(judged) > 1:
        judged[MEAN] = np.mean(list(probabilities.values()), axis=0)
    rows = [{"first": name, "second": "reference", **dice(each, reference, patients)} for name, each in judged.items()]
    return rows + [{"first": one, "second": other,
                    **dice(judged[one], confusion.binarise(judged[other]), patients)}
                   for one, other in itertools.combinations(probabilities, 2)]  # fmt: skip


def outlined(models: Sequence[str], data_dir: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the arguments of `agreement` for exported models and the images of the patients that they held out."""
    runtime.load_tensorflow()
    from tfrespam.data.loading import pipeline, prepared
    from tfrespam.serving.inference import saved_model
    from tfrespam.workflows.evaluation import Evaluation

    exported = {model: saved_model.load(model) for model in models}
    config, *others = [DataConfig.of(each.metadata["data"]) for each in exported.values()]
    if any(each != config for each in others):
        raise UserError("expected models that were trained on the same data with the same patients held out. "
                        f"Received: {', '.join(models)}")
    if config.protocol in LEAKING:
        raise UserError("expected models that hold out patients, trained under protocol folds or official. Received: "
                        f"protocol {config.protocol}")  # fmt: skip
    found = prepared.find(data_dir, config)
    judged, *_ = [Evaluation(each, found, config, "validation").chosen for each in exported.values()]
    batches = list(pipeline.evaluation(found, judged, batch_size=64, second=config.second).as_numpy_iterator())
    probabilities = {name: np.concatenate([each.predict_images(images)[..., 0] for images, _ in batches])
                     for name, each in exported.items()}  # fmt: skip
    return probabilities, np.concatenate([masks[..., 0] > 0 for _, masks in batches]), found.table["patient_id"][judged]


def report(*models: str, data_dir: str | None = None, output: str = "") -> None:
    """Measure what limits a score: agreement of networks with each other and with the reference, position and size.

    Args:
        models: Folders of exported models.
        data_dir: Folder of the prepared data sets (default: $TFRESPAM_DATA_DIR, or datasets/).
        output: File for the table, as CSV (default: none is written).
    """
    if not models:
        raise UserError("expected folders of exported models. Received: none")
    rows = agreement(*outlined(models, data_dir or Experiment().data_dir))
    for row in rows:
        print("{first} | {second} | {dice:.4f} ({low:.4f}-{high:.4f}), in place {in_place:.4f}, at the same size "
              "{same_size:.4f}".format(**row))  # fmt: skip
    if output:
        write_csv(output, rows)


if __name__ == "__main__":
    cli.run(report)
