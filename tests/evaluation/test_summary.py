"""Contents of per_image.csv and summary.json."""

import csv
import json
import math

import numpy as np
import pytest

from tfrespam.core import files
from tfrespam.evaluation import summary, trivial

_CONTEXT = {
    "model": "respam_unet", "experiment": "e", "dataset": "phantom", "protocol": "folds", "split": "validation",
    "threshold": 0.5, "leak_audit": {"copy": 0, "film": 0, "breast": 0, "patient": 0}, "parameters": 7, "flops": 8,
    "seconds": 1.5, "versions": {"python": "3.11"}, "command": "python -m tfrespam.evaluate", "seed": 0, "git": "abc",
}  # fmt: skip
_TRIVIAL = {"all_ones": 0.3, "centred_ellipse": 0.5, "mean_mask": 0.6}
# expected keys of summary.json, in the order of the documentation
_KEYS = ["model", "experiment", "dataset", "protocol", "split", "n_images", "n_patients", "coverage", "threshold",
         "metrics", "trivial", "skill", "leak_audit", "parameters", "flops", "seconds", "versions", "command", "seed",
         "git"]  # fmt: skip


def _study(count=7, side=20):
    random = np.random.default_rng(2)
    references = np.zeros((count, side, side), bool)
    for index in range(count):
        references[index, 3 : 9 + index, 4:12] = True
    probabilities = np.clip(0.5 * references + random.uniform(0, 0.55, references.shape), 0, 1).astype("float32")
    probabilities[0] = 0  # a false negative
    table = {"lesion_id": np.array([f"L{index}" for index in range(count)]), "copy": np.zeros(count, np.int64),
             "patient_id": np.array([f"P{index // 2}" for index in range(count)]), "crop": np.array(["0 0"] * count)}
    return table, references, probabilities


def _rows(threshold=0.5):
    table, references, probabilities = _study()
    return summary.per_image_rows(table, zip(references, probabilities, strict=True), threshold)


def test_rows_contain_metadata_scores_counts_and_coverage():
    table, references, probabilities = _study()
    rows = _rows(threshold=0.4)
    assert list(rows[0]) == ["lesion_id", "patient_id", "copy", "dice", "iou", "miou", "dice_two_class", "precision",
                             "sensitivity", "specificity", "hd95_px", "assd_px", "nsd_2px", "tp", "fp", "fn", "tn",
                             "coverage"]  # fmt: skip
    for row, reference, probability in zip(rows, references, probabilities, strict=True):
        hits = sum(bool(r) and p >= 0.4 for r, p in zip(reference.flat, probability.flat, strict=True))
        drawn = sum(p >= 0.4 for p in probability.flat)
        assert (row["tp"], row["fp"], row["tp"] + row["fn"]) == (hits, drawn - hits, reference.sum())
        assert row["tp"] + row["fp"] + row["fn"] + row["tn"] == reference.size
        assert row["dice"] == pytest.approx(2 * hits / (drawn + reference.sum()))
        assert row["coverage"] == reference.sum() / 400
    assert [row["lesion_id"] for row in rows] == table["lesion_id"].tolist()
    assert math.isnan(rows[0]["hd95_px"]) and rows[0]["dice"] == rows[0]["nsd_2px"] == 0


def test_summary_has_the_documented_shape():
    result = summary.summarise(_rows(), _TRIVIAL, _CONTEXT)
    assert list(result) == _KEYS
    overlaps = ["dice", "iou", "miou", "dice_two_class", "precision", "sensitivity", "specificity"]
    assert list(result["metrics"]) == [*overlaps, "hd95_px", "assd_px", "nsd_2px"]
    for name in overlaps:
        assert list(result["metrics"][name]) == ["image", "image_ci95", "pooled"]
    for name in ("hd95_px", "assd_px", "nsd_2px"):
        assert list(result["metrics"][name]) == ["image", "image_ci95", "n_images"]
    assert {key: result[key] for key in _CONTEXT} == _CONTEXT and result["trivial"] == _TRIVIAL


def test_summary_can_be_recomputed_from_the_rows():
    rows = _rows()
    result = summary.summarise(rows, _TRIVIAL, _CONTEXT)
    dice = [row["dice"] for row in rows]
    hits, wrong = sum(row["tp"] for row in rows), sum(row["fp"] + row["fn"] for row in rows)
    rest = sum(row["tn"] for row in rows)
    metrics = result["metrics"]
    assert metrics["dice"]["image"] == pytest.approx(sum(dice) / 7)
    assert metrics["dice"]["pooled"] == pytest.approx(2 * hits / (2 * hits + wrong))
    assert metrics["miou"]["pooled"] == pytest.approx((hits / (hits + wrong) + rest / (rest + wrong)) / 2)
    assert metrics["hd95_px"]["n_images"] == 6 and metrics["nsd_2px"]["n_images"] == 7
    assert metrics["hd95_px"]["image"] == pytest.approx(sum(row["hd95_px"] for row in rows[1:]) / 6)
    for values in metrics.values():
        assert values["image_ci95"][0] <= values["image"] <= values["image_ci95"][1]
    assert (result["n_images"], result["n_patients"]) == (7, 4)
    assert result["coverage"] == sorted(row["coverage"] for row in rows)[3]
    assert result["skill"] == pytest.approx((sum(dice) / 7 - 0.6) / 0.4)


def test_summary_survives_a_round_trip_through_files(tmp_path):
    rows = _rows()
    files.write_csv(tmp_path / "per_image.csv", rows)
    with open(tmp_path / "per_image.csv", newline="", encoding="utf-8") as file:
        again = list(csv.DictReader(file))
    result = summary.summarise(rows, _TRIVIAL, _CONTEXT)
    assert summary.summarise(again, _TRIVIAL, _CONTEXT) == result
    files.write_json(tmp_path / "summary.json", result)
    assert json.loads((tmp_path / "summary.json").read_text()) == result


def test_empty_predictions_have_no_distances_and_null_in_json(tmp_path):
    table, references, probabilities = _study()
    rows = summary.per_image_rows(table, zip(references, 0 * probabilities, strict=True))
    result = summary.summarise(rows, trivial.trivial_dice(references, trivial.TrivialMasks()), _CONTEXT)
    assert result["metrics"]["hd95_px"]["n_images"] == 0 and result["metrics"]["dice"]["image"] == 0
    files.write_json(tmp_path / "summary.json", result)
    stored = json.loads((tmp_path / "summary.json").read_text())
    assert stored["metrics"]["hd95_px"] == {"image": None, "image_ci95": [None, None], "n_images": 0}
    assert stored["trivial"]["mean_mask"] is None and stored["skill"] < 0


def test_invalid_input_is_rejected():
    table, references, probabilities = _study()
    with pytest.raises(ValueError, match="patient_id"):
        summary.per_image_rows({"lesion_id": table["lesion_id"]}, [])
    with pytest.raises(ValueError, match="zip"):
        summary.per_image_rows(table, zip(references[:3], probabilities[:3], strict=True))
    with pytest.raises(ValueError, match="no rows"):
        summary.summarise([], _TRIVIAL, _CONTEXT)
    with pytest.raises(ValueError, match="seed.*Received"):
        summary.summarise(_rows(), _TRIVIAL, {key: _CONTEXT[key] for key in _CONTEXT if key != "seed"})
