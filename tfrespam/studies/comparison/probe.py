"""Measure inference time and draw the best and worst cases with the exported graph of a run.

Images are written into the folder of the run: images of patients must not get into a shared results folder.
"""

import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from tfrespam.config import DataConfig
from tfrespam.core import runtime, workers
from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_file, write_json
from tfrespam.data.loading.prepared import find
from tfrespam.evaluation.confusion import binarise
from tfrespam.serving.inference import saved_model
from tfrespam.studies.comparison.runner import Failure
from tfrespam.training.run_results import RunResults

CASES = ("best", "median", "worst")
_REPEATS = 15


def probe(exported: list[tuple[RunResults, Path]], data_dir: str) -> list[Failure]:
    """Write cases.png and probe.json into the folder of every run without them, in a separate process.

    Args:
        exported: Runs and their exported models.
        data_dir: Folder of all prepared data sets.

    Returns:
        The runs that failed, and the reasons.
    """
    failed = []
    waiting = [(run, path) for run, path in exported if not run.probe]
    with workers.pool(1) as pool:
        for run, future in [(run, pool.submit(_probe, run, path, data_dir)) for run, path in waiting]:
            try:
                future.result()
            except (UserError, OSError, ValueError, RuntimeError) as error:
                failed.append(Failure(f"cases and inference time of {run.folder}", str(error)))
    return failed


def cases(run: RunResults) -> dict[str, dict[str, str]]:
    """Return the evaluated images with the best, median and worst Dice."""
    ranked = sorted(run.images, key=lambda row: -float(row["dice"]))
    return dict(zip(CASES, (ranked[0], ranked[len(ranked) // 2], ranked[-1]), strict=True))


def _probe(run: RunResults, path: Path, data_dir: str) -> None:
    """Measure and draw one run; runs in the worker process."""
    runtime.load_tensorflow()
    exported = saved_model.load(path)
    chosen = cases(run)
    _draw_cases(run, exported, chosen, data_dir)
    shown = {name: {"lesion_id": row["lesion_id"], "copy": int(row["copy"]), "dice": float(row["dice"])}
             for name, row in chosen.items()}  # fmt: skip
    write_json(run.folder / "probe.json", {"seconds_per_image": _seconds(exported), "cases": shown})


def _seconds(exported) -> float:
    """Return the median time of one image, after two calls for tracing and warm-up."""
    height, channels = exported.metadata["image_size"], exported.metadata.get("channels", 1)
    width = exported.metadata.get("image_width", height)
    image = np.random.default_rng(0).random((1, height, width, channels), np.float32)
    times = []
    for _ in range(2 + _REPEATS):
        started = time.perf_counter()
        exported.predict_images(image)
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def _draw_cases(run: RunResults, exported, chosen: dict[str, dict[str, str]], data_dir: str) -> None:
    """Draw cases.png with one row per case: image | reference | reference and prediction."""
    from tfrespam.training.tensorboard.images import contours

    panels = []
    for row in chosen.values():
        image, mask = _example(exported.metadata, row, run.images, data_dir)
        probability = exported.predict_images(image[None])[0, ..., 0]
        panels.append(contours(image[..., 0], mask[..., 0] > 0, binarise(probability, run.summary["threshold"])))
    with whole_file(run.folder / "cases.png") as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(np.concatenate(panels), cv2.COLOR_RGB2BGR))


def _example(metadata: dict, row: dict[str, str], evaluated: list[dict[str, str]], data_dir: str):
    """Return image and mask, (H, W, C) and (H, W, 1), of one of the evaluated examples."""
    from tfrespam.data.loading import pipeline

    data = DataConfig.of(metadata["data"])
    prepared = find(data_dir, data)
    table = prepared.table
    place, among = (_rows(table, rows) for rows in ([row], evaluated))
    with pipeline.corruption_as_user_error(prepared):
        batches = pipeline.evaluation(prepared, place, batch_size=1, second=data.second, among=among)
        (images, masks), *_ = batches.as_numpy_iterator()
    return images[0], masks[0]


def _rows(table: dict, evaluated: list[dict[str, str]]) -> np.ndarray:
    """Return the rows of index.csv, as bool, of rows of per_image.csv."""
    wanted = {(row["lesion_id"], int(row["copy"])) for row in evaluated}
    return np.array([pair in wanted for pair in zip(table["lesion_id"], table["copy"].tolist(), strict=True)])
