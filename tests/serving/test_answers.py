"""Invalid answers of every kind; valid ones of the same request are kept."""

import cv2
import numpy as np
import pytest

from tfrespam.serving.client import answers
from tfrespam.serving.client.failures import WrongAnswerError


def png(pixels) -> bytes:
    return cv2.imencode(".png", np.asarray(pixels))[1].tobytes()


MASK, PROBABILITY = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint16)
MASK[5:9, 3:7], PROBABILITY[5:9, 3:7] = 255, 60000
SHAPE = (20, 30)


def answer(count=3, **changed):
    """Make a valid answer for three images, except for the `changed` outputs of the second."""
    columns = {answers.MASK: [png(MASK)] * count, answers.PROBABILITY: [png(PROBABILITY)] * count,
               answers.FRACTION: np.full(count, 0.1, np.float32)}  # fmt: skip
    for name, value in changed.items():
        columns[name] = list(columns[name])
        columns[name][1] = value
    return columns


def test_a_valid_answer_is_returned():
    found = answers.segmentations(answer(), [SHAPE, None, SHAPE], "server")
    assert found[1][:3] == (png(MASK), png(PROBABILITY), pytest.approx(0.1)) and len(found) == 3
    assert found[1].candidates is None  # of older exports


def test_candidates_are_returned_without_rows_of_zeros():
    table = np.zeros((3, 2, 6), np.float32)
    table[0], table[2, 0] = [[1, 2, 3, 5, 0.75, 4], [0, 0, 2, 2, 0.5, 3]], [0, 1, 2, 3, 0.25, 1]
    for listed in (table, table.tolist()):
        found = answers.segmentations({**answer(), "candidates": listed}, [SHAPE] * 3, "server")
        assert [[each.score for each in one.candidates] for one in found] == [[0.75, 0.5], [], [0.25]]
        assert found[0].candidates[0].box == (1, 2, 3, 5) and found[0].candidates[0].area_px == 4
    for none in (np.zeros((3, 0, 6), np.float32), [[], [], []]):
        found = answers.segmentations({**answer(), "candidates": none}, [SHAPE] * 3, "server")
        assert [one.candidates for one in found] == [()] * 3


@pytest.mark.parametrize("table", [np.zeros((2, 1, 6), np.float32), np.zeros((3, 1, 5), np.float32), None,
                                   np.full((3, 1, 6), np.nan, np.float32), np.full((3, 1, 6), -1, np.float32)])
def test_invalid_candidates_are_reported(table):
    with pytest.raises(WrongAnswerError, match="returned candidates"):
        answers.segmentations({**answer(), "candidates": table}, [SHAPE] * 3, "server")


@pytest.mark.parametrize(("name", "value", "told"), [
    (answers.MASK, None, "is not a PNG"),
    (answers.MASK, 1, "is not a PNG"),
    (answers.MASK, b"", "is not a PNG"),
    (answers.MASK, b"hello, this is certainly not one of them", "is not a PNG"),
    (answers.MASK, png(np.zeros((10, 10), np.uint8)), "of 10 x 10 pixels; expected 20 x 30"),
    (answers.MASK, png(np.zeros((30, 20), np.uint8)), "of 30 x 20 pixels; expected 20 x 30"),
    (answers.MASK, png(np.zeros((20, 30, 3), np.uint8)), "of 8 bits, colour; expected 8 bits, grey"),
    (answers.MASK, png(np.zeros((20, 30), np.uint16)), "of 16 bits, grey; expected 8 bits"),
    (answers.MASK, png(np.full((20, 30), 7, np.uint8)), "grey levels such as 7; expected 0 and 255"),
    (answers.MASK, png(MASK)[:-20], "that is damaged"),
    (answers.PROBABILITY, png(MASK), "probability_png_bytes of 8 bits, grey; expected 16"),
    (answers.PROBABILITY, png(np.zeros((10, 10), np.uint16)), "probability_png_bytes of 10 x 10"),
    (answers.PROBABILITY, png(np.random.default_rng(0).integers(0, 65536, SHAPE).astype(np.uint16))[:300], "damaged"),
    (answers.FRACTION, float("nan"), "tumour_fraction of nan"),
    (answers.FRACTION, -0.1, "tumour_fraction of -0.1"),
    (answers.FRACTION, 1.5, "tumour_fraction of 1.5"),
    (answers.FRACTION, "0.1", "tumour_fraction of 0.1; expected a number"),
    (answers.FRACTION, None, "tumour_fraction of None"),
])  # fmt: skip
def test_one_invalid_answer_is_reported_and_the_others_kept(name, value, told):
    with pytest.raises(WrongAnswerError, match=told) as caught:
        answers.segmentations(answer(**{name: value}), [SHAPE] * 3, "server")
    first, wrong, last = caught.value.answers
    assert told in wrong and wrong.startswith("server returned") and first == last == answers.Segmentation(
        png(MASK), png(PROBABILITY), pytest.approx(0.1))  # fmt: skip


def test_mask_and_probability_must_have_the_same_size():
    with pytest.raises(WrongAnswerError, match="expected 20 x 30"):
        answers.segmentations(answer(**{answers.PROBABILITY: png(np.zeros((10, 10), np.uint16))}), [None] * 3, "server")


@pytest.mark.parametrize("column", [7, None, "text", [], [b"x"] * 4, np.float32(3), {"a": 1}])
@pytest.mark.parametrize("name", answers.NAMES)
def test_a_wrong_number_of_outputs_invalidates_the_whole_answer(name, column):
    with pytest.raises(WrongAnswerError, match=f"as {name}; expected 3") as caught:
        answers.segmentations(answer() | {name: column}, [SHAPE] * 3, "server")
    assert caught.value.answers == []


def test_a_missing_output_is_reported_by_name():
    with pytest.raises(WrongAnswerError, match=r"returned \['mask_png_bytes'\]; expected .*tumour_fraction"):
        answers.segmentations({answers.MASK: [b""]}, [SHAPE], "server")


@pytest.mark.parametrize("wrong", [None, [0.5], np.zeros((1, 4, 4)), np.zeros((2, 4, 4, 1), int),
                                   np.full((2, 4, 4, 1), np.nan), np.full((2, 4, 4, 1), 1.01)])  # fmt: skip
def test_probabilities_must_have_the_shape_and_range_of_the_image(wrong):
    right = np.full((2, 4, 4, 1), 0.5)
    assert answers.probabilities(right, right.shape, "server").dtype == np.float32
    with pytest.raises(WrongAnswerError, match="server returned"):
        answers.probabilities(wrong, right.shape, "server")


def test_shapes_are_read_from_file_headers():
    assert answers.shape_of(png(MASK)) == SHAPE
    assert answers.shape_of(cv2.imencode(".jpg", MASK)[1].tobytes()) == SHAPE
    assert answers.shape_of(b"nothing") is None
