"""Images of evaluated examples: the crop, and the crop with outlines of reference and prediction."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tfrespam.config import DataConfig, Experiment
from tfrespam.core.errors import UserError
from tfrespam.data.loading.prepared import Prepared, find
from tfrespam.evaluation.confusion import binarise
from tfrespam.evaluation.overlay import PREDICTION, REFERENCE, draw_contour, grey_to_rgb
from tfrespam.serving.inference import saved_model
from tfrespam.training.run_results import RunResults

SIDE = 240  # pixels of a crop's side on the page
FAILURE = 0.5  # an example with a lower Dice counts as failed


class CaseImage(NamedTuple):
    """Image of one example on the page."""

    key: str  # lesion id and copy; also the anchor on the page
    title: str
    dice: float
    alt: str
    data: str  # "data:" URI of a PNG with the crop and the outlined crop side by side


def key(row: dict[str, str]) -> str:
    copy = row.get("copy", "0")
    return row["lesion_id"] if copy in ("", "0") else f"{row['lesion_id']} copy {copy}"


def failures(rows: Sequence[dict[str, str]], most: int = 30) -> list[dict[str, str]]:
    """Return the rows with a Dice below FAILURE, worst first, at most `most`."""
    failed = [row for row in rows if float(row["dice"]) < FAILURE]
    return sorted(failed, key=lambda row: (float(row["dice"]), key(row)))[:most]


def shown(rows: Sequence[dict[str, str]], each: int = 3) -> dict[str, list[dict[str, str]]]:
    """Select the best, median and worst examples by Dice; none is selected twice."""
    ranked = sorted(rows, key=lambda row: (-float(row["dice"]), key(row)))
    each = min(each, max(1, len(ranked) // 3))
    middle = max(0, (len(ranked) - each) // 2)
    picked = {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[-each:]}
    return picked if len(ranked) >= 3 else {"all": ranked}


def draw(results: RunResults, rows: Sequence[dict[str, str]], model: Path,
         data_dir: str | None) -> dict[str, CaseImage]:  # fmt: skip
    """Draw images of `rows`, by key, with new predictions of the exported model.

    Raises UserError if model or data are missing or do not match the scores.
    """
    from tfrespam.data.loading import pipeline

    if (after := results.summary.get("postprocessing", "none")) != "none":
        raise UserError(f"these scores are of masks after post-processing by {after}; masks of the model alone differ")
    exported = saved_model.load(model)
    prepared = _prepared(results, exported.metadata, data_dir)
    positions = {_identity(row): position for position, row in enumerate(_table(prepared))}
    wanted = {positions[_identity(row)]: row for row in rows if _identity(row) in positions}
    evaluated = [positions[_identity(row)] for row in results.images if _identity(row) in positions]
    chosen, among = (np.isin(np.arange(len(positions)), rows) for rows in (list(wanted), evaluated))
    drawn = {}
    order = iter(sorted(wanted))
    second = dict(exported.metadata.get("data") or {}).get("second", "none")
    batches = pipeline.evaluation(prepared, chosen, batch_size=8, second=second, among=among)
    with pipeline.corruption_as_user_error(prepared):
        for images, masks in batches.as_numpy_iterator():
            for image, mask, probability in zip(images, masks, exported.predict_images(images), strict=True):
                row = wanted[next(order)]
                predicted = binarise(probability[..., 0], results.summary["threshold"])
                drawn[key(row)] = _case_image(row, image[..., 0], mask[..., 0] > 0, predicted)
    return drawn


def _prepared(results: RunResults, metadata: dict, data_dir: str | None) -> Prepared:
    data = DataConfig.of(results.config.get("data") or metadata.get("data") or {})
    home = data_dir or results.config.get("data_dir") or Experiment().data_dir
    prepared = find(home, data)
    if prepared.digest != results.summary.get("data_sha256", prepared.digest):
        raise UserError(f"these scores are of other examples than those in {prepared.path}: the model was evaluated on "
                        "another data set than its training data, or the data set has been prepared again since")
    return prepared


def _table(prepared: Prepared) -> list[dict]:
    columns = prepared.table
    return [{"lesion_id": lesion, "copy": str(copy)} for lesion, copy
            in zip(columns["lesion_id"].tolist(), columns["copy"].tolist(), strict=True)]  # fmt: skip


def _identity(row: dict[str, str]) -> tuple[str, str]:
    return row["lesion_id"], row.get("copy") or "0"


def _case_image(row: dict[str, str], image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> CaseImage:
    crop, truth, mask = (cv2.resize(np.asarray(each, np.float32), (SIDE, SIDE)) for each in (image, truth, mask))
    plain = grey_to_rgb(np.rint(crop.clip(0, 1) * 65535).astype(np.uint16))
    outlined = draw_contour(draw_contour(plain, truth >= 0.5, REFERENCE), mask >= 0.5, PREDICTION)
    both = cv2.cvtColor(np.concatenate([plain, outlined], axis=1), cv2.COLOR_RGB2BGR)
    png = base64.b64encode(cv2.imencode(".png", both)[1].tobytes()).decode()
    dice = float(row["dice"])
    facts = [row.get(name, "").replace("_", " ").lower() for name in ("view", "pathology", "shape", "margins")]
    alt = (f"Case {key(row)}: the crop, and the crop with the outlines of reference (cyan) and prediction (amber); "
           f"Dice {dice:.2f}")  # fmt: skip
    return CaseImage(key(row), ", ".join(fact for fact in facts if fact), dice, alt, f"data:image/png;base64,{png}")
