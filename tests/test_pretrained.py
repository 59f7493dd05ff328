"""The network that comes with the repository."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tfrespam.serving import saved_model

FOLDER = Path(__file__).parents[1] / "saved_models" / "pretrained" / "1"


@pytest.fixture(scope="module")
def model():
    return saved_model.load(FOLDER)  # which compares the digest


def test_is_small_and_tells_where_it_comes_from(model):
    assert sum(file.stat().st_size for file in FOLDER.rglob("*")) < 10_000_000
    known, card = model.metadata, (FOLDER / "model_card.md").read_text()
    assert known["data"]["protocol"] == "all" and known["kernels"] == "float16"
    (score,) = known["metrics"].values()
    assert score["n_images"] == 1309 and set(score["leak_audit"].values()) == {0}
    for fact in ("CC BY 3.0", "not a medical device", "digitised", "8-bit JPEG", "held out by 5 runs",
                 "scores: 9 films"):  # fmt: skip
        assert fact in card


def test_outlines_a_bright_mass_in_the_middle_of_a_crop(model):
    side = 160
    distance = np.hypot(*(np.indices((side, side)) - side / 2))
    rng = np.random.default_rng(0)
    picture = 90 + 70 / (1 + np.exp((distance - 45) / 4)) + cv2.GaussianBlur(rng.normal(0, 60, (side, side)), (0, 0), 3)
    png = cv2.imencode(".png", picture.clip(0, 255).astype(np.uint8))[1].tobytes()
    mask = cv2.imdecode(np.frombuffer(model.predict_bytes([png])[0].mask_png, np.uint8), cv2.IMREAD_UNCHANGED) > 0
    truth = distance < 45
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.85
