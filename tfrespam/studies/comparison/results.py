"""Compute all numbers of a comparison, unrounded, for tables and figures."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrespam.evaluation import confusion
from tfrespam.evaluation.statistics import patient_bootstrap
from tfrespam.evaluation.trivial import skill
from tfrespam.studies.comparison import detected, published, seeds
from tfrespam.studies.comparison.budget import equal, images_seen
from tfrespam.studies.comparison.collect import Scores, by_images
from tfrespam.studies.comparison.leakage import paper_minus_honest
from tfrespam.studies.comparison.plan import Comparison, Training
from tfrespam.studies.comparison.ranks import standings
from tfrespam.studies.comparison.same_images import Block, blocks
from tfrespam.training.run_results import RunResults


@dataclasses.dataclass(frozen=True)
class Row:
    """One network with one recipe and one protocol, on images that other networks evaluated too.

    Args:
        recipe, protocol, title: Recipe, protocol and label of the network.
        block: Networks and images with which it can be compared.
        main: Whether this is the network's first row; networks that evaluated more images than others have another.
        planned: Its trainings.
        runs: Finished trainings that evaluated images of the block, with their runs.
        scores: Scores of the images of the block.
        numbers: Numbers for the tables (see `_numbers`).
    """

    recipe: str
    protocol: str
    title: str
    block: Block
    main: bool
    planned: list[Training]
    done: list[tuple[Training, RunResults]]
    scores: Scores
    numbers: dict[str, Any]

    @property
    def runs(self) -> list[RunResults]:
        return [run for _, run in self.done]


def rows(planned: Sequence[Training], finished: Mapping[int, RunResults]) -> list[Row]:
    """Return the rows of all networks with a finished training, by recipe, protocol and block, in the paper's order.

    Args:
        planned: All trainings.
        finished: Finished runs by position in `planned`.
    """
    networks: dict[tuple[str, str, str], list[int]] = {}
    for position, training in enumerate(planned):
        networks.setdefault(training.row, []).append(position)
    groups: dict[tuple[str, str], dict[str, list[int]]] = {}
    for (recipe, protocol, title), positions in networks.items():
        if any(position in finished for position in positions):
            groups.setdefault((recipe, protocol), {})[title] = positions
    made = []
    for name in sorted(groups, key=list(dict.fromkeys(row[:2] for row in networks)).index):
        made += _group(name, groups[name], planned, finished)
    _add_leakage(made)
    return made


def _group(name: tuple[str, str], networks: dict[str, list[int]], planned: Sequence[Training],
           finished: Mapping[int, RunResults]) -> list[Row]:  # fmt: skip
    """Return all rows of one recipe and protocol."""
    done = {title: [(planned[p], finished[p]) for p in networks[title] if p in finished]
            for title in sorted(networks, key=published.order)}  # fmt: skip
    scores = {title: Scores.pool([run for _, run in pairs]) for title, pairs in done.items()}
    made: list[Row] = []
    for block in blocks(scores):
        mains = set(block.networks) - {row.title for row in made}
        rows = [_row((*name, title), block, title in mains, [planned[p] for p in networks[title]], done[title],
                     scores[title].only(block.images)) for title in block.networks]  # fmt: skip
        _add_standings(rows)
        made += rows
    return made


def _row(name: tuple[str, str, str], block: Block, main: bool, planned: list[Training],
         done: list[tuple[Training, RunResults]], scores: Scores) -> Row:  # fmt: skip
    done = [(training, run) for training, run in done if len(_evaluated([run], block.images).images)]
    return Row(*name, block, main, planned, done, scores, _numbers(name, block, planned, done, scores))


def _numbers(name: tuple[str, str, str], block: Block, planned: list[Training], done: list[tuple[Training, RunResults]],
             scores: Scores) -> dict[str, Any]:  # fmt: skip
    experiment, runs = planned[0].experiment, [run for _, run in done]
    summary = runs[0].summary
    trivial = _trivial(runs)
    means = {score: float(scores.columns[score].mean()) for score in ("dice", "iou", "miou", "dice_two_class")}
    return {
        "recipe": name[0], "protocol": name[1], "network": name[2], "model": experiment.model.name,
        "dataset": summary["dataset"], "split": summary["split"], "judged_on": block.label,
        "runs": len(runs), "planned": len(planned),
        "n_images": len(scores.images), "n_patients": len(set(scores.patients.tolist())),
        **means, **_intervals(scores), **_between_runs(done, block.images), **_pooled(scores), **_published(name[2]),
        "coverage": float(np.median(scores.columns["coverage"])), **{f"trivial_{k}": v for k, v in trivial.items()},
        "skill": skill(means["dice"], trivial),
        "leaking_images": _leaking_images(runs), "width": experiment.model.width,
        "parameters": summary["parameters"], "flops": summary["flops"], "epochs": experiment.training.epochs,
        "images_seen": float(np.mean([images_seen(run) for run in runs])),
        "training_seconds": float(np.mean([run.training_seconds for run in runs])),
        "inference_seconds": _inference_seconds(runs), **detected.numbers(runs),
    }  # fmt: skip


def _between_runs(done: list[tuple[Training, RunResults]], images: Sequence[str]) -> dict[str, float]:
    """Return the mean of the folds' mean Dice, the numbers of folds and seeds, and the spread between seeds."""
    by_fold: dict[int, list[RunResults]] = {}
    for training, run in done:
        by_fold.setdefault(training.experiment.data.fold, []).append(run)
    means = [float(_evaluated(runs, images).columns["dice"].mean()) for runs in by_fold.values()]
    between = seeds.spread([run for _, run in done], images)
    return {"folds": len(by_fold), "dice_fold_mean": float(np.mean(means)),
            "seeds": len(between.means), "dice_seed_sd": between.sd}  # fmt: skip


def _evaluated(runs: Sequence[RunResults], images: Sequence[str]) -> Scores:
    """Pool the scores of those of these images that the runs evaluated."""
    scores = Scores.pool(runs)
    return scores.only(sorted(set(scores.images.tolist()) & set(images)))


def _trivial(runs: Sequence[RunResults]) -> dict[str, float]:
    """Compute the mean Dice of each trivial mask over images; NaN if a value is unknown (null in JSON).

    The images of a fold count once, however many seeds evaluated them.
    """
    folds = by_images(runs)
    images = [fold[0].summary["n_images"] for fold in folds]
    return {name: float(np.average([_mean_trivial(fold, name) for fold in folds], weights=images))
            for name in runs[0].summary["trivial"]}  # fmt: skip


def _mean_trivial(fold: Sequence[RunResults], name: str) -> float:
    values = [run.summary["trivial"][name] for run in fold]
    return float(np.mean([np.nan if value is None else value for value in values]))


def _leaking_images(runs: Sequence[RunResults]) -> int:
    """Count the evaluated images with a copy in training, once for all seeds that evaluated the same images."""
    return sum(max(run.summary["leak_audit"]["copy"] for run in fold) for fold in by_images(runs))


def _intervals(scores: Scores) -> dict[str, float]:
    ends = {score: patient_bootstrap(scores.columns[score], scores.patients) for score in ("dice", "miou")}
    return {f"{score}_{end}": getattr(interval, end) for score, interval in ends.items() for end in ("low", "high")}


def _pooled(scores: Scores) -> dict[str, float]:
    """Compute the scores of all pixels together, and the share of mass."""
    counts = confusion.Counts(*(scores.columns[name].sum() for name in confusion.Counts._fields))
    pooled = {f"{name}_pooled": float(confusion.SCORES[name](counts))
              for name in ("dice", "iou", "miou", "dice_two_class")}  # fmt: skip
    return {**pooled, "coverage_pooled": float((counts.tp + counts.fn) / sum(counts))}


def _published(title: str) -> dict[str, float]:
    dice, miou = published.TABLE1.get(title, (float("nan"), float("nan")))
    return {"published_dice": dice, "published_miou": miou}


def _inference_seconds(runs: Sequence[RunResults]) -> float:
    """Return the time measured for one of the runs; NaN if there is none."""
    return next((run.probe["seconds_per_image"] for run in runs if run.probe), float("nan"))


def _add_standings(block: Sequence[Row]) -> None:
    found = standings({row.title: row.scores for row in block})
    best = next((row for row in block if row.title in found and found[row.title].p != found[row.title].p), None)
    for row in block if best else ():
        standing = found[row.title]
        by_seed = seeds.difference(row.runs, best.runs, row.block.images)
        row.numbers.update({
            "shared_images": standing.n_images, "shared_dice": standing.dice,
            "behind_best": standing.behind[0], "behind_best_low": standing.behind[1],
            "behind_best_high": standing.behind[2], "p_wilcoxon": standing.p, "p_holm": standing.p_holm,
            "probability_first": standing.ranks[0], "ranks": list(standing.ranks),
            "behind_best_by_seed": list(by_seed.values.values()), "behind_best_seed_sd": by_seed.sd,
            "seeds_swallow": by_seed.within_seeds,
        })  # fmt: skip


def _add_leakage(made: Sequence[Row]) -> None:
    """Add the difference between `paper` and a protocol split by patient to each network's main row of the latter."""
    under_paper = {(row.recipe, row.title): row for row in made if row.protocol == "paper" and row.main}
    for row in made:
        paper = under_paper.get((row.recipe, row.title))
        if row.protocol == "paper" or paper is None or not row.main:
            continue
        seen = paper.numbers["images_seen"], row.numbers["images_seen"]
        row.numbers.update({"images_seen_paper": seen[0], "equal_budget": equal(*seen)})
        for score in ("dice", "miou"):
            found = paper_minus_honest(paper.scores, row.scores, score)
            row.numbers.update({f"{score}_paper": paper.numbers[score], f"{score}_leakage": found.mean,
                                f"{score}_leakage_low": found.low, f"{score}_leakage_high": found.high})  # fmt: skip


def leakage(made: Sequence[Row]) -> list[dict[str, Any]]:
    """Return Dice and mIoU under `paper` minus those of a split by patient, for networks trained with both.

    "equal_budget" says whether both used the same number of training images; only then the difference is the cost of
    leakage.
    """
    found = []
    for numbers in (row.numbers for row in made if "dice_leakage" in row.numbers):
        each = {"recipe": numbers["recipe"], "network": numbers["network"], "honest_protocol": numbers["protocol"],
                "equal_budget": numbers["equal_budget"], "images_seen_paper": numbers["images_seen_paper"],
                "images_seen_honest": numbers["images_seen"]}  # fmt: skip
        for score in ("dice", "miou"):
            names = (f"{score}_paper", f"{score}_leakage", f"{score}_leakage_low", f"{score}_leakage_high")
            each |= {f"{score}_honest": numbers[score], **{name: numbers[name] for name in names}}
        found.append(each)
    return found


def departures(comparison: Comparison) -> dict[str, list[str]]:
    """Return for each network the differences between its published recipe and the comparison's "own"."""
    if "own" not in comparison.recipes:
        return {}
    return {network.title: network.own.departures for network in comparison.models if network.own.departures}
