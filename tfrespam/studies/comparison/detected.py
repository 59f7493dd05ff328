"""Collect the sensitivities on whole films from the summaries of a comparison's runs."""

from collections.abc import Sequence

import numpy as np

from tfrespam.training.run_results import RunResults

OVERLAPS = ("0.1", "0.5")  # lowest IoU of a candidate with the mass that it finds
ALARMS = ("0.5", "1", "2")  # false positives per film


def numbers(runs: Sequence[RunResults]) -> dict[str, float]:
    """Return the share of masses found, `found_iou<overlap>_fp<rate>`, averaged over runs by masses; {} for crops.

    A single run also has the 95 % interval by patients, `..._low` and `..._high`; NaN with several runs. `masses` is
    the number of masses, each counted once for all seeds. All values are NaN if no film has a mass.
    """
    if not all("detection" in run.summary for run in runs):
        return {}
    with_masses = [run for run in runs if run.summary["detection"]["n_lesions"]]
    found = {}
    for overlap in OVERLAPS:
        for alarms in ALARMS:
            name = f"found_iou{overlap}_fp{alarms}"
            found |= {f"{name}{end}": value for end, value in _share(with_masses, overlap, alarms).items()}
    films = {frozenset(row["film_id"] for row in run.images): run.summary["detection"]["n_lesions"]
             for run in with_masses}  # fmt: skip
    return found | {"masses": sum(films.values())}


def _share(with_masses: Sequence[RunResults], overlap: str, alarms: str) -> dict[str, float]:
    """Return the share under "" and its interval under "_low" and "_high"."""
    known = [run.summary["detection"] for run in with_masses]
    cells = [each[f"iou_{overlap}"]["sensitivity"][f"fp_{alarms}"] for each in known]
    low, high = cells[0]["ci95"] if len(cells) == 1 else (None, None)
    masses, shares = [each["n_lesions"] for each in known], [cell["value"] for cell in cells]
    mean = np.average(shares, weights=masses) if cells else None
    return {"": _number(mean), "_low": _number(low), "_high": _number(high)}


def _number(value: float | None) -> float:
    """Convert null, an unknown value in JSON, to NaN."""
    return float("nan") if value is None else float(value)
