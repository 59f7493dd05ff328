"""Simulated runs: folders with the files of a finished training, for images with chosen pixel counts."""

from pathlib import Path

import numpy as np

from tfrespam.core.files import write_csv, write_json
from tfrespam.evaluation.summary import per_image_rows, summarise

PIXELS = 100


def write_run(folder: Path, images: dict[str, tuple[int, int, int]], *, model: str = "unet", protocol: str = "folds",
              split: str = "validation", dataset: str = "made_up", seconds: float = 5.0, trivial: float = 0.5,
              parameters: int = 1000, seed: int = 0, images_seen: int | None = 1000) -> Path:  # fmt: skip
    """Write a run evaluated on `images`: "patient lesion" or "patient lesion copy" -> (tp, fp, fn) of `PIXELS`."""
    names = [(name + " 0").split()[:3] for name in images]
    table = {"lesion_id": [f"{patient}_{lesion}" for patient, lesion, _ in names],
             "film_id": [patient for patient, *_ in names], "patient_id": [patient for patient, *_ in names],
             "copy": [int(copy) for *_, copy in names]}  # fmt: skip
    rows = per_image_rows({name: np.array(values) for name, values in table.items()}, map(_pair, images.values()))
    context = {"model": model, "experiment": folder.parent.name, "dataset": dataset, "protocol": protocol,
               "split": split, "threshold": 0.5, "parameters": parameters, "flops": 2 * parameters, "seconds": 1.0,
               "leak_audit": {"copy": 0, "film": 0, "breast": 0, "patient": 0}, "versions": {}, "command": "",
               "seed": seed, "git": ""}  # fmt: skip
    write_csv(folder / split / "per_image.csv", rows)
    history = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": 1.1 / epoch, "val_dice": 0.5, "seconds": seconds}
               for epoch in (1, 2)]  # fmt: skip
    write_csv(folder / "history.csv", history)
    trivial_masks = {"all_ones": trivial / 2, "centred_ellipse": trivial, "mean_mask": float("nan")}
    summary = summarise(rows, trivial_masks, context, resamples=20)
    write_json(folder / "summary.json", summary | ({"images_seen": images_seen} if images_seen else {}))
    return folder


def _pair(counts: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    tp, fp, fn = counts
    reference, prediction = np.zeros((1, PIXELS)), np.zeros((1, PIXELS))
    reference[0, : tp + fn] = prediction[0, :tp] = prediction[0, tp + fn : tp + fn + fp] = 1
    return reference, prediction
