import re

import pytest

from tfrespam.serving.model_card import model_card

# Mitchell et al. 2019, figure 1
HEADINGS = ["Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
            "Quantitative analyses", "Ethical considerations", "Caveats and recommendations"]  # fmt: skip
BARE = {"name": "mine", "version": 3, "parameters": 1234567, "flops": 10, "image_size": 96, "keep_aspect": False,
        "threshold": 0.5, "created": "2026-01-02T03:04:05+00:00", "versions": {"tfrespam": "0.1.0"}, "git": "abc",
        "sha256": "f" * 64, "licence": "Apache-2.0", "intended_use": "research; not a medical device"}  # fmt: skip
SCORE = {"dataset": "cbis", "protocol": "folds", "n_images": 279, "n_patients": 139, "threshold": 0.5,
         "coverage": 0.234, "skill": 0.41, "leak_audit": {"copy": 0, "film": 1},
         "metrics": {"dice": {"image": 0.8599, "image_ci95": [0.84, 0.87], "pooled": 0.86}, "hd95_px": {"image": 3.0},
                     "iou": {"image": 0.76, "image_ci95": [None, None], "pooled": 0.7}}}  # fmt: skip
WHOLE = BARE | {"model": "respam_unet", "width": 0.25, "weights": ["a"], "views": "flips",
                "data": {"view": "roi", "dataset": "cbis", "protocol": "folds", "context": 1.6, "image_size": 96},
                "trained_on": {"patient": ["x", "y"], "film": ["z"]}, "metrics": {"validation": SCORE}}  # fmt: skip


@pytest.mark.parametrize("metadata", [BARE, WHOLE])
def test_has_the_sections_of_the_paper_each_with_a_text(metadata):
    card = model_card(metadata)
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == HEADINGS
    assert all(section.strip() for section in re.split(r"^## .*$", card, flags=re.MULTILINE))
    assert card.startswith("# Model card: mine, version 3\n") and "None" not in card


def test_tells_what_is_known():
    card = model_card(WHOLE)
    for fact in ("respam_unet, width 0.25, averaged over flips", "1,234,567", "f" * 64, "has never seen a whole film",
                 "279 pictures of 139 patients", "copy 0, film 1", "2 patients, 1 films",
                 "| Dice | 0.860 | 0.840 to 0.870 |", "| IoU of mass | 0.760 | unknown to unknown |",
                 "Skill 0.410, median coverage 0.234"):  # fmt: skip
        assert fact in card


def test_tells_data_set_calibration_and_what_held_out_means():
    calibration = {"temperature": 1.25, "pictures": 9, "patients": 5,
                   "expected_calibration_error": {"before": 0.05, "after": 0.0123}}  # fmt: skip
    card = model_card(WHOLE | {"data": {"dataset": "cbis_ddsm_mass"}, "calibration": calibration,
                               "metrics": {"held out by 5 runs": SCORE}})  # fmt: skip
    assert card.count("  ") == model_card(WHOLE).count("  ")  # no gap where there is no note
    for fact in ("CC BY 3.0", "10.7937/K9/TCIA.2016.7O02S9CY", "digitised", "temperature 1.250",
                 "9 held-out pictures of 5 patients", "0.0500 before, 0.0123 after", "had not seen its patient"):
        assert fact in card
    assert "Films of 800 pixels." in model_card(WHOLE | {"note": "Films of 800 pixels."})
    assert "had not seen its patient" not in model_card(WHOLE) and "temperature" not in model_card(WHOLE)


def test_says_when_it_does_not_know():
    card = model_card(BARE)
    assert card.count("Not recorded with this version.") == 2 and "has not been judged as a whole" in card


def test_generated_pictures_are_named_as_such():
    assert "say nothing about mammograms" in model_card(WHOLE | {"data": {"dataset": "phantom", "view": "roi"}})
    assert "say nothing about mammograms" not in model_card(WHOLE)
