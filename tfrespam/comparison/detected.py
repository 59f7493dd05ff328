"""How many masses the networks of a comparison find on whole films, of what `evaluate` wrote into their summaries."""

from collections.abc import Sequence

import numpy as np

from tfrespam.comparison.collect import Run

OVERLAPS = ("0.1", "0.5")  # least IoU of a candidate with the mass that it finds
ALARMS = ("0.5", "1", "2")  # false alarms a film


def numbers(runs: Sequence[Run]) -> dict[str, float]:
    """Share of the masses found, `found_iou<overlap>_fp<alarms>`, mean over the runs by their masses; {} for crops.

    A single run has its 95 % interval by patients beside it, `..._low` and `..._high`; NaN with several.
    """
    known = [run.summary["detection"] for run in runs if "detection" in run.summary]
    if len(known) < len(runs):
        return {}
    masses, found = [each["n_lesions"] for each in known], {}
    for overlap in OVERLAPS:
        for alarms in ALARMS:
            cells = [each[f"iou_{overlap}"]["sensitivity"][f"fp_{alarms}"] for each in known]
            low, high = cells[0]["ci95"] if len(cells) == 1 else (None, None)
            name = f"found_iou{overlap}_fp{alarms}"
            found[name] = float(np.average([_number(cell["value"]) for cell in cells], weights=masses))
            found |= {f"{name}_low": _number(low), f"{name}_high": _number(high)}
    return found | {"masses": int(np.sum(masses))}


def _number(value: float | None) -> float:
    """JSON has null for what is unknown."""
    return float("nan") if value is None else value
