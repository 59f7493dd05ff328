"""All numbers of a comparison, computed once and unrounded; tables and figures only show them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.comparison import detected, published
from tfrespam.comparison.collect import Run, Scores
from tfrespam.comparison.leakage import cost_of_leakage
from tfrespam.comparison.plan import Comparison, Training
from tfrespam.comparison.ranks import standings
from tfrespam.evaluation import confusion
from tfrespam.evaluation.statistics import patient_bootstrap
from tfrespam.evaluation.trivial import skill


@dataclasses.dataclass(frozen=True)
class Row:
    """One network under one recipe and one protocol.

    Args:
        recipe, protocol, title: What it is.
        planned: Its trainings.
        runs: The finished ones, in their order.
        scores: The images that they judged.
        numbers: What the tables show (see `_numbers`).
    """

    recipe: str
    protocol: str
    title: str
    planned: list[Training]
    runs: list[Run]
    scores: Scores
    numbers: dict[str, Any]


def rows(planned: Sequence[Training], finished: Mapping[int, Run]) -> list[Row]:
    """A row for every network with a finished training: by recipe, by protocol, then in the paper's order.

    Args:
        planned: All trainings.
        finished: The finished runs, by position in `planned`.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for position, training in enumerate(planned):
        groups.setdefault(training.row, []).append(position)
    places = {part: {value: place for place, value in enumerate(dict.fromkeys(row[part] for row in groups))}
              for part in (0, 1)}  # fmt: skip
    order = sorted(groups, key=lambda row: (places[0][row[0]], places[1][row[1]], published.order(row[2])))
    made = [_row(row, [planned[p] for p in groups[row]], [finished[p] for p in groups[row] if p in finished])
            for row in order if any(p in finished for p in groups[row])]  # fmt: skip
    for group in {(row.recipe, row.protocol) for row in made}:
        _add_standings([row for row in made if (row.recipe, row.protocol) == group])
    _add_leakage(made)
    return made


def _row(name: tuple[str, str, str], planned: list[Training], runs: list[Run]) -> Row:
    scores = Scores.pool(runs)
    return Row(*name, planned, runs, scores, _numbers(name, planned, runs, scores))


def _numbers(name: tuple[str, str, str], planned: list[Training], runs: list[Run], scores: Scores) -> dict[str, Any]:
    experiment, summary = planned[0].experiment, runs[0].summary
    trivial = _weighted([run.summary["trivial"] for run in runs], [run.summary["n_images"] for run in runs])
    means = {score: float(scores.columns[score].mean()) for score in ("dice", "iou", "miou", "dice_two_class")}
    return {
        "recipe": name[0], "protocol": name[1], "network": name[2], "model": experiment.model.name,
        "dataset": summary["dataset"], "split": summary["split"], "runs": len(runs), "planned": len(planned),
        "n_images": len(scores.images), "n_patients": len(set(scores.patients.tolist())),
        **means, **_intervals(scores), **_pooled(scores), **_published(name[2]),
        "coverage": float(np.median(scores.columns["coverage"])), **{f"trivial_{k}": v for k, v in trivial.items()},
        "skill": skill(means["dice"], trivial),
        "leaking_images": sum(run.summary["leak_audit"]["copy"] for run in runs), "width": experiment.model.width,
        "parameters": summary["parameters"], "flops": summary["flops"], "epochs": experiment.training.epochs,
        "training_seconds": float(np.mean([run.training_seconds for run in runs])),
        "inference_seconds": _inference_seconds(runs), **detected.numbers(runs),
    }  # fmt: skip


def _weighted(several: Sequence[Mapping[str, float | None]], weights: Sequence[int]) -> dict[str, float]:
    """Mean of each entry; JSON's null, an unknown value, makes it NaN."""
    return {name: float(np.average([np.nan if each[name] is None else each[name] for each in several],
                                   weights=weights)) for name in several[0]}  # fmt: skip


def _intervals(scores: Scores) -> dict[str, float]:
    ends = {score: patient_bootstrap(scores.columns[score], scores.patients) for score in ("dice", "miou")}
    return {f"{score}_{end}": getattr(interval, end) for score, interval in ends.items() for end in ("low", "high")}


def _pooled(scores: Scores) -> dict[str, float]:
    """Scores of all pixels together, and the share of them that is mass."""
    counts = confusion.Counts(*(scores.columns[name].sum() for name in confusion.Counts._fields))
    pooled = {f"{name}_pooled": float(confusion.SCORES[name](counts))
              for name in ("dice", "iou", "miou", "dice_two_class")}  # fmt: skip
    return {**pooled, "coverage_pooled": float((counts.tp + counts.fn) / sum(counts))}


def _published(title: str) -> dict[str, float]:
    dice, miou = published.TABLE1.get(title, (float("nan"), float("nan")))
    return {"published_dice": dice, "published_miou": miou}


def _inference_seconds(runs: Sequence[Run]) -> float:
    """As measured for one of the runs; NaN when none was."""
    return next((run.probe["seconds_per_image"] for run in runs if run.probe), float("nan"))


def _add_standings(group: Sequence[Row]) -> None:
    found = standings({row.title: row.scores for row in group})
    for row in group:
        if row.title not in found:
            continue
        standing = found[row.title]
        row.numbers.update({
            "shared_images": standing.n_images, "shared_dice": standing.dice,
            "behind_best": standing.behind[0], "behind_best_low": standing.behind[1],
            "behind_best_high": standing.behind[2], "p_wilcoxon": standing.p, "p_holm": standing.p_holm,
            "probability_first": standing.ranks[0], "ranks": list(standing.ranks),
        })  # fmt: skip


def _add_leakage(made: Sequence[Row]) -> None:
    """What each network scored more under `paper`, into the numbers of its row under an honest protocol."""
    under_paper = {(row.recipe, row.title): row for row in made if row.protocol == "paper"}
    for row in made:
        paper = under_paper.get((row.recipe, row.title))
        if row.protocol == "paper" or paper is None:
            continue
        for score in ("dice", "miou"):
            cost = cost_of_leakage(paper.scores, row.scores, score)
            row.numbers.update({f"{score}_paper": paper.numbers[score], f"{score}_cost": cost.mean,
                                f"{score}_cost_low": cost.low, f"{score}_cost_high": cost.high})  # fmt: skip


def leakage(made: Sequence[Row]) -> list[dict[str, Any]]:
    """The cost of leakage of every network that was trained under `paper` and under an honest protocol."""
    costs = []
    for numbers in (row.numbers for row in made if "dice_cost" in row.numbers):
        cost = {"recipe": numbers["recipe"], "network": numbers["network"], "honest_protocol": numbers["protocol"]}
        for score in ("dice", "miou"):
            names = (f"{score}_paper", f"{score}_cost", f"{score}_cost_low", f"{score}_cost_high")
            cost |= {f"{score}_honest": numbers[score], **{name: numbers[name] for name in names}}
        costs.append(cost)
    return costs


def departures(comparison: Comparison) -> dict[str, list[str]]:
    """By network: what its published recipe has and the comparison's "own" has not."""
    if "own" not in comparison.recipes:
        return {}
    return {network.title: network.own.departures for network in comparison.models if network.own.departures}
