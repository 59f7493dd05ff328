"""Create the tables of a comparison as text cells, for all output formats.

A table has rows of one recipe, one protocol and the same test images: scores on different images are not comparable.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfrespam.studies.comparison import columns
from tfrespam.studies.comparison.columns import Column

Numbers = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """Table with title, caption and cells."""

    title: str
    caption: str
    header: list[str]
    body: list[list[str]]


def tables(rows: Sequence[Numbers], leakage: Sequence[Numbers], averages: Sequence[Numbers],
           finding: str) -> list[Table]:  # fmt: skip
    """Create all tables of a comparison.

    Args:
        rows: `Row.numbers` of `tfrespam.studies.comparison.results`, in the tables' order.
        leakage: `tfrespam.studies.comparison.results.leakage`.
        averages: `tfrespam.studies.comparison.averages.measured_pairs` of the main rows.
        finding: `tfrespam.studies.comparison.averages.finding`.
    """
    made = []
    for name, block in _blocks(rows):
        made.append(_table(f"Scores: {name}", _scores_caption(block[0]), columns.SCORES, block))
        standing = [row for row in block if "shared_dice" in row]
        if standing:
            made.append(_table(f"Ranks: {name}", _ranks_caption(standing[0]), columns.RANKS, standing))
        films = [row for row in block if "masses" in row]
        if films:
            made.append(_table(f"Masses found on whole films: {name}", FOUND_CAPTION, columns.FOUND, films))
    made += _leakage(leakage, columns.LEAKAGE)
    made.append(_table("Parameters and time", COSTS_CAPTION, columns.COSTS, _main(rows)))
    for number, ((recipe, protocol), group) in enumerate(itertools.groupby(averages, _recipe_and_protocol)):
        title = f"Which average the published columns are: {recipe} recipe, protocol {protocol}"
        made.append(_table(title, finding if number == 0 else "As above.", columns.AVERAGES, list(group)))
    return made


def overview(rows: Sequence[Numbers], leakage: Sequence[Numbers], finding: str) -> list[Table]:
    """Create narrower tables for a terminal of about 100 columns."""
    made = []
    for name, block in _blocks(rows):
        made.append(_table(name, f"{block[0]['judged_on']}. {OVERVIEW_CAPTION}", columns.OVERVIEW, block))
        films = [row for row in block if "masses" in row]
        if films:
            made.append(_table("Masses found on whole films", FOUND_CAPTION, columns.FOUND, films))
    made += _leakage(leakage, [columns.LEAKAGE[0], columns.LEAKAGE[1], *columns.LEAKAGE[3:8]])
    made.append(_table("Parameters and time", COSTS_CAPTION, [columns.COSTS[0], *columns.COSTS[2:]], _main(rows)))
    return [*made, Table("Which average the published columns are", finding, [], [])]


def _table(title: str, caption: str, chosen: Sequence[Column], rows: Sequence[Numbers]) -> Table:
    return Table(title, caption, [name for name, _ in chosen], [[cell(row) for _, cell in chosen] for row in rows])


def _recipe_and_protocol(row: Numbers) -> tuple[str, str]:
    return row["recipe"], row["protocol"]


def _blocks(rows: Sequence[Numbers]) -> Iterator[tuple[str, list[Numbers]]]:
    """Yield the rows with the same recipe, protocol and test images, and the names of their tables."""
    for (recipe, protocol), group in itertools.groupby(rows, _recipe_and_protocol):
        for number, (judged_on, block) in enumerate(itertools.groupby(group, lambda row: row["judged_on"])):
            name = f"{recipe} recipe, protocol {protocol}"
            yield (f"{name}, {judged_on}" if number else name), list(block)


def _main(rows: Sequence[Numbers]) -> list[Numbers]:
    """Return the first row of each network for each recipe and protocol."""
    seen: dict[tuple, Numbers] = {}
    for row in rows:
        seen.setdefault((row["recipe"], row["protocol"], row["network"]), row)
    return list(seen.values())


def _leakage(leakage: Sequence[Numbers], chosen: Sequence[Column]) -> list[Table]:
    """Create a table of costs at equal budgets, and a table of differences at unequal ones."""
    equal = [row for row in leakage if row["equal_budget"]]
    unequal = [row for row in leakage if not row["equal_budget"]]
    made = [_table("Cost of leakage", f"{LEAKAGE_CAPTION} {EQUAL_CAPTION}", chosen, equal)] if equal else []
    if unequal:
        caption = f"{LEAKAGE_CAPTION} {UNEQUAL_CAPTION}"
        made.append(_table("Difference between the protocols at different budgets", caption, chosen, unequal))
    return made


def _scores_caption(row: Numbers) -> str:
    leak = (" These images have copies of the same lesion in training: not a score for new patients."
            if row["protocol"] == "paper" else "")  # fmt: skip
    return (
        f"Data set {row['dataset']}, split {row['split']}: {row['judged_on']}. In per cent: Dice of the mass and mIoU, "
        "the mean of the IoU of mass and of background, each as mean over images (with 95 % interval, patients "
        "resampled) and pooled over all pixels; IoU of the mass, mean over images. Mean of folds: each fold counts the "
        "same. Between seeds: standard deviation of the mean Dice between trainings that differ only in their seed, "
        "on the images that all of them evaluated, and the number of seeds. Images seen: training images of a run, "
        "with repetitions. Published: table 1 of the ResPAM paper, other data and split. Coverage: median share of "
        "an image that is mass. Trivial: Dice of the best mask that does not depend on the image. Skill: (Dice - "
        "trivial) / (1 - trivial). Runs: those that evaluated these images, of all planned; images evaluated more than "
        "once have their mean." + leak)


def _ranks_caption(row: Numbers) -> str:
    return (
        f"On the same {row['shared_images']} images. Behind the best: difference of Dice in points, 95 % interval by "
        "resampled patients. p: Wilcoxon signed-rank test against the best on the patients' means, and with Holm's "
        "correction for these tests; neither that nor the intervals account for the choice of the best on these "
        "images. First: share of the resamples in which the network has the highest Dice; ranks: the same for rank 1, "
        "2, ... in per cent. By seed: the difference with each seed. Beyond seeds: 'no' if the mean "
        "difference is not above the standard deviation between seeds, 'one seed' if it is unknown.")


OVERVIEW_CAPTION = (
    "In per cent. Dice of the mass and mIoU (mass and background): means over images, 95 % by resampled patients. "
    "Seeds' SD: of the mean Dice between seeds. Published: the ResPAM paper's. p: Wilcoxon against the best, Holm.")
LEAKAGE_CAPTION = (
    "Mean over images under the paper's protocol (13 copies of every lesion, shuffled, 8:2) minus the same network's "
    "on held-out patients, in points of per cent; 95 % interval by resampling the patients of each separately.")
EQUAL_CAPTION = "Both used the same number of training images (within 2 %): the difference is the cost of leakage."
UNEQUAL_CAPTION = (
    "The numbers of training images are unknown or differ by more than 2 %: these differences include the effect of "
    "the budget and are not a cost of leakage.")
FOUND_CAPTION = (
    "Share of the masses found, in per cent, at 0.5, 1 and 2 false positives per film: a candidate finds a mass with "
    "an IoU of at least 0.1, or 0.5. 95 % interval by resampled patients if there is one run.")
COSTS_CAPTION = (
    "Width: factor on all channel counts. FLOPs: forward pass of one image. Training: seconds of a run's epochs, mean "
    "over the runs. Inference: the exported graph, one image at a time, median. Times are of this machine under its "
    "load at the time.")
