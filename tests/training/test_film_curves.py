"""FROC curve and reliability of films in TensorBoard."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfrespam.evaluation.candidates import FILM_RULE
from tfrespam.evaluation.detection import find
from tfrespam.evaluation.froc import detection_scores
from tfrespam.training.tensorboard.film_curves import FilmCurves


def films(number=6):
    """Return masks with one mass each, and probabilities with four true and two false positives."""
    masks, probability = np.zeros((2, number, 64, 64, 1), np.float32)
    masks[:, 20:30, 20:30] = 1
    for film, score in enumerate((0.95, 0.92, 0.82, 0.72)):
        probability[film, 20:30, 20:30] = score
    for film, score in zip(range(4, number), (0.62, 0.85), strict=False):
        probability[film, 40:50, 5:15] = score
    return masks, probability


def test_scalars_and_figures_match_those_of_an_evaluation(tmp_path):
    masks, probability = films()
    patients = np.array(list("aabbcc"))
    curves = FilmCurves({"patient_id": patients, "film_id": np.array(list("123456"))}, 64)
    curves.add(masks[:4], probability[:4])
    curves.add(masks[4:], probability[4:])
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default(3):
        curves.write()
        writer.flush()
    read = EventAccumulator(str(tmp_path)).Reload()
    values = {tag: float(tf.make_ndarray(read.Tensors(tag)[0].tensor_proto)) for tag in read.Tags()["tensors"]
              if tag not in ("detection/froc", "detection/reliability")}  # fmt: skip
    findings = [find(*pair, FILM_RULE) for pair in zip(masks[..., 0], probability[..., 0], strict=True)]
    cells = detection_scores(findings, patients)["iou_0.1"]["sensitivity"]
    for rate, found in (("0.25", 4 / 6), ("0.5", 4 / 6), ("1", 4 / 6), ("2", 4 / 6)):
        assert values[f"detection/found_at_fp_{rate}"] == pytest.approx(found) == cells[f"fp_{rate}"]["value"]
    gaps = abs(2 - 1.87), abs(1 - 1.67), abs(1 - 0.72), abs(0 - 0.62)  # in the bins from 0.9, 0.8, 0.7 and 0.6 up
    assert values["detection/expected_calibration_error"] == pytest.approx(sum(gaps) / 6, abs=1e-6)
    assert values["detection/ap50_mask"] == values["detection/ap50_box"] > 0.5
    for tag in ("detection/froc", "detection/reliability"):
        (event,) = read.Tensors(tag)
        width, height, encoded = event.tensor_proto.string_val
        assert event.step == 3 and (int(width), int(height)) == (360, 414)
        assert tf.io.decode_png(encoded).numpy().std() > 10


def test_films_without_a_candidate_can_be_drawn(tmp_path):
    curves = FilmCurves({"patient_id": np.array(list("aabb")), "film_id": np.array(list("1234"))}, 64)
    masks, probability = films(4)
    curves.add(masks, 0 * probability)
    with tf.summary.create_file_writer(str(tmp_path)).as_default(0):
        curves.write()
