"""Evaluate and calibrate by cross-validation: each network on its held-out fold, all folds combined.

A model trained on all patients has no held-out data; its cross-validation counterparts, runs of the same settings that
each held out a fold, are evaluated instead. An average of networks is represented by averages of
such runs, one for each fold.
"""

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from tfrespam.config import LEAKING
from tfrespam.core import provenance
from tfrespam.core.console import progress
from tfrespam.core.errors import UserError
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import Prepared
from tfrespam.evaluation import calibration
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.evaluation.summary import per_image_rows, shortened, summarise
from tfrespam.evaluation.trivial import TrivialMasks, trivial_dice
from tfrespam.layers import Temperature
from tfrespam.models import ensemble
from tfrespam.training.runs import TrainingRun
from tfrespam.training.tensorboard.board_figures import draw_reliability
from tfrespam.training.tensorboard.images import probabilities
from tfrespam.workflows.evaluation import masks as reference_masks

PIXELS = 4096  # pixels of each image to which a temperature is fitted


@dataclasses.dataclass
class HeldOut:
    """Images with the predictions of networks that were not trained on their patients.

    Args:
        facts: Columns of index.csv, (N,) each.
        masks: References (H, W) bool, a list in the order of the runs.
        answers: Probabilities (H, W) float32.
        trivial: Mean Dice of each trivial mask, fitted on the training split of each run.
        audit: Number of images whose copy, film, breast or patient was trained on: all zero.
    """

    facts: dict[str, np.ndarray]
    masks: list[np.ndarray]
    answers: list[np.ndarray]
    trivial: dict[str, float]
    audit: dict[str, int]

    def sample(self, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draw at most `PIXELS` pixels of each image uniformly; return probabilities and masks, (M,) each."""
        rng, chosen = np.random.default_rng(seed), ([], [])
        for answer, mask in zip(self.answers, self.masks, strict=True):
            places = rng.permutation(mask.size)[:PIXELS]
            chosen[0].append(answer.ravel()[places])
            chosen[1].append(mask.ravel()[places])
        return np.concatenate(chosen[0]), np.concatenate(chosen[1])

    def summary(self, threshold: float, **context: Any) -> dict[str, Any]:
        """Compute the content of summary.json over all images; `context` contains the other values."""
        rows = per_image_rows(self.facts, zip(self.masks, self.answers, strict=True), threshold)
        known = {"split": "held out", "threshold": threshold, "leak_audit": self.audit, "seconds": None,
                 "versions": provenance.versions(), "command": provenance.command(), "git": provenance.git(),
                 "parameters": None, "flops": None, "seed": None}  # fmt: skip
        return summarise(rows, self.trivial, known | context)


def average(runs: Sequence[TrainingRun], views: str) -> keras.Model:
    """Return the network of one run, or the average of several, over `views`."""
    try:
        return ensemble.average([run.network() for run in runs], views)
    except ValueError as error:
        raise UserError(str(error)) from None


def scores(model: keras.Model, members: list[TrainingRun], held_out: list[TrainingRun], views: str, calibrated: bool,
           threshold: float) -> tuple[keras.Model, dict[str, Any], dict[str, bytes]]:  # fmt: skip
    """Return the (calibrated) model, its scores on the folds that `held_out` runs hold out, and PNG files."""
    folds = by_fold(held_out or members, len(members))
    found = collect([(average(runs, views), runs) for runs in folds])
    facts, figures = {}, {}
    if calibrated:
        fitted = calibrate(found)
        facts["calibration"] = fitted.facts(found)
        figures["reliability.png"] = reliability_png(fitted)
        model = with_temperature(model, fitted.temperature)
    first = folds[0][0].facts
    summary = found.summary(threshold, model=first["model"], experiment=first["experiment"],
                            dataset=first["data"]["dataset"], protocol=first["data"]["protocol"])  # fmt: skip
    by = f"{len(folds)} runs" if len(folds[0]) == 1 else f"averages of {len(folds[0])} runs in {len(folds)} folds"
    return model, facts | {"metrics": {f"held out by {by}": shortened(summary)}}, figures


def by_fold(runs: Sequence[TrainingRun], exported: int) -> list[list[TrainingRun]]:
    """Group the runs by fold; runs of a fold are averaged as the exported ones are.

    Raises:
        UserError: Not every fold is held out by one run, nor every fold by `exported` runs.
    """
    folds: dict[tuple, list[TrainingRun]] = {}
    for run in runs:
        folds.setdefault((run.experiment.data.protocol, run.experiment.data.fold), []).append(run)
    counts = {len(each) for each in folds.values()}
    if len(counts) > 1 or not counts <= {1, exported}:
        expected = "one run" if exported == 1 else f"one run, or every fold by {exported}, as many as are exported"
        received = ", ".join(f"fold {fold} by {len(each)}" for (_, fold), each in folds.items())
        raise UserError(f"each fold must be held out by {expected}. Received: {received}")
    return list(folds.values())


def collect(networks: Sequence[tuple[keras.Model, Sequence[TrainingRun]]]) -> HeldOut:
    """Apply each network to its held-out fold, with a progress bar.

    Args:
        networks: Networks, and the runs whose weights each averages; each image is held out by at most one network.

    Raises:
        UserError: A run without held-out patients or on changed data, a patient held out by two networks, or by only
            some runs of one network.
    """
    found = [_held_out(network, runs) for network, runs in networks]
    facts = {name: np.concatenate([each.facts[name] for each in found]) for name in found[0].facts}
    lesions, counts = np.unique(facts["lesion_id"], return_counts=True)
    if (counts > 1).any():
        raise UserError(f"the runs must hold out different folds. Received: {(counts > 1).sum()} of "
                        f"{len(lesions)} lesions held out more than once")  # fmt: skip
    weights = [len(each.masks) for each in found]
    return HeldOut(facts, sum((each.masks for each in found), []), sum((each.answers for each in found), []),
                   {name: float(np.average([each.trivial[name] for each in found], weights=weights))
                    for name in found[0].trivial},
                   {kind: sum(each.audit[kind] for each in found) for kind in found[0].audit})  # fmt: skip


def _held_out(network: keras.Model, runs: Sequence[TrainingRun]) -> HeldOut:
    (prepared, chosen, second, audit), *others = [_split(run) for run in runs]
    if any(each.digest != prepared.digest or (chosen != other).any() for each, other, _, _ in others):
        raise UserError(f"runs that are averaged must hold out the same images. Received: "
                        f"{', '.join(str(run.folder) for run in runs)}")  # fmt: skip
    masks, answers = _predict(network, prepared, chosen, second, ", ".join(run.folder.name for run in runs))
    return HeldOut({name: values[chosen] for name, values in prepared.table.items()}, masks, answers,
                   trivial_dice(masks, _trivial_masks(runs[0])), audit)  # fmt: skip


def _trivial_masks(run: TrainingRun) -> TrivialMasks:
    """Return the trivial masks of the run, or fit them if it was interrupted before it stored them."""
    stored = run.facts.get("trivial_masks")
    return TrivialMasks.from_dict(stored) if stored else (
        TrivialMasks.fit(reference_masks(run.prepared, run.splits["train"])))  # fmt: skip


def _split(run: TrainingRun) -> tuple[Prepared, np.ndarray, str, dict[str, int]]:
    """Return the run's data set, its held-out examples, the kind of second image, and the audit: four zeros."""
    data = run.experiment.data
    if data.protocol in LEAKING:
        raise UserError(f"held-out images need runs under protocol folds or official. Received: {run.folder}, "
                        f"protocol {data.protocol}")  # fmt: skip
    run.check_data()
    return run.prepared, run.splits["validation"], data.second, run.audit("validation")


def _predict(network: keras.Model, prepared: Prepared, chosen: np.ndarray, second: str, name: str) -> tuple[list, list]:
    masks, answers = [], []
    batches = pipeline.evaluation(prepared, chosen, batch_size=8, second=second)
    bar, advance = progress(f"evaluating {name}", int(chosen.sum()))
    with bar, pipeline.corruption_as_user_error(prepared):
        for images, references in batches.as_numpy_iterator():
            masks += list(references[..., 0] > 0)
            answers += list(probabilities(network, images)[..., 0])
            for _ in images:
                advance()
    return masks, answers


@dataclasses.dataclass
class Calibration:
    """Temperature, and histograms of pixels by probability before and after scaling."""

    temperature: float
    before: ProbabilityCounts
    after: ProbabilityCounts

    def facts(self, held_out: HeldOut) -> dict[str, Any]:
        """Return the entry in metadata.json."""
        return {"temperature": self.temperature, "pictures": len(held_out.masks),
                "patients": len(set(held_out.facts["patient_id"])),
                "expected_calibration_error": {"before": self.before.expected_calibration_error(),
                                               "after": self.after.expected_calibration_error()}}  # fmt: skip


def calibrate(held_out: HeldOut) -> Calibration:
    """Fit a temperature and apply it to `held_out` in place."""
    stated, mask = held_out.sample()
    try:
        temperature = calibration.fit_temperature(stated, mask)
    except ValueError as error:
        raise UserError(str(error)) from None
    before, after = ProbabilityCounts(), ProbabilityCounts()
    before.add(mask, stated)
    after.add(mask, calibration.apply_temperature(stated, temperature))
    held_out.answers = [calibration.apply_temperature(answer, temperature) for answer in held_out.answers]
    return Calibration(temperature, before, after)


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """Add temperature scaling to a network."""
    calibrated = Temperature(temperature, dtype="float32", name="probability")(model(model.input))
    return keras.Model(model.input, calibrated, name=f"calibrated_{model.name}")


def reliability_png(found: Calibration) -> bytes:
    """Plot the share of mass against the predicted probability, before (left) and after calibration."""
    drawn, buffer = Figure(figsize=(8, 4.6), dpi=90, layout="constrained"), io.BytesIO()
    for part, counts, title in zip(drawn.subfigures(1, 2), (found.before, found.after),
                                   ("as trained", f"temperature {found.temperature:.3f}"), strict=True):  # fmt: skip
        draw_reliability(part, counts)
        part.suptitle(title)
    drawn.savefig(buffer)
    return buffer.getvalue()
