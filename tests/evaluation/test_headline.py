import pytest

from tfrespam.evaluation.headline import headline, interval


def summary(**changed):
    scores = {"image": 0.8, "pooled": 0.75, "image_ci95": (0.7, 0.9)}
    return {"split": "test", "protocol": "folds", "n_images": 4, "n_patients": 2, "metrics": {"dice": scores,
            "miou": {"image": 0.7}}, "trivial": {"full": 0.4}, "skill": 0.5, "coverage": 0.25,
            "leak_audit": {"patient": 0}, **changed}  # fmt: skip


def test_scores_are_printed_with_their_interval():
    assert list(headline(summary())) == [
        "test (folds): 4 images of 2 patients",
        "Dice 0.8000 (95 % by patients 0.7000-0.9000), pooled 0.7500; mIoU 0.7000; skill 0.500 "
        "(0: best trivial mask, 1: perfect; trivial masks: full 0.400); "
        "coverage, the share of an image that is mass: 0.250"]  # fmt: skip


@pytest.mark.parametrize("ends", [(None, None), (float("nan"), float("nan"))])
def test_one_patient_has_no_interval(ends):
    assert interval(ends) == "too few patients for an interval"


@pytest.mark.parametrize(("changed", "caveat"), [
    ({"leak_audit": {"patient": 3}}, "3 of them show patients that the model was trained on"),
    ({"split": "train", "leak_audit": {"patient": 2}}, "2 of them show patients that the model was trained on"),
    ({"leak_audit": {"patient": 3}, "of_other_sources": True}, "belong to another data set"),
    ({"leak_audit": {"patient": None}}, "training data are not recorded"),
    ({"split": "validation", "settings": {"training": {"select": "best"}}}, "slightly optimistic"),
])  # fmt: skip
def test_caveats_of_a_score_are_printed(changed, caveat):
    lines = list(headline(summary(**changed)))
    assert len(lines) == 3 and caveat in lines[2]


def test_detection_scores_are_printed():
    cell = {"value": 0.5, "ci95": (0.25, None)}
    found = {"n_lesions": 3, "n_candidates": 5, "ap50_mask": cell, "ap50_box": cell, "dice_of_found": None,
             "iou_0.1": {"sensitivity": {"fp_0.25": cell}, "all_candidates": {"sensitivity": 1.0, "fp_per_image": 0.5}}}
    lines = list(headline(summary(detection=found)))[2:]
    assert lines[0].startswith("3 masses, 5 candidates")
    assert lines[1] == "  IoU >= 0.1: 0.500 (0.250-unknown); all candidates: 1.000 at 0.50"
    assert lines[2].endswith("Dice of films with a detected mass unknown")
