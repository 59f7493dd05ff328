"""Films with candidates and outlines of two networks."""

import numpy as np
import pytest
from drawn_films import drawn, png
from scipy import ndimage

from tfrespam.serving.inference.film_chain import FilmChain, decoded
from tfrespam.serving.inference.saved_model import ExportedModel


class Disc:
    """A crop network that outlines a disc of half the crop's side."""

    metadata = {"data": {"context": 2.0}, "image_size": 64}

    def predict_images(self, images):
        distance = np.hypot(*(np.indices((64, 64)) - 31.5))
        return np.repeat(np.where(distance < 16, 1.0, 0.0)[None, ..., None], len(images), 0).astype(np.float32)


def test_candidates_come_from_the_film_network_and_outlines_from_both(exported):
    finder = ExportedModel(exported)
    chains = FilmChain(finder), FilmChain(finder, Disc())
    alone, outlined = (chain.predict_film([png(drawn())])[0] for chain in chains)
    assert outlined.candidates == alone.candidates and outlined.labels.max() == 2
    number = outlined.labels == 1
    rows, columns = np.nonzero(number)
    assert abs(rows.mean() - 240) < 4 and abs(columns.mean() - 75) < 4
    assert ndimage.label(number)[1] == 1 and decoded(outlined.mask_png)[240, 75] == 1
    combined = decoded(outlined.probability_png)
    assert combined[240, 75] == pytest.approx((1 + decoded(alone.probability_png)[240, 75]) / 2, abs=1e-3)


def test_a_user_threshold_defines_the_candidates(exported):
    for threshold in (0.3, 0.9):
        (answer,) = FilmChain(ExportedModel(exported), threshold=threshold).predict_film([png(drawn())])
        np.testing.assert_array_equal(answer.labels > 0, decoded(answer.probability_png) >= np.float32(threshold))


def test_a_film_without_candidates_has_status_ok(exported, tmp_path):
    from tfrespam.workflows.prediction import predict_files

    (tmp_path / "film.png").write_bytes(png(drawn(masses=())))
    (row,) = predict_files([str(tmp_path / "film.png")], str(tmp_path / "out"), model=str(exported))
    assert (row["status"], row["notes"], row["area_px"], row["candidates"]) == ("ok", "no mass found", 0, 0)
    assert (tmp_path / "out" / "candidates.csv").read_text().count("\n") == 1
