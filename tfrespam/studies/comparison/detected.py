"""Collect the sensitivities on whole films from the summaries of a comparison's runs."""

from collections.abc import Sequence

import numpy as np

from tfrespam.studies.comparison.collect import by_images
from tfrespam.training.run_results import RunResults

OVERLAPS = ("0.1", "0.5")  # lowest IoU of a candidate with the mass that it finds
ALARMS = ("0.5", "1", "2")  # false positives per film


def numbers(runs: Sequence[RunResults]) -> dict[str, float]:
    """Return the share of masses found, `found_iou<overlap>_fp<rate>`, averaged over masses; {} for crops.

    The masses of a fold count once, with the mean over the seeds that evaluated them. A single run also has the 95 %
    interval by patients, `..._low` and `..._high`; NaN with several runs. `masses` is the number of masses, each
    counted once for all seeds. All values are NaN if no film has a mass.
    """
    if not all("detection" in run.summary for run in runs):
        return {}
    folds = by_images([run for run in runs if run.summary["detection"]["n_lesions"]])
    found = {}
    for overlap in OVERLAPS:
        for alarms in ALARMS:
            name = f"found_iou{overlap}_fp{alarms}"
            found |= {f"{name}{end}": value for end, value in _share(folds, overlap, alarms).items()}
    return found | {"masses": sum(_masses(folds))}


def _share(folds: Sequence[Sequence[RunResults]], overlap: str, alarms: str) -> dict[str, float]:
    """Return the share under "" and its interval under "_low" and "_high"."""
    cells = [[run.summary["detection"][f"iou_{overlap}"]["sensitivity"][f"fp_{alarms}"] for run in fold]
             for fold in folds]  # fmt: skip
    low, high = cells[0][0]["ci95"] if [len(fold) for fold in cells] == [1] else (None, None)
    shares = [np.mean([cell["value"] for cell in fold]) for fold in cells]
    mean = np.average(shares, weights=_masses(folds)) if folds else None
    return {"": _number(mean), "_low": _number(low), "_high": _number(high)}


def _masses(folds: Sequence[Sequence[RunResults]]) -> list[int]:
    return [fold[0].summary["detection"]["n_lesions"] for fold in folds]


def _number(value: float | None) -> float:
    """Convert null, an unknown value in JSON, to NaN."""
    return float("nan") if value is None else float(value)
