"""Export the weights that training runs selected, one by one or averaged."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfrespam.core import runtime
from tfrespam.core.console import log, quoted
from tfrespam.core.errors import UserError
from tfrespam.core.files import file_hash, read_json
from tfrespam.data.loading.protocols import joined
from tfrespam.evaluation.candidates import FILM_RULE
from tfrespam.evaluation.summary import shortened
from tfrespam.serving.inference.saved_model import check_threshold
from tfrespam.training.runs import REMOVE, TrainingRun
from tfrespam.workflows.candidate_rules import check_candidates, validated


def export_runs(runs: Sequence[str], *, models_dir: str | None = None, name: str | None = None, threshold: float = 0.5,
                views: str = "none", held_out: Sequence[str] = (), calibrate: bool = False, data_dir: str | None = None,
                weights: str = "float32", arithmetic: str = "as_trained", note: str = "",
                also: str | None = None, candidates: Mapping[str, float] | None = None) -> Path:  # fmt: skip
    """Export the selected weights of training runs as a new version; several are averaged. Returns its folder.

    The arguments are those of the stage `export`; `also` names another format to write beside the SavedModel.
    """
    check_threshold(threshold)
    check_candidates(candidates)
    members, judges = ([TrainingRun.open(run, data_dir, arithmetic) for run in each] for each in (runs, held_out))
    files = [run.weights for run in members]
    _check_same_images([*members, *judges])
    runtime.start()
    from tfrespam.workflows import cross_validation, exporting

    model = cross_validation.average(members, views)
    facts = _together([run.facts for run in members])
    facts |= {"views": views, "weights": [file_hash(file) for file in files], "note": note, "arithmetic": arithmetic}
    alone = members[0] if len(members) == 1 and views == "none" and _has_scores(members[0]) else None
    figures = {}
    if held_out or calibrate:
        model, found, figures = cross_validation.scores(model, members, judges, views, calibrate, threshold)
        facts |= found
    elif alone:
        facts |= {"metrics": _scores(alone, threshold)}
    temperature = (facts.get("calibration") or {}).get("temperature", 1.0)
    rule = {**(_validated_rule(alone, temperature) if alone else {}), **(candidates or {})}
    facts |= {"candidates": rule} if rule else {}
    first = members[0].experiment
    path = exporting.export_model(model, models_dir or first.models_dir, name or first.name, facts, threshold=threshold,
                                  also=also, figures=figures, half=weights == "float16")
    log.info(f"exported {', '.join(map(str, files))} as {path}")
    log.info(f"Next: python -m tfrespam.predict IMAGES --model {quoted(path)} --output DIR")
    return path


def _check_same_images(runs: list[TrainingRun]) -> None:
    """Raise UserError if the runs were trained on different prepared data sets, such as crops of another context."""
    sets = {}
    for run in runs:
        if (run.folder / "data.json").is_file():  # not in runs of early releases
            sets.setdefault(read_json(run.folder / "data.json", REMOVE).get("index_sha256"), run.folder)
    if len(sets) > 1:
        raise UserError("runs that are averaged or held out must have the same prepared data set. Received: "
                        + ", ".join(map(str, sets.values())))


def _has_scores(run: TrainingRun) -> bool:
    """Return whether the scores in the run's folder are those of the network that is exported."""
    if run.weights != run.selected:
        log.warning(f"{run.selected} is missing: {run.weights.name} is exported, without the scores of the run, which "
                    f"are those of {run.selected.name}")  # fmt: skip
    return run.as_trained and run.weights == run.selected


def _validated_rule(run: TrainingRun, temperature: float) -> dict[str, float]:
    """Return the candidate rule that the validation films of a run gave; {} for crops and for protocol "all".

    The latter's validation films were trained on. The validation films were evaluated before calibration; the rule is
    converted to probabilities after it.
    """
    file, data = run.folder / "validation" / "summary.json", run.experiment.data
    if data.view != "film" or data.protocol == "all" or not file.is_file():
        return {}
    detection = read_json(file, REMOVE).get("detection")  # earlier releases wrote none, or one without reliability
    if not detection or "reliability" not in detection:
        return {}
    return dataclasses.asdict(validated(FILM_RULE, detection).at_temperature(temperature))


def _scores(run: TrainingRun, threshold: float) -> dict[str, Any]:
    """Return the scores of the selected weights by split, of protocol "all" only the test; {} for another threshold."""
    splits = ("test",) if run.experiment.data.protocol == "all" else ("validation", "test")
    files = {split: run.folder / split / "summary.json" for split in splits}
    found = {split: read_json(file, REMOVE) for split, file in files.items() if file.is_file()}
    return {split: shortened(summary) for split, summary in found.items() if summary["threshold"] == threshold}


def _together(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the facts of the first run, with the training data of all runs."""
    if not all("trained_on" in each for each in facts):
        return {key: value for key, value in facts[0].items() if key != "trained_on"}
    return {**facts[0], "trained_on": joined(*(each["trained_on"] for each in facts))}
