import math

import pytest
from fake_runs import write_run

from tfrespam.comparison import results
from tfrespam.comparison.collect import Run
from tfrespam.comparison.plan import Comparison, Network, OwnRecipe, trainings
from tfrespam.config import Experiment

FULL, HALF, MISSED = (40, 0, 0), (20, 20, 20), (0, 0, 40)  # Dice 1, 0.5, 0; IoU 1, 1/3, 0; mIoU 1, 1/2, 0.3


@pytest.fixture
def made(tmp_path):
    """Three networks under both protocols; the folds of U-Net are two runs, ResPAM's second one is missing."""
    models = [Network("respam_unet"), Network("unet"), Network("unet", label="Mine")]
    planned = trainings(Comparison(models=models, folds=[0, 1], base=Experiment(name="b")))
    images = {
        ("paper", 0): {"a 1 3": FULL, "a 1 4": FULL, "b 1 0": HALF},
        ("folds", 0): {"a 1": FULL, "b 1": HALF},
        ("folds", 1): {"c 1": MISSED, "d 1": (10, 20, 0)},
    }
    finished = {}
    for position, training in enumerate(planned):
        key = training.protocol, training.experiment.data.fold
        if (training.network.name, *key) == ("respam_unet", "folds", 1):
            continue
        mine = dict(images[key])
        if training.network.title == "Mine":
            mine = dict.fromkeys(mine, HALF)
        finished[position] = Run.read(write_run(tmp_path / str(position), mine, protocol=key[0], parameters=1000,
                                                seconds=position + 1, trivial=0.2 + 0.2 * key[1]))  # fmt: skip
    return results.rows(planned, finished)


def numbers(made, protocol, title):
    return next(row.numbers for row in made if (row.protocol, row.title) == (protocol, title))


def test_order_is_the_papers(made):
    titles = ["U-Net", "ResPAM U-Net", "Mine"]
    assert [(row.protocol, row.title) for row in made] == [(p, title) for p in ("paper", "folds") for title in titles]


def test_a_row_by_hand(made):
    row = numbers(made, "folds", "U-Net")
    assert (row["runs"], row["planned"], row["n_images"], row["n_patients"]) == (2, 2, 4, 4)
    fourth = 20 / (20 + 20)
    assert row["dice"] == pytest.approx((1 + 0.5 + 0 + fourth) / 4)
    assert row["iou"] == pytest.approx((1 + 1 / 3 + 0 + 1 / 3) / 4)
    assert row["miou"] == pytest.approx((1 + (1 / 3 + 40 / 80) / 2 + 60 / 100 / 2 + (1 / 3 + 70 / 90) / 2) / 4)
    assert row["dice_pooled"] == pytest.approx(2 * 70 / (2 * 70 + 40 + 60))
    assert row["miou_pooled"] == pytest.approx((70 / 170 + 230 / 330) / 2)
    assert row["coverage_pooled"] == pytest.approx(130 / 400) and row["coverage"] == pytest.approx(0.4)
    assert row["dice_low"] <= row["dice"] <= row["dice_high"]
    assert (row["published_dice"], row["published_miou"]) == (0.9047, 0.8479)
    assert math.isnan(numbers(made, "folds", "Mine")["published_dice"])


def test_trivial_masks_and_skill_are_the_runs_mean(made):
    row = numbers(made, "folds", "U-Net")
    assert row["trivial_centred_ellipse"] == pytest.approx(0.3) and math.isnan(row["trivial_mean_mask"])
    assert row["skill"] == pytest.approx((0.5 - 0.3) / 0.7)


def test_a_missing_run_shows(made):
    row = numbers(made, "folds", "ResPAM U-Net")
    assert (row["runs"], row["planned"], row["n_images"]) == (1, 2, 2)
    assert row["dice"] == pytest.approx(0.75)
    assert numbers(made, "folds", "U-Net")["shared_images"] == 2  # ranks are on what all have judged


def test_standing_belongs_to_its_protocol(made):
    assert numbers(made, "paper", "Mine")["shared_images"] == 3
    assert numbers(made, "paper", "Mine")["behind_best"] == pytest.approx(0.5 - 2.5 / 3)
    assert sum(numbers(made, "paper", "Mine")["ranks"]) == pytest.approx(1)


def test_cost_of_leakage_by_hand(made):
    costs = {cost["network"]: cost for cost in results.leakage(made)}
    assert list(costs) == ["U-Net", "ResPAM U-Net", "Mine"]
    unet = costs["U-Net"]
    assert unet["honest_protocol"] == "folds"
    assert (unet["dice_paper"], unet["dice_honest"]) == pytest.approx((2.5 / 3, 0.5))
    assert unet["dice_cost"] == pytest.approx(2.5 / 3 - 0.5)
    assert unet["dice_cost_low"] <= unet["dice_cost"] <= unet["dice_cost_high"]
    assert costs["Mine"]["dice_cost"] == pytest.approx(0) and costs["Mine"]["miou_cost_high"] == pytest.approx(0)
    assert numbers(made, "folds", "U-Net")["dice_cost"] == unet["dice_cost"]  # table.csv has it in the honest row
    assert "dice_cost" not in numbers(made, "paper", "U-Net")


def test_without_the_paper_protocol_there_is_no_cost(tmp_path):
    planned = trainings(Comparison(models=[Network("unet")], protocols=["folds"], base=Experiment(name="b")))
    alone = results.rows(planned, {0: Run.read(write_run(tmp_path, {"a 1": FULL, "b 1": HALF}))})
    assert results.leakage(alone) == [] and "dice_cost" not in alone[0].numbers


def test_training_time_is_the_runs_mean_and_inference_needs_a_probe(made):
    row = numbers(made, "folds", "U-Net")
    seconds = [run.training_seconds for run in next(r for r in made if r.protocol == "folds").runs]
    assert row["training_seconds"] == pytest.approx(sum(seconds) / 2) and len(set(seconds)) == 2
    assert math.isnan(row["inference_seconds"])


def test_departures_belong_to_own_recipes():
    models = [Network("unet", own=OwnRecipe(training={"loss": "bce"}, departures=["Adam.", "No dropout."])),
              Network("segnet", own=OwnRecipe(training={"loss": "bce"}))]  # fmt: skip
    assert results.departures(Comparison(models=models)) == {}
    assert results.departures(Comparison(models=models, recipes=["own"])) == {"U-Net": ["Adam.", "No dropout."]}
