"""Scores of images and their summary: the contents of per_image.csv and summary.json.

Every number of a summary can be recomputed from the rows; nothing is rounded. A mean over images excludes NaN, which
occurs only in the distances, if exactly one of the two masks is empty.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.evaluation import confusion
from tfrespam.evaluation.statistics import patient_bootstrap
from tfrespam.evaluation.surface import surface_scores
from tfrespam.evaluation.trivial import skill

METADATA = ("lesion_id", "film_id", "patient_id", "copy", "source", "laterality", "view", "pathology", "shape",
            "margins", "assessment", "subtlety", "breast_density")  # fmt: skip
DISTANCES = {"hd95_px": "hd95", "assd_px": "assd", "nsd_2px": "nsd"}
CONTEXT = ("model", "experiment", "dataset", "protocol", "split", "threshold", "leak_audit", "parameters", "flops",
           "seconds", "versions", "command", "seed", "git")  # fmt: skip


def image_scores(reference: np.ndarray, probability: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Compute all scores, pixel counts and the coverage (share of the pixels that are mass) of one image.

    Args:
        reference: Mask (H, W), bool or 0 and nonzero.
        probability: (H, W), in [0, 1].
        threshold: Lowest probability that counts as mass.
    """
    prediction = confusion.binarise(probability, threshold)
    counts = confusion.count_pixels(np.asarray(reference)[None], prediction[None])
    scores = {name: float(score(counts)[0]) for name, score in confusion.SCORES.items()}
    distances = surface_scores(reference, prediction)
    scores |= {name: distances[key] for name, key in DISTANCES.items()}
    scores |= {name: int(count[0]) for name, count in counts._asdict().items()}
    return {**scores, "coverage": float(np.mean(np.asarray(reference) != 0))}


def per_image_rows(table: Mapping[str, np.ndarray], pairs: Iterable[tuple[np.ndarray, np.ndarray]],
                   threshold: float = 0.5) -> list[dict[str, Any]]:
    """Compute the rows of per_image.csv, one an image; images are read one at a time.

    Args:
        table: Columns (N,) of metadata of the images; those in `METADATA` are copied, patient_id is required.
        pairs: Reference (H, W) and probability (H, W) of each image, in the table's order.
        threshold: Lowest probability that counts as mass.

    Raises:
        ValueError: The table has no patient_id, or its length differs from that of `pairs`.
    """
    if "patient_id" not in table:
        raise ValueError(f"The table of images must have a column patient_id. Received: {', '.join(table)}")
    names = [name for name in METADATA if name in table]
    facts = zip(*(np.asarray(table[name]).tolist() for name in names), strict=True)
    return [{**dict(zip(names, known, strict=True)), **image_scores(reference, probability, threshold)}
            for known, (reference, probability) in zip(facts, pairs, strict=True)]


def summarise(rows: Sequence[Mapping[str, Any]], trivial: Mapping[str, float], context: Mapping[str, Any],
              resamples: int = 2000) -> dict[str, Any]:
    """Compute the content of summary.json.

    Args:
        rows: Result of `per_image_rows`, or the rows of per_image.csv (text is converted).
        trivial: Result of `tfrespam.evaluation.trivial.trivial_dice` on the same images.
        context: Values that do not follow from the images, with exactly the keys `CONTEXT`.
        resamples: Bootstrap resamples of the patients for the 95 % intervals.

    Returns:
        "metrics" has, for each overlap score, its mean over images ("image"), the interval of that mean ("image_ci95")
        and the score of all pixels together ("pooled"); for each distance the first two, and "n_images", the number
        of images where it is defined. "coverage" is the median over images.

    Raises:
        ValueError: No rows, or a key of `context` is missing or unknown.
    """
    if not rows:
        raise ValueError("A summary needs at least one image. Received: no rows")
    if set(context) != set(CONTEXT):
        raise ValueError(f"The context of a summary must have the keys {', '.join(CONTEXT)}. "
                         f"Received: {', '.join(context)}")
    patients = [str(row["patient_id"]) for row in rows]
    metrics = _overlaps(rows, patients, resamples) | _distances(rows, patients, resamples)
    numbers = {
        "n_images": len(rows),
        "n_patients": len(set(patients)),
        "coverage": float(np.median(_column(rows, "coverage"))),
        "metrics": metrics,
        "trivial": dict(trivial),
        "skill": skill(metrics["dice"]["image"], trivial),
    }
    order = ("model", "experiment", "dataset", "protocol", "split", "n_images", "n_patients", "coverage", "threshold",
             "metrics", "trivial", "skill", "leak_audit", "parameters", "flops", "seconds", "versions", "command",
             "seed", "git")  # fmt: skip
    return {key: numbers[key] if key in numbers else context[key] for key in order}


def mean_scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean over images of each overlap score and distance, by name; NaN where no image has the distance."""
    columns = {name: _column(rows, name) for name in (*confusion.SCORES, *DISTANCES)}
    known = {name: values[~np.isnan(values)] for name, values in columns.items()}
    return {name: float(values.mean()) if values.size else float("nan") for name, values in known.items()}


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def _mean(values: np.ndarray, patients: Sequence[str], resamples: int) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if known.size else float("nan")
    return {"image": mean, "image_ci95": list(patient_bootstrap(values, patients, resamples=resamples))}


def _overlaps(rows: Sequence[Mapping[str, Any]], patients: Sequence[str], resamples: int) -> dict[str, Any]:
    counts = confusion.Counts(*(_column(rows, name).astype(np.int64) for name in confusion.Counts._fields)).pooled()
    return {name: {**_mean(_column(rows, name), patients, resamples), "pooled": float(score(counts))}
            for name, score in confusion.SCORES.items()}


def _distances(rows: Sequence[Mapping[str, Any]], patients: Sequence[str], resamples: int) -> dict[str, Any]:
    columns = {name: _column(rows, name) for name in DISTANCES}
    return {name: {**_mean(values, patients, resamples), "n_images": int(np.count_nonzero(~np.isnan(values)))}
            for name, values in columns.items()}


def shortened(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Select the part of a summary that an exported model's metadata and card hold."""
    kept = ("dataset", "protocol", "n_images", "n_patients", "threshold", "coverage", "metrics", "trivial", "skill",
            "leak_audit", "detection")  # fmt: skip
    return {key: summary[key] for key in kept if key in summary}
