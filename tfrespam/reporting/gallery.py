"""Pictures of judged cases: crop, and crop with the outlines of reference and prediction."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tfrespam.config import DataConfig, Experiment
from tfrespam.data.prepared import Prepared, find
from tfrespam.errors import UserError
from tfrespam.evaluation.confusion import binarise
from tfrespam.evaluation.overlay import PREDICTION, REFERENCE, draw_contour, grey_to_rgb
from tfrespam.reporting.source import Judged

SIDE = 240  # pixels of a crop on the page
FAILURE = 0.5  # Dice below which a case counts as failed


class Picture(NamedTuple):
    """A case as shown on the page."""

    key: str  # lesion id and copy; the page's anchor
    title: str
    dice: float
    alt: str
    data: str  # data: URI of a PNG, plain and outlined crop side by side


def key(row: dict[str, str]) -> str:
    copy = row.get("copy", "0")
    return row["lesion_id"] if copy in ("", "0") else f"{row['lesion_id']} copy {copy}"


def failures(rows: Sequence[dict[str, str]], most: int = 30) -> list[dict[str, str]]:
    """The rows with a Dice below FAILURE, worst first, `most` at most."""
    failed = [row for row in rows if float(row["dice"]) < FAILURE]
    return sorted(failed, key=lambda row: (float(row["dice"]), key(row)))[:most]


def shown(rows: Sequence[dict[str, str]], each: int = 3) -> dict[str, list[dict[str, str]]]:
    """The best, median and worst cases by Dice; of few cases none twice."""
    ranked = sorted(rows, key=lambda row: (-float(row["dice"]), key(row)))
    each = min(each, max(1, len(ranked) // 3))
    middle = max(0, (len(ranked) - each) // 2)
    picked = {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[-each:]}
    return picked if len(ranked) >= 3 else {"all": ranked}


def draw(judged: Judged, rows: Sequence[dict[str, str]], model: Path, data_dir: str | None) -> dict[str, Picture]:
    """The pictures of `rows` by key, predicted anew by the exported model. Raises UserError without model or data."""
    from tfrespam.data import pipeline
    from tfrespam.serving import saved_model

    if (after := judged.summary.get("postprocessing", "none")) != "none":
        raise UserError(f"these scores are of masks after {after}, and the model alone would draw others")
    exported = saved_model.load(model)
    prepared = _prepared(judged, exported.metadata, data_dir)
    places = {_identity(row): place for place, row in enumerate(_table(prepared))}
    wanted = {places[_identity(row)]: row for row in rows if _identity(row) in places}
    chosen = np.isin(np.arange(len(places)), list(wanted))
    pictures = {}
    order = iter(sorted(wanted))
    second = dict(exported.metadata.get("data") or {}).get("second", "none")
    batches = pipeline.evaluation(prepared, chosen, batch_size=8, second=second)
    with pipeline.damage_told(prepared):
        for images, masks in batches.as_numpy_iterator():
            for image, mask, probability in zip(images, masks, exported.predict_images(images), strict=True):
                row = wanted[next(order)]
                found = binarise(probability[..., 0], judged.summary["threshold"])
                pictures[key(row)] = _picture(row, image[..., 0], mask[..., 0] > 0, found)
    return pictures


def _prepared(judged: Judged, metadata: dict, data_dir: str | None) -> Prepared:
    data = DataConfig.of(judged.config.get("data") or metadata.get("data") or {})
    home = data_dir or judged.config.get("data_dir") or Experiment().data_dir
    found = find(home, data)
    if found.digest != judged.summary.get("data_sha256", found.digest):
        raise UserError(f"these scores are of other examples than those in {found.path}: the model was judged on a "
                        "data set that it was not trained on, or which has been prepared anew since")
    return found


def _table(prepared: Prepared) -> list[dict]:
    columns = prepared.table
    return [{"lesion_id": lesion, "copy": str(copy)} for lesion, copy
            in zip(columns["lesion_id"].tolist(), columns["copy"].tolist(), strict=True)]  # fmt: skip


def _identity(row: dict[str, str]) -> tuple[str, str]:
    return row["lesion_id"], row.get("copy") or "0"


def _picture(row: dict[str, str], image: np.ndarray, truth: np.ndarray, found: np.ndarray) -> Picture:
    crop, truth, found = (cv2.resize(np.asarray(each, np.float32), (SIDE, SIDE)) for each in (image, truth, found))
    plain = grey_to_rgb(np.rint(crop.clip(0, 1) * 65535).astype(np.uint16))
    drawn = draw_contour(draw_contour(plain, truth >= 0.5, REFERENCE), found >= 0.5, PREDICTION)
    both = cv2.cvtColor(np.concatenate([plain, drawn], axis=1), cv2.COLOR_RGB2BGR)
    png = base64.b64encode(cv2.imencode(".png", both)[1].tobytes()).decode()
    dice = float(row["dice"])
    facts = [row.get(name, "").replace("_", " ").lower() for name in ("view", "pathology", "shape", "margins")]
    alt = (f"Case {key(row)}: the crop, and the crop with the outlines of reference (cyan) and prediction (amber); "
           f"Dice {dice:.2f}")  # fmt: skip
    return Picture(key(row), ", ".join(fact for fact in facts if fact), dice, alt, f"data:image/png;base64,{png}")
