"""The networks in saved_models/."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

import tfrespam as tr
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.film_chain import FilmChain, decoded

FOLDER = Path(__file__).parents[1] / "saved_models" / "pretrained" / "2"
FILMS = FOLDER.parents[1] / "films" / "1"


@pytest.fixture(scope="module")
def model():
    return saved_model.load(FOLDER)  # which compares the digest


def test_pretrained_model_is_small_and_its_card_names_the_source(model):
    assert sum(file.stat().st_size for file in FOLDER.rglob("*")) < 15_000_000  # graph 6.9, network 5.4
    known, card = model.metadata, (FOLDER / "model_card.md").read_text()
    assert known["data"]["protocol"] == "all" and known["kernels"] == "float16"
    (score,) = known["metrics"].values()
    assert score["n_images"] == 1318 and set(score["leak_audit"].values()) == {0}
    for fact in ("CC BY 3.0", "not a medical device", "digitised", "8-bit JPEG", "held out by 5 runs",
                 "another number of lesions than the case list"):  # fmt: skip
        assert fact in card


@pytest.mark.parametrize("folder", [FOLDER, FILMS], ids=lambda folder: folder.parent.name)
def test_metadata_contains_no_absolute_path(folder):
    known = saved_model.read_metadata(folder)
    words = " ".join([known["run"], known["command"], known["dataset"]["command"]]).split()
    assert len(words) > 10 and not [word for word in words if word.strip("'\"[").startswith("/")]


def test_pretrained_model_outlines_a_bright_mass_in_a_crop(model):
    side = 160
    distance = np.hypot(*(np.indices((side, side)) - side / 2))
    rng = np.random.default_rng(0)
    picture = 90 + 70 / (1 + np.exp((distance - 45) / 4)) + cv2.GaussianBlur(rng.normal(0, 60, (side, side)), (0, 0), 3)
    png = cv2.imencode(".png", picture.clip(0, 255).astype(np.uint8))[1].tobytes()
    mask = cv2.imdecode(np.frombuffer(model.predict_bytes([png])[0].mask_png, np.uint8), cv2.IMREAD_UNCHANGED) > 0
    truth = distance < 45
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.85


def test_trainable_network_gives_the_served_probabilities():
    model, segmenter = tr.load_model(FOLDER, trainable=True), tr.load_model(FOLDER)
    images = np.random.default_rng(0).random((2, 96, 96, 1), np.float32)
    found = np.asarray(model(images, training=False))[..., 0]
    assert found.std() > 0.01
    np.testing.assert_allclose(found, segmenter.predict(images).probabilities, rtol=0, atol=1e-5)
    assert model.count_params() == segmenter.metadata["parameters"] and len(model.trainable_weights) > 100


def test_film_network_lists_platt_scaled_scores_in_graph_and_chain():
    """The scaling was added to the graph after its export."""
    rng = np.random.default_rng(1)
    film = np.full((800, 470), 600, np.float32)
    cv2.ellipse(film, (0, 400), (313, 266), 0, 0, 360, 25000, -1)
    film += (film > 1000) * cv2.GaussianBlur(rng.normal(0, 20000, film.shape).astype(np.float32), (0, 0), 4)
    for place, radius in (((150, 400), 30), ((100, 500), 20)):
        cv2.circle(film, place, radius, 45000, -1)
    png = cv2.imencode(".png", cv2.GaussianBlur(film, (0, 0), 2).clip(0, 65535).astype(np.uint16))[1].tobytes()
    finder = saved_model.load(FILMS)
    rule = CandidateRule.of(finder.metadata["candidates"])
    answer = tf.saved_model.load(str(FILMS)).signatures["predict_film"](image_bytes=tf.constant([png]))
    (served,), (local,) = answer["candidates"].numpy(), FilmChain(finder).predict_film([png])
    found = [[*each.box, each.score, each.area_px] for each in local.candidates]
    np.testing.assert_allclose(served, found, rtol=1e-5)
    probability = decoded(local.probability_png)
    highest = np.array([probability[y0:y1, x0:x1].max() for y0, x0, y1, x1, *_ in served.astype(int)])
    assert len(served) and rule.score_slope != 1
    np.testing.assert_allclose(served[:, 4], rule.scaling.apply(highest), rtol=1e-5)
