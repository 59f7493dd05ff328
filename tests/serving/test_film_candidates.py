"""Candidates of the exported graph and of the film chain equal those of `tfrespam.evaluation.candidates`."""

import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf
from drawn_films import drawn, png
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tfrespam.evaluation.candidates import CandidateRule, find_candidates
from tfrespam.serving.graph.film_candidates import find, set_scores
from tfrespam.serving.inference.film_chain import FilmChain, decoded
from tfrespam.serving.inference.saved_model import ExportedModel

RULES = (CandidateRule(0.5), CandidateRule(0.6, 0.8), CandidateRule(0.5, 0, 0.004),
         CandidateRule(0.6, 0.7, 0.001, 0.04), CandidateRule(0.7, join=0.1),
         CandidateRule(0.5, 0.4, score_slope=0.7, score_intercept=-1.5))  # fmt: skip
GRAPHS = [tf.function(lambda film, rule=rule: find(film, rule, rule.threshold),
                      input_signature=[tf.TensorSpec([None, None, 1])]) for rule in RULES]  # fmt: skip


def blobs(seed: int, shape=(60, 90)) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(shape).astype(np.float32), (0, 0), 1 + seed % 3)
    return np.rint(cv2.normalize(noise, None, 0, 65535, cv2.NORM_MINMAX)) / np.float32(65535)


def table(found) -> np.ndarray:
    return np.array([[*each.box, each.score, each.area_px] for each in found], np.float32).reshape(-1, 6)


@given(st.integers(0, 2**32 - 1), st.sampled_from(range(len(RULES))))
@settings(max_examples=25)
def test_candidates_of_the_graph_match_those_of_the_evaluation(seed, number):
    film = blobs(seed, (40 + seed % 30, 70))
    labels, found = find_candidates(film, RULES[number])
    rows, mask = GRAPHS[number](film[..., None])
    np.testing.assert_allclose(rows, table(found), rtol=1e-5 if RULES[number].score_slope != 1 else 0)
    np.testing.assert_array_equal(mask[..., 0], labels > 0)


@pytest.mark.parametrize("film", [np.zeros((5, 7)), np.ones((5, 7)), np.ones((1, 1))])
def test_constant_maps_have_no_or_one_candidate(film):
    rows, _ = GRAPHS[0](film[..., None].astype(np.float32))
    assert len(rows) == (1 if film.any() else 0)


def answered(path, films):
    signature = tf.saved_model.load(str(path)).signatures["predict_film"]
    return {name: value.numpy() for name, value in signature(image_bytes=tf.constant(list(map(png, films)))).items()}


def test_served_and_local_candidates_are_the_same(exported):
    films = drawn(), drawn(masses=((200, 60, 30),)), drawn(masses=())
    served = answered(exported, films)["candidates"]
    assert served.shape == (3, 2, 6) and served.dtype == np.float32
    local = FilmChain(ExportedModel(exported)).predict_film(list(map(png, films)))
    for rows, answer, count in zip(served, local, (2, 1, 0), strict=True):
        np.testing.assert_allclose(rows[rows[:, 4] > 0], table(answer.candidates), rtol=1e-6)
        assert len(answer.candidates) == count == answer.labels.max() and not rows[count:].any()
    y0, x0, y1, x1 = local[1].candidates[0].box
    assert abs((y0 + y1) / 2 - 200) < 5 and abs((x0 + x1) / 2 - 60) < 5


def test_a_blank_film_has_no_candidate_and_an_empty_mask(exported):
    found = answered(exported, [np.zeros((300, 200), np.uint16)])
    assert found["candidates"].shape == (1, 0, 6) and found["tumour_fraction"] == [0]
    (answer,) = FilmChain(ExportedModel(exported)).predict_film([png(np.zeros((300, 200), np.uint16))])
    assert answer.candidates == () and not answer.labels.any()


def test_the_operating_point_can_be_set_in_an_exported_graph(exported, tmp_path):
    path, film = shutil.copytree(exported, tmp_path / "1"), drawn()
    film[300:] = np.where(film[300:] == 60000, 40000, film[300:])  # the second mass is dimmer
    scores = answered(path, [film])["candidates"][0, :, 4]
    assert scores[0] > scores[1] + 0.01
    set_scores(path, CandidateRule(least_score=float(scores.mean())))
    later = answered(path, [film])
    np.testing.assert_array_equal(later["candidates"][0, :, 4], scores[:1])
    mask = decoded(later["mask_png_bytes"][0]) > 0
    assert ndimage.label(mask)[1] == 1 and later["tumour_fraction"][0] == pytest.approx(mask.mean())


def test_served_local_and_evaluated_scores_are_scaled_equally(exported, tmp_path):
    """Platt scaling set after the export changes the scores in all lists of candidates, but no outline."""
    path, film = shutil.copytree(exported, tmp_path / "1"), drawn()
    before, plain = answered(path, [film]), FilmChain(ExportedModel(path)).predict_film([png(film)])[0]
    rule = CandidateRule(0.2, 0.1, score_slope=0.6, score_intercept=-2.0)
    set_scores(path, rule)
    known = json.loads((path / "metadata.json").read_text())
    (path / "metadata.json").write_text(json.dumps(known | {"candidates": dataclasses.asdict(rule)}))
    served, local = answered(path, [film]), FilmChain(ExportedModel(path)).predict_film([png(film)])[0]
    raw = before["candidates"][0, :, 4]
    expected = 1 / (1 + np.exp(2.0) * (1 / raw - 1) ** 0.6)
    np.testing.assert_allclose(served["candidates"][0, :, 4], expected, rtol=1e-5)
    np.testing.assert_allclose(table(local.candidates), served["candidates"][0], rtol=1e-5)
    np.testing.assert_array_equal(local.labels, plain.labels)
    assert served["mask_png_bytes"] == before["mask_png_bytes"]
    lower = FilmChain(ExportedModel(path), threshold=0.3).predict_film([png(film)])[0]
    assert [each.score for each in lower.candidates] == pytest.approx(expected.tolist(), rel=1e-5)


def test_graph_server_command_line_and_python_give_the_same_candidates(exported, tmp_path):
    import tfrespam as tr
    from tfrespam.core.files import read_csv
    from tfrespam.workflows.prediction import predict_files

    film = drawn()
    (tmp_path / "film.png").write_bytes(png(film))
    (row,) = predict_files([str(tmp_path / "film.png")], str(tmp_path / "out"), model=str(exported))
    assert row["candidates"] == 2 and row["region"] == "film" and row["notes"] == ""
    columns = ("y0", "x0", "y1", "x1", "score", "area_px")
    written = [[float(each[name]) for name in columns] for each in read_csv(tmp_path / "out" / "candidates.csv")]
    served = answered(exported, [film])["candidates"][0]
    np.testing.assert_allclose(written, served, atol=1e-6)
    for each in (tmp_path / "film.png", film):
        (one,) = tr.predict(each, exported)
        np.testing.assert_allclose(table(one.candidates), served, rtol=1e-6)
        np.testing.assert_array_equal(one.mask, one.labels > 0)
        assert one.region == "film"
