"""How many masses the networks of a comparison find on whole films, of what `evaluate` wrote into their summaries."""

from collections.abc import Sequence

import numpy as np

from tfrespam.comparison.collect import Run

OVERLAPS = ("0.1", "0.5")  # least IoU of a candidate with the mass that it finds
ALARMS = ("0.5", "1", "2")  # false alarms a film


def numbers(runs: Sequence[Run]) -> dict[str, float]:
    """Share of the masses found, `found_iou<overlap>_fp<alarms>`, mean over the runs by their masses; {} for crops.

    A single run has its 95 % interval by patients beside it, `..._low` and `..._high`; NaN with several. `masses` is
    their number, each counted once, however many seeds were judged on it. All is NaN where no film holds a mass.
    """
    if not all("detection" in run.summary for run in runs):
        return {}
    judged = [run for run in runs if run.summary["detection"]["n_lesions"]]
    found = {}
    for overlap in OVERLAPS:
        for alarms in ALARMS:
            name = f"found_iou{overlap}_fp{alarms}"
            found |= {f"{name}{end}": value for end, value in _share(judged, overlap, alarms).items()}
    films = {frozenset(row["film_id"] for row in run.images): run.summary["detection"]["n_lesions"] for run in judged}
    return found | {"masses": sum(films.values())}


def _share(judged: Sequence[Run], overlap: str, alarms: str) -> dict[str, float]:
    """"" -> the share, "_low" and "_high" -> its interval."""
    known = [run.summary["detection"] for run in judged]
    cells = [each[f"iou_{overlap}"]["sensitivity"][f"fp_{alarms}"] for each in known]
    low, high = cells[0]["ci95"] if len(cells) == 1 else (None, None)
    masses, shares = [each["n_lesions"] for each in known], [cell["value"] for cell in cells]
    mean = np.average(shares, weights=masses) if cells else None
    return {"": _number(mean), "_low": _number(low), "_high": _number(high)}


def _number(value: float | None) -> float:
    """JSON has null for what is unknown."""
    return float("nan") if value is None else float(value)
