import re

import pytest

from tfrespam.serving.graph.model_card import model_card

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
def test_card_has_all_sections_of_the_model_card_paper(metadata):
    card = model_card(metadata)
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == HEADINGS
    assert all(section.strip() for section in re.split(r"^## .*$", card, flags=re.MULTILINE))
    assert card.startswith("# Model card: mine, version 3\n") and "None" not in card


def test_card_contains_the_recorded_facts():
    card = model_card(WHOLE)
    for fact in ("respam_unet, width 0.25, averaged over four", "1,234,567", "f" * 64, "never trained on whole films",
                 "279 images of 139 patients", "copy 0, film 1", "2 patients, 1 films",
                 "| Dice | 0.860 | 0.840 to 0.870 |", "| IoU of mass | 0.760 | unknown to unknown |",
                 "Skill 0.410, median coverage 0.234"):  # fmt: skip
        assert fact in card


def test_card_explains_data_set_calibration_and_held_out_scores():
    calibration = {"temperature": 1.25, "pictures": 9, "patients": 5,
                   "expected_calibration_error": {"before": 0.05, "after": 0.0123}}  # fmt: skip
    card = model_card(WHOLE | {"data": {"dataset": "cbis_ddsm_mass"}, "calibration": calibration,
                               "metrics": {"held out by 5 runs": SCORE}})  # fmt: skip
    assert card.count("  ") == model_card(WHOLE).count("  ")  # no gap where there is no note
    for fact in ("CC BY 3.0", "10.7937/K9/TCIA.2016.7O02S9CY", "digitised", "temperature 1.250",
                 "9 held-out images of 5 patients", "0.0500 before, 0.0123 after", "was not trained on its patient"):
        assert fact in card
    assert "Films of 800 pixels." in model_card(WHOLE | {"note": "Films of 800 pixels."})
    assert "was not trained on its patient" not in model_card(WHOLE) and "temperature" not in model_card(WHOLE)


def test_card_describes_the_crops_of_the_training():
    assert "square and 1.6 times as wide as the mass is long: in tighter crops its masks are too small" in (
        model_card(WHOLE))  # fmt: skip
    augment = {"recrop": 3.0, "context_range": [1.0, 2.4], "off_centre": 0.1, "crop_shape": "any"}
    card = model_card(WHOLE | {"augment": augment})
    assert "1 to 2.4 times as wide as the mass is long, square or not, the mass in the middle or off centre" in card
    assert "- Images: crops around a mass, context 1 to 2.4, evaluated at 1.6, 96 pixels" in card
    assert "too small" not in card


def test_card_marks_facts_that_are_not_recorded():
    card = model_card(BARE)
    assert card.count("Not recorded with this version.") == 2 and "has not been evaluated as a whole" in card


def test_card_names_generated_images():
    assert "say nothing about mammograms" in model_card(WHOLE | {"data": {"dataset": "phantom", "view": "roi"}})
    assert "say nothing about mammograms" not in model_card(WHOLE)


def test_card_contains_the_detection_scores_of_a_film_network():
    cell = {"value": 0.742, "ci95": [0.673, 0.813], "score": 0.46}
    found = {"n_lesions": 279, "ap50_mask": {"value": 0.466, "ci95": [0.396, 0.549]},
             **{f"iou_{criterion}": {"sensitivity": {"fp_0.5": cell}} for criterion in ("0.1", "0.5")}}  # fmt: skip
    card = model_card(WHOLE | {"metrics": {"validation": SCORE | {"detection": found}}})
    assert "Of 279 masses on whole films" in card and "| AP50, masks | 0.466 | 0.396 to 0.549 |" in card
    assert "| found at 0.5 false positives per film, IoU ≥ 0.1 | 0.742 | 0.673 to 0.813 |" in card
    assert "Of 279 masses" not in model_card(WHOLE)


def test_card_explains_how_candidates_are_made_and_scored():
    rule = {"threshold": 0.2, "least_area": 2e-4, "least_score": 0.4567}
    card = model_card(WHOLE | {"candidates": rule})
    assert "probabilities of at least 0.2 and an area of at least 0.02 % of the image" in card
    assert "listed if the score is at least 0.4567" in card
    assert "highest probability, not calibrated" in card and "Candidates" not in model_card(WHOLE)
    card = model_card(WHOLE | {"candidates": rule | {"score_slope": 0.7, "score_intercept": -1.5}})
    assert "Platt scaling of its highest probability, slope 0.700, intercept -1.500" in card


def test_card_of_generated_images_speaks_of_no_patients():
    phantom = model_card(WHOLE | {"data": {"view": "film", "dataset": "phantom", "image_size": 96}})
    assert "were generated; they show no patients" in phantom and "consent" not in phantom
    assert "- Images: whole breasts, 96 pixels" in phantom
    assert "consent" in model_card(WHOLE) and "consent" not in model_card(BARE)
