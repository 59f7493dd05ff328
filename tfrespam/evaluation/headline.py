"""Short text version of a summary.json: scores, caveats, masses found."""

import math
from collections.abc import Iterator, Sequence


def headline(summary: dict) -> Iterator[str]:
    """Yield lines of text with a summary's main figures."""
    dice, miou = summary["metrics"]["dice"], summary["metrics"]["miou"]
    trivial = ", ".join(f"{name} {value:.3f}" for name, value in summary["trivial"].items())
    yield (f"{summary['split']} ({summary['protocol']}): {summary['n_images']} images of "
           f"{summary['n_patients']} patients")  # fmt: skip
    yield (f"Dice {dice['image']:.4f} ({interval(dice['image_ci95'])}), pooled {dice['pooled']:.4f}; "
           f"mIoU {miou['image']:.4f}; skill {summary['skill']:.3f} (0: best trivial mask, 1: perfect; trivial masks: "
           f"{trivial}); coverage, the share of an image that is mass: {summary['coverage']:.3f}")  # fmt: skip
    yield from _caveats(summary)
    if "detection" in summary:
        yield from _detection(summary["detection"])


def interval(ends: Sequence[float | None]) -> str:
    """Describe an interval by patients; None and NaN if there are too few patients for one."""
    if any(end is None or math.isnan(end) for end in ends):
        return "too few patients for an interval"
    return "95 % by patients {:.4f}-{:.4f}".format(*ends)


def _caveats(summary: dict) -> Iterator[str]:
    """Yield reasons why the score may not apply to new patients."""
    seen = summary["leak_audit"]["patient"]
    if seen and summary.get("of_other_sources"):
        yield (f"{seen} of them have the same ids as training patients, but belong to another data set: a coincidence, "
               "unless one data set is a copy of the other")
        return
    if seen is None:
        yield "the model's training data are not recorded with it: it may have been trained on these patients"
    elif seen:
        yield f"{seen} of them show patients that the model was trained on: this is not a score on new patients"
    elif summary["split"] == "validation" and summary.get("settings", {}).get("training", {}).get("select") == "best":
        yield ("the weights were selected by the best Dice on these images (training.select best): the score is "
               "slightly optimistic")


def _detection(detection: dict) -> Iterator[str]:
    yield (f"{detection['n_lesions']} masses, {detection['n_candidates']} candidates; share of the masses found "
           "at 0.25, 0.5, 1 and 2 false positives per film (95 % by patients):")
    for name, results in detection.items():
        if name.startswith("iou_"):
            values = ["{} ({}-{})".format(*map(_three_decimals, (row["value"], *row["ci95"])))
                      for row in results["sensitivity"].values()]  # fmt: skip
            end = results["all_candidates"]
            yield (f"  IoU >= {name.removeprefix('iou_')}: {', '.join(values)}; all candidates: "
                   f"{_three_decimals(end['sensitivity'])} at {end['fp_per_image']:.2f}")
    if "ap50_mask" in detection:
        cells = (detection["ap50_mask"], detection["ap50_box"])
        masks, boxes = ("{} ({}-{})".format(*map(_three_decimals, (cell["value"], *cell["ci95"]))) for cell in cells)
        yield (f"  AP50 of masks {masks}, of boxes {boxes}; "
               f"Dice of films with a detected mass {_three_decimals(detection['dice_of_found'])}")
    if detection.get("operating_point"):
        yield _operating_point(detection["operating_point"])
    if "reliability" in detection:
        error = _three_decimals(detection["reliability"]["expected_calibration_error"])
        yield f"  expected calibration error of the candidates' scores {error}"
        yield "  by view, density, subtlety, pathology and size: detection_groups.csv; FROC curve: froc.csv"
    if "matching" in detection:  # runs of earlier releases do not state it
        yield f"  {detection['matching']}"


def _operating_point(point: dict) -> str:
    found, false = (point["iou_0.1"][name] for name in ("sensitivity", "fp_per_image"))
    cells = ["{} ({}-{})".format(*map(_three_decimals, (cell["value"], *cell["ci95"]))) for cell in (found, false)]
    return (f"  score {point['score']:.3f} and more (chosen on {point['chosen_on']}), IoU >= 0.1: found {cells[0]} at "
            f"{cells[1]} false positives per film")  # fmt: skip


def _three_decimals(value: float | None) -> str:
    """Format with three decimals; None and NaN (no film has a mass) become "unknown"."""
    return "unknown" if value is None or value != value else f"{value:.3f}"
