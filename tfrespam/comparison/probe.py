"""What only a run's exported graph can tell: how long a picture takes, and what its best and worst cases look like.

Pictures go into the run's own folder: those of patients must not reach a folder of results that is shared.
"""

import statistics
import time
from pathlib import Path

from tfrespam import workers
from tfrespam.comparison.collect import Run
from tfrespam.comparison.runner import Failure
from tfrespam.errors import UserError
from tfrespam.files import whole_file, write_json

CASES = ("best", "median", "worst")
_REPEATS = 15


def probe(exported: list[tuple[Run, Path]], data_dir: str) -> list[Failure]:
    """Writes cases.png and probe.json into the folder of every run that has none, in a process of its own.

    Args:
        exported: Runs and their exported models.
        data_dir: Home of the prepared data sets.

    Returns:
        The runs that could not be looked at, and why.
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


def cases(run: Run) -> dict[str, dict[str, str]]:
    """The judged images with the best, the median and the worst Dice."""
    ranked = sorted(run.images, key=lambda row: -float(row["dice"]))
    return dict(zip(CASES, (ranked[0], ranked[len(ranked) // 2], ranked[-1]), strict=True))


def _probe(run: Run, path: Path, data_dir: str) -> None:
    """Runs in the worker."""
    from tfrespam import runtime

    runtime.load_tensorflow()
    from tfrespam.serving import saved_model

    exported = saved_model.load(path)
    chosen = cases(run)
    _draw_cases(run, exported, chosen, data_dir)
    shown = {name: {"lesion_id": row["lesion_id"], "copy": int(row["copy"]), "dice": float(row["dice"])}
             for name, row in chosen.items()}  # fmt: skip
    write_json(run.folder / "probe.json", {"seconds_per_image": _seconds(exported), "cases": shown})


def _seconds(exported) -> float:
    """Median time of one picture, after two calls that trace and warm up."""
    import numpy as np

    size, channels = exported.metadata["image_size"], exported.metadata.get("channels", 1)
    picture = np.random.default_rng(0).random((1, size, size, channels), np.float32)
    times = []
    for _ in range(2 + _REPEATS):
        started = time.perf_counter()
        exported.predict_images(picture)
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def _draw_cases(run: Run, exported, chosen: dict[str, dict[str, str]], data_dir: str) -> None:
    """cases.png: a row per case, film | truth | result."""
    import cv2
    import numpy as np

    from tfrespam.evaluation.confusion import binarise
    from tfrespam.training.pictures import contours

    panels = []
    for row in chosen.values():
        image, mask = _example(exported.metadata, row, data_dir)
        probability = exported.predict_images(image[None])[0, ..., 0]
        panels.append(contours(image[..., 0], mask[..., 0] > 0, binarise(probability, run.summary["threshold"])))
    with whole_file(run.folder / "cases.png") as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(np.concatenate(panels), cv2.COLOR_RGB2BGR))


def _example(metadata: dict, row: dict[str, str], data_dir: str):
    """Image and mask (H, W, C and 1) of a judged example."""
    from tfrespam.config import DataConfig
    from tfrespam.data import pipeline
    from tfrespam.data.prepared import find

    data = DataConfig.of(metadata["data"])
    prepared = find(data_dir, data)
    table = prepared.table
    place = (table["lesion_id"] == row["lesion_id"]) & (table["copy"] == int(row["copy"]))
    with pipeline.damage_told(prepared):
        (images, masks), *_ = pipeline.evaluation(prepared, place, batch_size=1, second=data.second).as_numpy_iterator()
    return images[0], masks[0]
