"""Networks judged, and calibrated, on what each of them has not seen: the runs of a cross-validation put together.

A network that was trained on all patients has no picture left to judge it. What stands for it is its siblings: runs of
the same settings, each of which held out a fold. For an average of networks it is the averages of their siblings.
"""

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from tfrespam import cli, provenance
from tfrespam.config import LEAKING
from tfrespam.data import pipeline, protocols
from tfrespam.data.prepared import Prepared, find
from tfrespam.errors import UserError
from tfrespam.evaluation import calibration
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.evaluation.summary import per_image_rows, summarise
from tfrespam.evaluation.trivial import TrivialMasks, trivial_dice
from tfrespam.layers import Temperature
from tfrespam.training.curves import draw_reliability
from tfrespam.training.pictures import probabilities
from tfrespam.training.runs import Run

PIXELS = 4096  # of each picture, by which a temperature is fitted


@dataclasses.dataclass
class HeldOut:
    """Pictures with what the networks that had not seen their patients said of them.

    Args:
        facts: Columns of index.csv, (N,) each.
        masks: References, bool; a list because runs come one after the other, (H, W) each.
        answers: Probabilities, (H, W) float32 each.
        trivial: Mean Dice of each trivial mask, fitted on the training part of each run.
        audit: Pictures whose copy, film, breast or patient was trained on: all zero.
    """

    facts: dict[str, np.ndarray]
    masks: list[np.ndarray]
    answers: list[np.ndarray]
    trivial: dict[str, float]
    audit: dict[str, int]

    def sample(self, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and masks, (M,) each, of at most `PIXELS` pixels of each picture, drawn evenly."""
        rng, chosen = np.random.default_rng(seed), ([], [])
        for answer, mask in zip(self.answers, self.masks, strict=True):
            places = rng.permutation(mask.size)[:PIXELS]
            chosen[0].append(answer.ravel()[places])
            chosen[1].append(mask.ravel()[places])
        return np.concatenate(chosen[0]), np.concatenate(chosen[1])

    def summary(self, threshold: float, **context: Any) -> dict[str, Any]:
        """The content of a summary.json over all the pictures; `context` is what they do not tell."""
        rows = per_image_rows(self.facts, zip(self.masks, self.answers, strict=True), threshold)
        known = {"split": "held out", "threshold": threshold, "leak_audit": self.audit, "seconds": None,
                 "versions": provenance.versions(), "command": provenance.command(), "git": provenance.git(),
                 "parameters": None, "flops": None, "seed": None}  # fmt: skip
        return summarise(rows, self.trivial, known | context)


def by_fold(runs: Sequence[Run], exported: int) -> list[list[Run]]:
    """The runs of each fold, which are averaged as the exported ones are.

    Raises:
        UserError: A fold is held out by other than one run, or than as many as are `exported`.
    """
    folds: dict[tuple, list[Run]] = {}
    for run in runs:
        folds.setdefault((run.config["data"]["protocol"], run.config["data"]["fold"]), []).append(run)
    counts = {len(each) for each in folds.values()}
    if len(counts) > 1 or not counts <= {1, exported}:
        expected = "one run" if exported == 1 else f"one run, or each by {exported}, as many as are exported"
        received = ", ".join(f"fold {fold} by {len(each)}" for (_, fold), each in folds.items())
        raise UserError(f"each fold must be held out by {expected}. Received: {received}")
    return list(folds.values())


def collect(judges: Sequence[tuple[keras.Model, Sequence[Run]]], data_dir: str | None = None) -> HeldOut:
    """Asks each network about its own held-out fold, under a progress bar.

    Args:
        judges: Networks, and the runs whose weights each averages; together they judge each picture at most once.
        data_dir: Home of the prepared data sets (default: each run's).

    Raises:
        UserError: A run without held-out patients, other data than it was trained on, a patient that two judges or not
            all runs of one judge hold out.
    """
    found = [_held_out(network, runs, data_dir) for network, runs in judges]
    facts = {name: np.concatenate([each.facts[name] for each in found]) for name in found[0].facts}
    lesions, counts = np.unique(facts["lesion_id"], return_counts=True)
    if (counts > 1).any():
        raise UserError(f"runs that judge together must hold out different folds. Received: {(counts > 1).sum()} of "
                        f"{len(lesions)} lesions held out more than once")  # fmt: skip
    weights = [len(each.masks) for each in found]
    return HeldOut(facts, sum((each.masks for each in found), []), sum((each.answers for each in found), []),
                   {name: float(np.average([each.trivial[name] for each in found], weights=weights))
                    for name in found[0].trivial},
                   {kind: sum(each.audit[kind] for each in found) for kind in found[0].audit})  # fmt: skip


def _held_out(network: keras.Model, runs: Sequence[Run], data_dir: str | None) -> HeldOut:
    (prepared, judged, second, audit), *others = [_split(run, data_dir) for run in runs]
    if any((judged != other).any() for _, other, _, _ in others):
        raise UserError(f"runs that are averaged must hold out the same pictures. Received: "
                        f"{', '.join(str(run.folder) for run in runs)}")  # fmt: skip
    masks, answers = _ask(network, prepared, judged, second, ", ".join(run.folder.name for run in runs))
    return HeldOut({name: values[judged] for name, values in prepared.table.items()}, masks, answers,
                   trivial_dice(masks, TrivialMasks.from_dict(runs[0].facts["trivial_masks"])), audit)  # fmt: skip


def _split(run: Run, data_dir: str | None) -> tuple[Prepared, np.ndarray, str, dict[str, int]]:
    """The run's data set, which pictures of it are held out, beside which second ones, and their audit: four zeros."""
    experiment = run.experiment(data_dir)
    data = experiment.data
    if data.protocol in LEAKING:
        raise UserError(f"held-out pictures need runs under protocol folds or official. Received: {run.folder}, "
                        f"protocol {data.protocol}")  # fmt: skip
    prepared = find(experiment.data_dir, data)
    run.check_data(prepared)
    parts = protocols.parts(prepared.table, data.protocol, data.fold, experiment.seed, data.exclude_films)
    judged = parts["validation"]
    audit = protocols.leak_audit(prepared.table, judged, protocols.identities(prepared.table, parts["train"]))
    protocols.refuse_leaks(audit, data.protocol)
    return prepared, judged, data.second, audit


def _ask(network: keras.Model, prepared: Prepared, judged: np.ndarray, second: str, name: str) -> tuple[list, list]:
    masks, answers = [], []
    batches = pipeline.evaluation(prepared, judged, batch_size=8, second=second)
    bar, advance = cli.progress(f"asking {name}", int(judged.sum()))
    with bar, pipeline.damage_told(prepared):
        for images, references in batches.as_numpy_iterator():
            masks += list(references[..., 0] > 0)
            answers += list(probabilities(network, images)[..., 0])
            for _ in images:
                advance()
    return masks, answers


@dataclasses.dataclass
class Calibration:
    """A temperature, and the pixels by probability before and after it."""

    temperature: float
    before: ProbabilityCounts
    after: ProbabilityCounts

    def facts(self, held_out: HeldOut) -> dict[str, Any]:
        """What metadata.json says about it."""
        return {"temperature": self.temperature, "pictures": len(held_out.masks),
                "patients": len(set(held_out.facts["patient_id"])),
                "expected_calibration_error": {"before": self.before.expected_calibration_error(),
                                               "after": self.after.expected_calibration_error()}}  # fmt: skip


def calibrate(held_out: HeldOut) -> Calibration:
    """Fits a temperature and applies it to `held_out`, in place."""
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
    """The network with its probabilities brought to what they are worth."""
    calibrated = Temperature(temperature, dtype="float32", name="probability")(model(model.input))
    return keras.Model(model.input, calibrated, name=f"calibrated_{model.name}")


def reliability_png(found: Calibration) -> bytes:
    """Share of mass against stated probability, before (left) and after the temperature."""
    drawn, buffer = Figure(figsize=(8, 4.6), dpi=90, layout="constrained"), io.BytesIO()
    for part, counts, title in zip(drawn.subfigures(1, 2), (found.before, found.after),
                                   ("as trained", f"temperature {found.temperature:.3f}"), strict=True):  # fmt: skip
        draw_reliability(part, counts)
        part.suptitle(title)
    drawn.savefig(buffer)
    return buffer.getvalue()
