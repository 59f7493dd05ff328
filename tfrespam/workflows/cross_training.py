"""Train all folds of a cross-validation, evaluate their held-out images together, and export one network."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfrespam.config import LEAKING, Experiment, identity
from tfrespam.config_checks import check
from tfrespam.core.console import log, quoted
from tfrespam.core.errors import UserError
from tfrespam.core.files import file_hash, read_json, write_csv, write_json
from tfrespam.evaluation.headline import interval
from tfrespam.evaluation.statistics import patient_bootstrap
from tfrespam.serving.inference.saved_model import is_saved_model, read_metadata
from tfrespam.training.run_results import RunResults
from tfrespam.training.runs import TrainingRun, check_same_data
from tfrespam.workflows.export_runs import export_runs
from tfrespam.workflows.find_export import exported
from tfrespam.workflows.training import prepare_data

SCORES = ("dice", "iou", "miou")
FILE = "cross_validation.json"
AGAIN = "Remove it; the same command writes it again"


class CrossValidation:
    """The runs of an experiment that hold out one fold each, for one or several seeds.

    Args:
        experiment: Settings of all runs; its fold and seed are ignored.
        folds: Folds to hold out in turn, each once.
        seeds: Seeds, each once; every fold is trained with every seed.

    Raises:
        UserError: A fold or seed occurs twice or is out of range, or the protocol does not hold out a fold.
    """

    def __init__(self, experiment: Experiment, folds: Sequence[int], seeds: Sequence[int]):
        for name, given in (("folds", folds), ("seeds", seeds)):
            if len(set(given)) != len(given) or not given:
                raise UserError(f"`{name}` must contain at least one number, each only once. Received: {list(given)}")
        if experiment.data.protocol in LEAKING:
            raise UserError("`folds` needs `data.protocol` folds or official, which hold out a fold. "
                            f"Received: {experiment.data.protocol}")  # fmt: skip
        self.experiment, self.folds, self.seeds = experiment, list(folds), list(seeds)
        self.runs = [TrainingRun(self._member(seed, fold)) for seed in seeds for fold in folds]
        for run in self.runs:
            check(run.experiment)

    def _member(self, seed: int, fold: int) -> Experiment:
        data = dataclasses.replace(self.experiment.data, fold=fold)
        return dataclasses.replace(self.experiment, seed=seed, data=data)

    @property
    def on_all(self) -> TrainingRun:
        """The run that trains on all patients with the first seed."""
        data = dataclasses.replace(self.experiment.data, protocol="all", fold=0)
        return TrainingRun(dataclasses.replace(self.experiment, seed=self.seeds[0], data=data))

    @property
    def folder(self) -> Path:
        """runs/<experiment>/cross-validation-<hash of settings, folds and seeds>."""
        settings = identity(self._member(0, 0))
        what = json.dumps([settings, self.folds, self.seeds], sort_keys=True, default=str)
        digest = hashlib.sha256(what.encode()).hexdigest()[:8]
        return Path(self.experiment.runs_dir) / self.experiment.name / f"cross-validation-{digest}"

    def summary(self) -> dict[str, Any]:
        """Compute the scores of all held-out images together; write per_image.csv, one row for each image and seed.

        Returns:
            "n_images", "n_patients", the "leak_audit" over all, and for each score of `SCORES` its mean over images
            ("image"; with several seeds of each image's mean over them) with its interval by patients ("image_ci95"),
            by fold ("by_fold"), by seed ("by_seed") and the standard deviation between seeds ("seed_sd").

        Raises:
            UserError: The folds were evaluated on different prepared data sets.
        """
        found = {(run.experiment.seed, run.experiment.data.fold): RunResults.read(run.folder / "validation")
                 for run in self.runs}  # fmt: skip
        _check_same_data({run.folder: found[run.experiment.seed, run.experiment.data.fold] for run in self.runs})
        rows = [{"seed": seed, "fold": fold, **row} for (seed, fold), each in found.items() for row in each.images]
        write_csv(self.folder / "per_image.csv", rows)
        first = found[self.seeds[0], self.folds[0]].summary
        of_seed = [each.summary for (seed, _), each in found.items() if seed == self.seeds[0]]
        audit = {kind: sum(summary["leak_audit"][kind] for summary in of_seed) for kind in first["leak_audit"]}
        images, owner = np.unique([row["lesion_id"] for row in rows], return_inverse=True)
        patients = np.array([row["patient_id"] for row in rows])[np.unique(owner, return_index=True)[1]]
        scores = {score: self._score(rows, score, owner, patients) for score in SCORES}
        return {"experiment": self.experiment.name, "dataset": first["dataset"], "folds": self.folds,
                "seeds": self.seeds, "n_images": len(images), "n_patients": len(set(patients.tolist())),
                "leak_audit": audit, "metrics": scores, "runs": [str(run.folder) for run in self.runs]}  # fmt: skip

    def _score(self, rows: list[dict], score: str, owner: np.ndarray, patients: np.ndarray) -> dict[str, Any]:
        values = np.array([float(row[score]) for row in rows])
        means = np.bincount(owner, values) / np.bincount(owner)

        def by(name: str, chosen: list[int]) -> dict[str, float]:
            of = np.array([row[name] for row in rows])
            return {str(each): float(values[of == each].mean()) for each in chosen}

        by_seed = by("seed", self.seeds)
        sd = float(np.std(list(by_seed.values()), ddof=1)) if len(by_seed) > 1 else math.nan
        return {"image": float(means.mean()), "image_ci95": list(patient_bootstrap(means, patients)),
                "by_fold": by("fold", self.folds), "by_seed": by_seed, "seed_sd": sd}  # fmt: skip


def _check_same_data(results: Mapping[Path, RunResults]) -> None:
    first: dict[str, Path] = {}
    for folder, each in results.items():
        if digest := each.summary.get("data_sha256"):  # not in runs of early releases
            first.setdefault(digest, folder)
    if len(first) > 1:
        one, other, *_ = first.values()
        raise UserError(f"{one} and {other} were evaluated on different examples: the data set was prepared anew in "
                        "between. Prepare it as before, or remove the older folder to train it again")


def cross_validate(experiment: Experiment, folds: Sequence[int], seeds: Sequence[int], final: str,
                   launch: Callable[[Experiment], None]) -> dict[str, Any]:  # fmt: skip
    """Train every fold with every seed, summarise the held-out images, and export; finished steps are not repeated.

    Args:
        experiment, folds, seeds: As in `CrossValidation`.
        final: Network to export: "average" of all runs, one trained on "all" patients, or "none".
        launch: Function that trains an experiment, best in a separate process; raises UserError if that fails.

    Returns:
        The content of cross_validation.json: `CrossValidation.summary` and the "exported" version, if any.

    Raises:
        UserError: A training ended without a result, or a run was started with other examples than there are now.
    """
    plan = CrossValidation(experiment, folds, seeds)
    members = [*plan.runs, *([plan.on_all] if final == "all" else [])]
    check(members[-1].experiment)
    started = [run for run in members if (run.folder / "data.json").exists()]
    if started and not all(run.is_finished and exported(run) for run in members):
        prepare_data(experiment)
        for run in started:  # before training: folds of different data are not combined
            check_same_data(run.folder, run.digests, "Choose another `name`, or remove that folder to train anew")
    for number, run in enumerate(members, 1):
        what = f"fold {run.experiment.data.fold}" if run.experiment.data.protocol != "all" else "all patients"
        name = f"[{number}/{len(members)}] {what}, seed {run.experiment.seed}"
        if run.is_finished and exported(run):
            log.info(f"{name}: already finished")
            continue
        log.info(f"{name}: training")
        launch(run.experiment)
        if not run.is_finished:
            raise UserError(f"{name} ended without a result. The same command resumes")
    summary = plan.summary()
    write_json(plan.folder / FILE, summary)
    _say(summary, plan.folder)
    if final != "none":
        summary |= {"exported": str(_export(plan, final))}
        write_json(plan.folder / FILE, summary)
    return summary


def _export(plan: CrossValidation, final: str) -> Path:
    """Export the averaged or final network, calibrated and evaluated with the folds of the first seed."""
    exporting = [plan.on_all] if final == "all" else plan.runs
    noted = plan.folder / f"{final}.json"
    known = Path(read_json(noted, AGAIN)["exported"]) if noted.exists() else None
    if known and is_saved_model(known) and (
            read_metadata(known)["weights"] == [file_hash(run.weights) for run in exporting]):  # fmt: skip
        log.info(f"{known}: already exported")
        return known
    held_out = [run for run in plan.runs if run.experiment.seed == plan.seeds[0]]
    path = export_runs([str(run.folder) for run in exporting], held_out=[str(run.folder) for run in held_out],
                       calibrate=True, data_dir=plan.experiment.data_dir, models_dir=plan.experiment.models_dir,
                       name=f"{plan.experiment.name}_{final}")  # fmt: skip
    write_json(noted, {"exported": str(path)})
    return path


def _say(summary: dict[str, Any], folder: Path) -> None:
    dice, miou = summary["metrics"]["dice"], summary["metrics"]["miou"]
    folds = ", ".join(f"{fold} {value:.4f}" for fold, value in dice["by_fold"].items())
    seeds = "" if len(dice["by_seed"]) == 1 else (
        f"; by seed {', '.join(f'{seed} {value:.4f}' for seed, value in dice['by_seed'].items())} "
        f"(standard deviation {dice['seed_sd']:.4f})")  # fmt: skip
    log.info(f"held out by {len(summary['folds'])} folds: {summary['n_images']} images of {summary['n_patients']} "
             f"patients, leak audit {', '.join(f'{kind} {count}' for kind, count in summary['leak_audit'].items())}\n"
             f"Dice {dice['image']:.4f} ({interval(dice['image_ci95'])}), mIoU {miou['image']:.4f}; by fold "
             f"{folds}{seeds}\n{quoted(folder / FILE)}")  # fmt: skip
