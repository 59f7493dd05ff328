"""What limits a score, the networks or the reference: how well networks agree with each other on held-out pictures.

    python experiments/agreement.py saved_models/A saved_models/B saved_models/C --output agreement.csv

The exported networks must have been trained on the same data with the same patients held out. Each outlines the same
pictures; given are the Dice of every pair of networks, of each with the reference, and of their mean probability with
the reference. Networks that agree with each other far better than with the reference have all learnt the same
outline, and more or better networks of their kind will not come nearer to it. The same again with each mask moved onto
the other's centre of gravity tells how much lies in where an outline was put, and not in its size and shape.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import scipy.ndimage

from tfrespam import cli
from tfrespam.config import DataConfig, Experiment
from tfrespam.core import runtime
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv
from tfrespam.evaluation import confusion, statistics

MEAN = "mean of all"  # of the networks' probabilities


def dice(first: np.ndarray, second: np.ndarray, patients: np.ndarray) -> dict[str, float]:
    """Mean Dice of masks (N, H, W) bool with others, over pictures, its 95 % interval by patients, and in place."""
    values = confusion.dice(confusion.count_pixels(first, second))
    low, high = statistics.patient_bootstrap(values, patients)
    in_place = confusion.dice(confusion.count_pixels(np.stack(list(map(moved, first, second))), second))
    return {"dice": float(values.mean()), "low": low, "high": high, "in_place": float(in_place.mean())}


def moved(mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`mask` (H, W) bool with its centre of gravity on that of `other`, to whole pixels; as it is if one is empty."""
    if not (mask.any() and other.any()):
        return mask
    centres = (np.argwhere(each).mean(axis=0) for each in (other, mask))
    return scipy.ndimage.shift(mask, np.rint(np.subtract(*centres)), order=0)


def agreement(probabilities: dict[str, np.ndarray], reference: np.ndarray, patients: np.ndarray) -> list[dict]:
    """A row for each network with the reference, for their mean with it, and for each pair of networks.

    Args:
        probabilities: By network, (N, H, W) float32.
        reference: Masks (N, H, W) bool.
        patients: (N,) the patient of each picture.
    """
    mean = np.mean(list(probabilities.values()), axis=0)
    masks = {name: confusion.binarise(each) for name, each in {**probabilities, MEAN: mean}.items()}
    rows = [{"first": name, "second": "reference", **dice(mask, reference, patients)} for name, mask in masks.items()]
    return rows + [{"first": one, "second": other, **dice(masks[one], masks[other], patients)}
                   for one, other in itertools.combinations(probabilities, 2)]  # fmt: skip


def outlined(models: Sequence[str], data_dir: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """What `agreement` takes, from exported models: the pictures are those of their validation split."""
    runtime.load_tensorflow()
    from tfrespam.data.loading import pipeline, prepared, protocols
    from tfrespam.serving.inference import saved_model

    exported = {model: saved_model.load(model) for model in models}
    config, *others = [DataConfig.of(each.metadata["data"]) for each in exported.values()]
    if not others or any(each != config for each in others):
        raise UserError("expected two models or more, trained on the same data with the same patients held out. "
                        f"Received: {', '.join(models)}")
    found = prepared.find(data_dir, config)
    judged = protocols.splits(found.table, config.protocol, config.fold, 0, config.exclude_films)["validation"]
    batches = list(pipeline.evaluation(found, judged, batch_size=64).as_numpy_iterator())
    probabilities = {name: np.concatenate([each.predict_images(images)[..., 0] for images, _ in batches])
                     for name, each in exported.items()}  # fmt: skip
    return probabilities, np.concatenate([masks[..., 0] > 0 for _, masks in batches]), found.table["patient_id"][judged]


def report(*models: str, data_dir: str | None = None, output: str = "") -> None:
    """What limits a score, the networks or the reference: how well networks agree on held-out pictures.

    Args:
        models: Folders of exported models.
        data_dir: Home of the prepared data sets (default: $TFRESPAM_DATA_DIR, or datasets/).
        output: File for the table, as CSV (default: none is written).
    """
    rows = agreement(*outlined(models, data_dir or Experiment().data_dir))
    for row in rows:
        print("{first} | {second} | {dice:.4f} ({low:.4f}-{high:.4f}), in place {in_place:.4f}".format(**row))
    alone = [row["dice"] for row in rows if row["second"] == "reference" and row["first"] != MEAN]
    pairs = [row["dice"] for row in rows if row["second"] != "reference"]
    print(f"{len(alone)} networks: with the reference {np.mean(alone):.4f} on average, with each other "
          f"{np.mean(pairs):.4f} ({min(pairs):.4f} to {max(pairs):.4f})")  # fmt: skip
    if output:
        write_csv(output, rows)


if __name__ == "__main__":
    cli.run(report)
