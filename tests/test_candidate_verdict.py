"""experiments/candidate_verdict.py: a second score of the candidates of whole films."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[1] / "experiments" / "candidate_verdict.py"
SPEC = importlib.util.spec_from_file_location("candidate_verdict", FILE)
verdict = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(verdict)


def row(film, y0, x0, y1, x1, score, iou=0.0):
    """A row of candidates.csv, a filled rectangle, with the texts that a CSV file holds."""
    facts = {"score": score, "area_px": (y1 - y0) * (x1 - x0), "longest_diameter_px": np.hypot(y1 - y0, x1 - x0),
             "row": (y0 + y1 - 1) / 2, "column": (x0 + x1 - 1) / 2, "y0": y0, "x0": x0, "y1": y1, "x1": x1,
             "best_iou": iou, "best_box_iou": iou}  # fmt: skip
    return {"film_id": film} | {name: str(value) for name, value in facts.items()}


def film(*boxes):
    mask = np.zeros((64, 40), bool)
    for y0, x0, y1, x1 in boxes:
        mask[y0:y1, x0:x1] = True
    return np.where(mask, 0.9, 0.2).astype(np.float32), mask, "P_1"


def test_a_candidate_overlaps_the_lesion_next_to_it_and_the_new_score_orders():
    films = {"a": film((5, 5, 15, 15), (40, 20, 52, 30)), "b": film((1, 1, 9, 9)), "c": film((1, 1, 9, 9))}
    rows = [row("a", 41, 21, 50, 30, 0.9, 0.7), row("a", 5, 6, 14, 15, 0.8, 0.6), row("b", 30, 30, 36, 36, 0.7)]
    first, second, third = verdict.findings(rows, np.array([0.1, 0.4, 0.3]), films, ["a", "b", "c"])
    assert [each.score for each in first.matches] == [0.4, 0.1]
    assert [each.ious for each in first.matches] == [(0.6, 0.0), (0.0, 0.7)]
    assert second.lesions == 1 and second.matches[0].ious == (0.0,)
    assert third.lesions == 1 and third.matches == ()


def test_candidates_on_a_film_without_masses_overlap_nothing():
    (found,) = verdict.findings([row("a", 5, 5, 15, 15, 0.9)], np.array([0.6]), {"a": film()}, ["a"])
    assert found.lesions == 0 and [(each.score, each.ious) for each in found.matches] == [(0.6, ())]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_crop_shows_the_candidate_in_its_middle(scale):
    image, mask, _ = film((20, 10, 40, 30))
    shown = verdict.look_at(image, row("a", 20, 10, 40, 30, 0.5), scale) > 0.5
    assert shown.shape == (verdict.SIDE, verdict.SIDE)
    assert shown.mean() == pytest.approx(1 / scale**2, rel=0.05)
    if scale > 1:
        np.testing.assert_allclose(np.argwhere(shown).mean(axis=0), (verdict.SIDE - 1) / 2, atol=0.5)


def test_shape_of_a_candidate():
    found = verdict.shape(row("a", 20, 10, 30, 30, 0.5), (64, 40))
    assert len(found) == verdict.SHAPES
    expected = [0, np.log(200), np.hypot(10, 20) / 200**0.5, 1, 24.5 / 64, 19.5 / 40]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_verdict_is_fitted_to_the_other_folders():
    """Candidates that are large are masses in the other folder, whatever their score."""
    generator = np.random.default_rng(0)

    def folder(hits):
        rows = [row("a", 0, 0, 20 if hit else 4, 10, generator.uniform(0.3, 0.7)) for hit in hits]
        shapes = np.array([verdict.shape(each, (64, 40)) for each in rows])
        return {"rows": rows, "features": np.hstack([shapes, generator.normal(size=(len(rows), 12))]), "hits": hits}

    known = {"fold0": folder(np.tile([True, False], 20)), "fold1": folder(np.tile([False, True], 10))}
    found = verdict.verdicts(known, "fold1")
    assert list(found) == ["score alone", "shape", "look"]
    assert found["score alone"].tolist() == [float(each["score"]) for each in known["fold1"]["rows"]]
    for label in ("shape", "look"):
        assert found[label][known["fold1"]["hits"]].min() > found[label][~known["fold1"]["hits"]].max()
