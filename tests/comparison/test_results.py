import math
import statistics

import pytest
from fake_runs import write_run

from tfrespam.config import Experiment
from tfrespam.studies.comparison import results
from tfrespam.studies.comparison.plan import Comparison, Network, OwnRecipe, trainings
from tfrespam.training.run_results import RunResults

FULL, HALF, MISSED = (40, 0, 0), (20, 20, 20), (0, 0, 40)  # Dice 1, 0.5, 0; IoU 1, 1/3, 0; mIoU 1, 1/2, 0.3


@pytest.fixture
def made(tmp_path):
    """Rows of three networks under both protocols; U-Net has runs of two folds, ResPAM's second fold is missing."""
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
        finished[position] = RunResults.read(write_run(tmp_path / str(position), mine, protocol=key[0], parameters=1000,
                                                seconds=position + 1, trivial=0.2 + 0.2 * key[1]))  # fmt: skip
    return results.rows(planned, finished)


def numbers(made, protocol, title):
    """Numbers of the network's row with the most images."""
    return max((row.numbers for row in made if (row.protocol, row.title) == (protocol, title)),
               key=lambda row: row["n_images"])  # fmt: skip


def test_order_is_that_of_the_paper(made):
    titles = ["U-Net", "ResPAM U-Net", "Mine"]
    assert [(row.protocol, row.title) for row in made if row.main] == [
        (protocol, title) for protocol in ("paper", "folds") for title in titles]  # fmt: skip


def test_each_block_has_rows_of_the_same_images(made):
    """U-Net and Mine have two folds, ResPAM one: all have a row for the common fold, the two also for both folds."""
    found = [(row.protocol, row.title, row.numbers["n_images"], row.main) for row in made]
    assert found[3:] == [("folds", "U-Net", 2, True), ("folds", "ResPAM U-Net", 2, True), ("folds", "Mine", 2, True),
                         ("folds", "U-Net", 4, False), ("folds", "Mine", 4, False)]  # fmt: skip
    assert {row.numbers["judged_on"] for row in made[3:6]} == {"2 images evaluated by all networks"}
    assert {row.numbers["judged_on"] for row in made[6:]} == {"4 images evaluated by 2 of 3 networks"}
    common, both = made[3].numbers, made[6].numbers
    assert common["dice"] == pytest.approx(0.75) and (common["runs"], both["runs"]) == (1, 2)
    assert common["trivial_centred_ellipse"] == pytest.approx(0.2)  # of the fold that counts


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
    assert (row["folds"], row["dice_fold_mean"]) == (2, pytest.approx((0.75 + 0.25) / 2))
    assert row["seeds"] == 1 and math.isnan(row["dice_seed_sd"]) and row["images_seen"] == 1000
    assert (row["published_dice"], row["published_miou"]) == (0.9047, 0.8479)
    assert math.isnan(numbers(made, "folds", "Mine")["published_dice"])


def test_trivial_masks_and_skill_are_averaged_over_runs(made):
    row = numbers(made, "folds", "U-Net")
    assert row["trivial_centred_ellipse"] == pytest.approx(0.3) and math.isnan(row["trivial_mean_mask"])
    assert row["skill"] == pytest.approx((0.5 - 0.3) / 0.7)


def test_a_missing_run_is_visible_in_the_counts(made):
    row = numbers(made, "folds", "ResPAM U-Net")
    assert (row["runs"], row["planned"], row["n_images"]) == (1, 2, 2)
    assert row["dice"] == pytest.approx(0.75)
    assert [row.numbers["shared_images"] for row in made if (row.protocol, row.title) == ("folds", "U-Net")] == [2, 4]


def test_standings_are_computed_for_each_protocol(made):
    assert numbers(made, "paper", "Mine")["shared_images"] == 3
    assert numbers(made, "paper", "Mine")["behind_best"] == pytest.approx(0.5 - 2.5 / 3)
    assert sum(numbers(made, "paper", "Mine")["ranks"]) == pytest.approx(1)


def test_leakage_computed_by_hand(made):
    costs = {cost["network"]: cost for cost in results.leakage(made)}
    assert list(costs) == ["U-Net", "ResPAM U-Net", "Mine"]
    unet = costs["U-Net"]
    assert unet["honest_protocol"] == "folds"
    assert (unet["dice_paper"], unet["dice_honest"]) == pytest.approx((2.5 / 3, 0.75))  # on the fold that all judged
    assert unet["dice_leakage"] == pytest.approx(2.5 / 3 - 0.75)
    assert unet["equal_budget"] is True and unet["images_seen_honest"] == 1000
    assert unet["dice_leakage_low"] <= unet["dice_leakage"] <= unet["dice_leakage_high"]
    assert costs["Mine"]["dice_leakage"] == pytest.approx(0) and costs["Mine"]["miou_leakage_high"] == pytest.approx(0)
    assert made[3].numbers["dice_leakage"] == unet["dice_leakage"]  # table.csv has it in the main honest row
    assert "dice_leakage" not in made[6].numbers
    assert "dice_leakage" not in numbers(made, "paper", "U-Net")


def test_without_the_paper_protocol_there_is_no_leakage(tmp_path):
    planned = trainings(Comparison(models=[Network("unet")], protocols=["folds"], base=Experiment(name="b")))
    alone = results.rows(planned, {0: RunResults.read(write_run(tmp_path, {"a 1": FULL, "b 1": HALF}))})
    assert results.leakage(alone) == [] and "dice_leakage" not in alone[0].numbers


def test_training_time_is_averaged_and_inference_time_comes_from_the_probe(made):
    row = numbers(made, "folds", "U-Net")
    seconds = [run.training_seconds for run in made[6].runs]
    assert row["training_seconds"] == pytest.approx(sum(seconds) / 2) and len(set(seconds)) == 2
    assert math.isnan(row["inference_seconds"])


def test_departures_are_listed_only_for_own_recipes():
    models = [Network("unet", own=OwnRecipe(training={"loss": "bce"}, departures=["Adam.", "No dropout."])),
              Network("segnet", own=OwnRecipe(training={"loss": "bce"}))]  # fmt: skip
    assert results.departures(Comparison(models=models)) == {}
    assert results.departures(Comparison(models=models, recipes=["own"])) == {"U-Net": ["Adam.", "No dropout."]}


def seeded(tmp_path, budgets=(1000, 1000)):
    """U-Net and SegNet under both protocols, with three seeds on fold 0 and the first seed on fold 1."""
    comparison = Comparison(models=[Network("unet"), Network("segnet")], folds=[0, 1], seeds=[0, 1, 2], seed_folds=[0],
                            base=Experiment(name="b"))  # fmt: skip
    planned, finished = trainings(comparison), {}
    for position, training in enumerate(planned):
        seed, fold = training.experiment.seed, training.experiment.data.fold
        images = {"a 1": (30 + seed, 5, 5), "b 1": HALF} if fold == 0 else {"c 1": FULL}
        if training.network.name == "segnet":
            images["a 1" if fold == 0 else "c 1"] = (31 + seed * (-1) ** seed, 5, 5)
        folder = write_run(tmp_path / str(position), images, protocol=training.protocol, seed=seed,
                           images_seen=budgets[training.protocol != "paper"])  # fmt: skip
        finished[position] = RunResults.read(folder)
    return planned, results.rows(planned, finished)


def test_additional_seeds_are_trained_only_on_their_folds(tmp_path):
    planned, made = seeded(tmp_path)
    assert sum(training.protocol == "folds" for training in planned) == 2 * (2 + 2)
    row = numbers(made, "folds", "U-Net")
    dice = [(2 * (30 + seed) / (2 * (30 + seed) + 10) + 0.5) / 2 for seed in range(3)]
    assert (row["seeds"], row["folds"], row["runs"]) == (3, 2, 4)
    assert row["dice_seed_sd"] == pytest.approx(statistics.stdev(dice))
    assert row["dice"] == pytest.approx((2 * statistics.mean(dice) + 1) / 3)
    assert row["dice_fold_mean"] == pytest.approx((statistics.mean(dice) + 1) / 2)


def test_trivial_masks_and_leaks_count_a_fold_once_for_all_seeds(tmp_path):
    comparison = Comparison(models=[Network("unet")], protocols=["folds"], folds=[0, 1], seeds=[0, 1, 2],
                            seed_folds=[0], base=Experiment(name="b"))  # fmt: skip
    planned, finished = trainings(comparison), {}
    for position, training in enumerate(planned):
        seed, fold = training.experiment.seed, training.experiment.data.fold
        images = {f"{fold}{number} 1": FULL for number in range(4)}
        run = RunResults.read(write_run(tmp_path / str(position), images, trivial=0.4 if fold else 0.8, seed=seed))
        run.summary["leak_audit"]["copy"] = 3
        finished[position] = run
    row = results.rows(planned, finished)[0].numbers
    assert row["runs"] == 4 and row["trivial_centred_ellipse"] == pytest.approx(0.6)
    assert row["skill"] == pytest.approx(1) and row["leaking_images"] == 6


def test_a_difference_within_the_spread_of_seeds_is_marked(tmp_path):
    _, made = seeded(tmp_path)
    behind = next(row.numbers for row in made if row.protocol == "paper" and row.title == "SegNet")
    assert len(behind["behind_best_by_seed"]) in (0, 3)
    best, other = sorted((row.numbers for row in made if row.protocol == "paper"), key=lambda row: -row["dice"])
    assert other["seeds_swallow"] is True and min(other["behind_best_by_seed"]) < 0 < max(other["behind_best_by_seed"])


@pytest.mark.parametrize(("budgets", "equal"), [((1000, 985), True), ((1000, 975), False), ((None, 1000), False)])
def test_a_difference_is_a_cost_only_at_equal_budgets(tmp_path, budgets, equal):
    _, made = seeded(tmp_path, budgets)
    assert [row["equal_budget"] for row in results.leakage(made)] == [equal, equal]
