from all_tables import all_tables
from fake_runs import write_run

from tfrespam.config import Experiment
from tfrespam.studies.comparison import results
from tfrespam.studies.comparison.columns import percent
from tfrespam.studies.comparison.plan import Comparison, Network, trainings
from tfrespam.studies.comparison.tables import tables
from tfrespam.training.run_results import RunResults


def test_every_group_has_its_tables(rows):
    titles = [table.title for table in all_tables(rows)]
    expected = [f"{kind}: {recipe} recipe, protocol {protocol}" for recipe in ("controlled", "own")
                for protocol in ("paper", "folds") for kind in ("Scores", "Ranks")]  # fmt: skip
    assert titles == [*expected, "Cost of leakage", "Parameters and time",
                      *[f"Which average the published columns are: {recipe} recipe, protocol {protocol}"
                        for recipe in ("controlled", "own") for protocol in ("paper", "folds")]]  # fmt: skip
    assert all(len(line) == len(table.header) for table in all_tables(rows) for line in table.body)


def test_networks_evaluated_on_other_images_have_their_own_table(tmp_path):
    """Folds 0 and 1 for one network, folds 0 and 2 for the other: as many images, but not the same."""
    models = [Network("unet", folds=[0, 1]), Network("segnet", folds=[0, 2])]
    planned, finished = trainings(Comparison(models=models, protocols=["folds"], base=Experiment(name="b"))), {}
    for position, training in enumerate(planned):
        images = {f"{training.experiment.data.fold}{number} 1": (9, 1, 1) for number in range(4)}
        finished[position] = RunResults.read(write_run(tmp_path / str(position), images))
    scores = [table for table in all_tables(results.rows(planned, finished)) if table.title.startswith("Scores")]
    assert [[line[0] for line in table.body] for table in scores] == [["U-Net", "SegNet"], ["U-Net"], ["SegNet"]]
    assert [table.title.rpartition(": ")[2] for table in scores[1:]] == ["U-Net", "SegNet"]


def test_scores_are_tabulated_with_the_published_ones(rows):
    table = all_tables(rows)[0]
    line = dict(zip(table.header, table.body[0], strict=True))
    assert line["Network"] == "U-Net"
    assert (line["Published Dice"], line["Published mIoU"]) == ("90.47", "84.79")
    assert line["Dice, image mean"] == percent(rows[0].numbers["dice"])
    assert table.body[1][table.header.index("Published Dice")] == "–"
    assert "copies of the same lesion in training" in table.caption
    assert "copies of the same lesion" not in all_tables(rows)[2].caption


def test_differences_after_unequal_budgets_are_not_called_costs(rows):
    leakage = results.leakage(rows)
    leakage[0]["equal_budget"], leakage[0]["images_seen_paper"] = False, 12_345.0
    made = {table.title: table for table in tables([row.numbers for row in rows], leakage, [], "-")}
    cost, other = made["Cost of leakage"], made["Difference between the protocols at different budgets"]
    assert len(cost.body) == 3 and len(other.body) == 1
    assert "12,345" in other.body[0] and "not a cost of leakage" in other.caption
    assert not any("cost" in name.lower() for name in other.header)


def test_tables_contain_images_seen_and_the_verdict_of_seeds(rows):
    made = all_tables(rows)
    scores, ranks = (dict(zip(table.header, table.body[0], strict=True)) for table in made[:2])
    assert scores["Images seen"] == "1,000" and scores["Dice, between seeds"] == "–"
    assert scores["Dice, mean of folds"] == f"{percent(rows[0].numbers['dice'])} (1)"
    assert {line[made[1].header.index("Beyond seeds")] for line in made[1].body} == {"–", "one seed"}
    assert ranks["By seed"] == "–"
