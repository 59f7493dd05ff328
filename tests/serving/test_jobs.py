import dataclasses

import cv2
import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.serving.client.failures import ImageRefusedError, ServerUnavailableError, TooMuchDataError
from tfrespam.serving.inference import jobs
from tfrespam.serving.inference.region import InputDescription
from tfrespam.serving.inference.saved_model import Segmentation

AUTO = InputDescription()
GREYS = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 10


class Echo:
    """A network that returns each image; `refuses` gives the error of a batch, if any."""

    metadata, takes_films = {"data": {"view": "roi", "context": 2.0}}, False

    def __init__(self, refuses=lambda images: None):
        self.refuses, self.asked = refuses, []

    def predict_bytes(self, images):
        self.asked.append(len(images))
        if error := self.refuses(images):
            raise error
        return [Segmentation(image, image, 0.5) for image in images]


@pytest.fixture
def cases(tmp_path):
    for name in "abc":
        cv2.imwrite(str(tmp_path / f"{name}.png"), GREYS + ord(name))
    return jobs.find([str(tmp_path)])


def test_files_are_sent_as_one_batch(cases):
    network = Echo()
    done = jobs.segment(cases, network, AUTO, False)
    assert network.asked == [3] and [case.name for case in done] == ["a", "b", "c"]
    assert all(case.segmentation.mask_png == case.image.encoded and not case.fault for case in done)


def test_one_rejected_image_does_not_affect_the_others(cases):
    jobs.read(cases, False, "auto")
    bad = cases[1].image.encoded
    network = Echo(lambda images: ImageRefusedError("image_bytes[0] too large") if bad in images else None)
    done = jobs.answer(cases, network, AUTO)
    assert [bool(case.segmentation) for case in done] == [True, False, True] and "too large" in done[1].fault
    assert network.asked == [3, 1, 1, 1] and not done[1].undone


def test_a_batch_that_is_too_large_is_divided(cases):
    network = Echo(lambda images: TooMuchDataError("larger than max") if len(images) > 1 else None)
    done = jobs.segment(cases, network, AUTO, False)
    assert network.asked == [3, 1, 1, 1] and all(case.segmentation and not case.fault for case in done)


def test_an_image_that_is_too_large_by_itself_has_failed_for_good(cases):
    done = jobs.segment(cases[:1], Echo(lambda images: TooMuchDataError("larger than max")), AUTO, False)
    assert done[0].fault == "larger than max" and not done[0].undone


def test_images_are_undone_if_the_server_is_unavailable(cases):
    done = jobs.segment(cases, Echo(lambda images: ServerUnavailableError("away")), AUTO, False)
    assert all(case.undone and case.fault == "away" for case in done)


def test_a_box_is_cropped_as_a_square_and_pasted_back(cases):
    (case,) = jobs.segment(cases[:1], Echo(), InputDescription(box=(20, 20, 30, 30)), False)
    assert case.region == "box" and case.square == (15, 15, 35, 35)
    found = cv2.imdecode(np.frombuffer(case.segmentation.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.shape == GREYS.shape and not found[:15].any() and not found[:, 35:].any()


def test_an_image_with_a_box_may_be_mostly_black(tmp_path):
    film = np.zeros((400, 300), np.uint8)
    cv2.circle(film, (0, 200), 80, 255, -1)
    film = cv2.GaussianBlur(film, (0, 0), 4)
    cv2.imwrite(str(tmp_path / "film.png"), film)
    cases = jobs.find([str(tmp_path / "film.png")])
    assert "black or white" in jobs.segment(cases, Echo(), AUTO, False)[0].fault
    cases = jobs.find([str(tmp_path / "film.png")])
    (case,) = jobs.segment(cases, Echo(), InputDescription(box=(180, 10, 210, 40)), False)
    assert case.fault == "" and case.region == "box" and case.segmentation


def test_a_film_that_the_model_cannot_search_has_a_note(tmp_path):
    """By its looks, or by a header; most of it may be black."""
    film = np.zeros((600, 400), np.uint8)
    cv2.circle(film, (0, 300), 110, 255, -1)
    cv2.imwrite(str(tmp_path / "film.png"), cv2.GaussianBlur(film, (0, 0), 4))
    for given in (None, True, False):
        (case,) = jobs.read(jobs.find([str(tmp_path)]), False, "auto")
        case.image = dataclasses.replace(case.image, is_film=given)
        jobs.answer([case], Echo(), AUTO)
        assert case.region == "image" and bool(case.segmentation) == (given is not False)
        notes = ("a whole film, but this model has no predict_film: treated as a crop",)
        assert case.image.notes == (() if given is False else notes)


@pytest.mark.parametrize(("context", "square", "seen"), [
    (1.0, (-32, -32, 96, 96), slice(None)), (4.0, (16, 16, 48, 48), slice(16, 48)),
])  # fmt: skip
def test_a_crop_of_known_context_is_shown_at_that_of_the_training(cases, context, square, seen):
    """The network was trained at 2.0: a tight crop is extended, a wide one cut, and the result has the file's size."""
    (case,) = jobs.segment(cases[:1], Echo(), InputDescription(context=context), False)
    found = cv2.imdecode(np.frombuffer(case.segmentation.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert case.region == "image" and case.square == square
    expected = np.zeros_like(GREYS)
    expected[seen, seen] = (GREYS + ord("a"))[seen, seen]
    np.testing.assert_array_equal(found, expected)


def test_the_context_of_a_crop_file_is_assumed_and_reported(cases):
    """Only for networks of one context, and unless the user states it; the network was trained at 2.0."""
    def squares(model, about=AUTO):
        (case,) = jobs.read(cases[:1], False, "auto")
        case.image, case.square = dataclasses.replace(case.image, context=1.35), None
        (case,) = jobs.answer([case], model, about)
        return case.square, case.image.notes

    square, notes = squares(Echo())
    assert square == (-16, -16, 79, 79) and "context 1.35 assumed (`context` states another)" in notes[-1]
    assert squares(Echo(), InputDescription(context=4.0)) == ((16, 16, 48, 48), ())
    several = Echo()
    several.metadata = {"data": {"view": "roi", "context": 2.0}, "augment": {"context_range": [1.0, 2.4]}}
    assert squares(several) == (None, ())


def test_earlier_results_are_not_used_as_inputs(cases, tmp_path):
    from tfrespam.serving.inference import written

    (tmp_path / "a_mask.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert len(jobs.find([str(tmp_path)])) == 4
    (tmp_path / "a_mask.png").unlink()
    written.claim(tmp_path, {"a": ("_mask.png",)})
    (tmp_path / "a_mask.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert [case.name for case in jobs.find([str(tmp_path)])] == ["a", "b", "c"]
    with pytest.raises(UserError, match="contains only earlier results"):
        jobs.find([str(tmp_path / "a_mask.png")])
