"""Pictures that show no mass: the shipped networks find none, or the picture is refused with the reason."""

import cv2
import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.core.files import read_csv
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient
from tfrespam.workflows.prediction import predict_files

pytestmark = pytest.mark.slow


def text(shape):
    page = np.full(shape, 255, np.uint8)
    for row in range(20, shape[0], 30):
        cv2.putText(page, "Lorem ipsum dolor", (5, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    return page


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    (folder / "in").mkdir()
    rng = np.random.default_rng([0, 0])
    patient = draw_patient(0, rng)
    film, _ = draw_film(patient.breasts[0], patient.density, "CC", rng)
    pictures = {"film": film, "negative": 65535 - film}
    for name, shape in {"large": (600, 400), "small": (96, 96)}.items():
        pictures |= {f"black_{name}": np.zeros(shape, np.uint8), f"white_{name}": np.full(shape, 255, np.uint8),
                     f"noise_{name}": rng.integers(0, 256, shape, dtype=np.uint8), f"text_{name}": text(shape)}
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / "in" / f"{name}.png"), picture)
    with pytest.raises(UserError, match="7 of 10 files could not be segmented"):
        predict_files([str(folder / "in")], str(folder / "out"))
    return {row["name"]: row for row in read_csv(folder / "out" / "predictions.csv")}


@pytest.mark.parametrize(("name", "reason"), [
    ("black_large", "single grey value"), ("white_large", "single grey value"), ("black_small", "single grey value"),
    ("white_small", "single grey value"), ("noise_large", "as in noise or text"),
    ("noise_small", "as in noise or text"), ("text_small", "as in text or a drawing"),
])  # fmt: skip
def test_pictures_that_are_no_mammograms_are_refused(rows, name, reason):
    assert rows[name]["status"].startswith("failed: ") and reason in rows[name]["status"]


def test_a_page_of_text_with_the_proportions_of_a_film_has_no_candidate(rows):
    assert (rows["text_large"]["status"], rows["text_large"]["candidates"]) == ("ok", "0")


def test_a_negative_has_the_candidates_of_its_film(rows):
    film, negative = rows["film"], rows["negative"]
    assert film["region"] == negative["region"] == "film" and "negative" in negative["notes"]
    assert film["candidates"] == negative["candidates"] == "1" and film["area_px"] == negative["area_px"]
