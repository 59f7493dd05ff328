"""Evaluate an exported model on a split of a prepared data set."""

import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfrespam.config import DataConfig, Experiment
from tfrespam.core import provenance, runtime
from tfrespam.core.console import log, progress
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv, write_json
from tfrespam.core.locks import only_one
from tfrespam.data.loading import protocols
from tfrespam.data.loading.prepared import Prepared, all_under, asked_name, find
from tfrespam.evaluation import detection
from tfrespam.evaluation.candidates import CandidateRule
from tfrespam.evaluation.dense_crf import DenseCRF, Refined
from tfrespam.evaluation.film_scores import TABLES, film_scores
from tfrespam.evaluation.headline import headline
from tfrespam.evaluation.probability_counts import ProbabilityCounts
from tfrespam.evaluation.summary import per_image_rows, summarise
from tfrespam.evaluation.trivial import TrivialMasks, trivial_dice
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.saved_model import check_threshold

SETTINGS = ("width", "options", "data", "augment", "training", "views")  # settings of the model in summary.json


def evaluate_export(output: str, model: str | None = None, data_dir: str | None = None, protocol: str | None = None,
                    split: str = "validation", fold: int | None = None, dataset: str | None = None,
                    threshold: float | None = None, postprocessing: str = "none") -> dict:  # fmt: skip
    """Evaluate an exported model and write the results into `output`; the arguments are those of the stage `evaluate`.

    Returns:
        The content of summary.json.
    """
    check_threshold(threshold)
    if fold is not None and not 0 <= fold <= 4:
        raise UserError(f"`fold` must be a fold from 0 to 4. Received: {fold}")
    runtime.start()
    path = model or saved_model.newest(Experiment().models_dir)
    if path is None:
        raise UserError("no exported model found under saved_models/. Name one with `model`, or make one with: "
                        "python -m tfrespam.train")
    exported = saved_model.load(path)
    if postprocessing == "dense_crf":

        exported = Refined(exported, DenseCRF())
    data = _data_config(exported.metadata, protocol, fold, dataset)
    prepared = choose(data_dir or Experiment().data_dir, data, named=dataset is not None)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, "Wait for it, or choose another `output`"):
        summary = Evaluation(exported, prepared, data, split, threshold, postprocessing).write(folder)
    say(summary, folder)
    return summary


def _data_config(metadata: dict, protocol: str | None, fold: int | None, dataset: str | None) -> DataConfig:
    """Return the model's data configuration with the changes of the user."""
    named = {"protocol": protocol, "fold": fold, "dataset": dataset}
    return DataConfig.of(metadata.get("data", {}) | {key: value for key, value in named.items() if value is not None})


def choose(data_dir: str, data: DataConfig, named: bool = False):
    """Find the data set prepared for the model, else the only existing one. Raises UserError."""
    candidates = [each for each in all_under(data_dir) if not named or each.name == data.dataset]
    own = asked_name(data)
    exact = [each for each in candidates if each.path.name == own and each.name == data.dataset]
    if len(exact) == 1:
        return exact[0]
    if len(candidates) == 1:
        log.info(f"the model was trained on {data.dataset}/{own}; evaluating on {candidates[0].path}")
        return candidates[0]
    return find(data_dir, data)


class Results(NamedTuple):
    """Results of an evaluation, as in its files."""
    rows: list[dict]  # per_image.csv
    calibration: list[dict]  # calibration.csv
    tables: dict[str, tuple]  # of whole films: file -> rows and columns
    summary: dict  # summary.json

    def write(self, output: Path) -> None:
        """Write the files, summary.json last, so that a folder without it is not a finished evaluation."""
        for name in ("summary.json", *TABLES):
            (output / name).unlink(missing_ok=True)
        for name, (rows, columns) in self.tables.items():
            write_csv(output / name, rows, columns)
        write_csv(output / "per_image.csv", self.rows)
        write_csv(output / "calibration.csv", self.calibration)
        write_json(output / "summary.json", self.summary)


class Evaluation:
    """Evaluation of one model on one split.

    Args:
        exported: The exported model.
        prepared: The data set.
        data: Protocol, fold and excluded films.
        split: "train", "validation" or "test".
        threshold: Probability threshold: pixels with at least this probability belong to the mask (default: that
            of the model).
        postprocessing: Post-processing in `exported`, for the summary.
        recorded: Use the model's operating point and scaling of scores; False if they are still to be chosen.
        seed: Seed of the protocol `paper` (default: that of the model's training, else 0).

    Raises:
        UserError: The split is empty, training patients leak into it against its protocol, or the model requires pairs
            of crops but the data set contains whole films.
    """

    def __init__(self, exported, prepared: Prepared, data: DataConfig, split: str, threshold: float | None = None,
                 postprocessing: str = "none", recorded: bool = True, seed: int | None = None):  # fmt: skip
        self.exported, self.prepared, self.data, self.split = exported, prepared, data, split
        self.metadata, self.postprocessing, self.recorded = exported.metadata, postprocessing, recorded
        self.seed = (self.metadata.get("seed") or 0) if seed is None else seed
        if data.second != "none" and self.scans:
            raise UserError(f"the model requires pairs of crops, but {prepared.path} contains whole films")
        own = self.metadata.get("film_threshold" if self.scans else "threshold", 0.5)
        self.threshold = own if threshold is None else threshold
        self.rule = self._rule(threshold)
        self._check_leaks()

    def _rule(self, threshold: float | None) -> CandidateRule:
        """Return the candidate rule: that of the model without its operating point, or that of `threshold`."""
        stored = self.metadata.get("candidates")
        if not stored or self.scans:
            return CandidateRule(self.threshold)
        rule = CandidateRule.of(stored)
        return rule.every(threshold) if self.recorded else rule.plain()

    @property
    def is_film(self) -> bool:
        return self.prepared.facts["view"] == "film"

    @property
    def scans(self) -> bool:
        """True if a network that was trained on crops scans whole films."""
        return self.is_film and _view(self.metadata) == "roi"

    @cached_property
    def splits(self) -> dict[str, np.ndarray]:
        """Bool per row of index.csv for each split."""
        known = set(self.prepared.table["film_id"])
        exclude = tuple(film for film in self.data.exclude_films if film in known)
        if exclude:
            log.info(f"excluded, as in training: {len(exclude)} films (data.exclude_films)")
        return protocols.splits(self.prepared.table, self.data.protocol, self.data.fold, self.seed, exclude)

    @cached_property
    def chosen(self) -> np.ndarray:
        """Bool per row of index.csv: the examples that are evaluated."""
        chosen = self.splits[self.split]
        if not chosen.any():
            filled = ", ".join(f"{name} ({split.sum()})" for name, split in self.splits.items() if split.any())
            raise UserError(f"split {self.split!r} of protocol {self.data.protocol!r} has no example in "
                            f"{self.prepared.path}. Splits with examples: {filled or 'none'}")
        return chosen

    @cached_property
    def table(self) -> dict[str, np.ndarray]:
        """Columns of index.csv for the evaluated examples."""
        return {name: values[self.chosen] for name, values in self.prepared.table.items()}

    @cached_property
    def audit(self) -> dict[str, int | None]:
        """Number of evaluated examples whose copy, film, breast or patient is among the training examples."""
        return protocols.leak_audit(self.prepared.table, self.chosen, self.metadata.get("trained_on"))

    @cached_property
    def is_foreign(self) -> bool:
        """True if examples and training data are of different data sets, so that equal ids are coincidences."""
        return protocols.of_other_sources(self.prepared.table, self.chosen, self.metadata.get("trained_on"))

    def _check_leaks(self) -> None:
        if self.split != "train" and not self.is_foreign:
            protocols.refuse_leaks(self.audit, self.data.protocol, self.split)
        trained = self.metadata.get("data", {}).get("dataset", self.prepared.name)
        if self.prepared.name != trained and not self.chosen.all():
            log.info(f"evaluating {self.chosen.sum()} of {len(self.chosen)} examples, the {self.split} split of "
                          f"fold {self.data.fold}. To evaluate all examples except those of test lists, set "
                          "`protocol` all and `split` train")

    def write(self, output: Path) -> dict:
        """Evaluate and write the files of `Results`; return the summary."""
        results = self.compute()
        results.write(output)
        return results.summary

    def compute(self) -> Results:
        """Evaluate; write nothing."""
        started = time.perf_counter()
        findings, counts = [], ProbabilityCounts()
        rows = per_image_rows(self.table, counts.watch(self._predictions(findings)), self.threshold)
        summary = self._summary(rows, round(time.perf_counter() - started, 2))
        tables = {}
        if findings:
            summary["detection"], tables = film_scores(findings, self.table, [row["dice"] for row in rows], self.rule,
                                                       self._operating_score, self.prepared.image_shape[0])  # fmt: skip
        return Results(rows, counts.rows(), tables, summary)

    @property
    def _operating_score(self) -> float | None:
        """Return the model's operating point, the lowest score of a candidate; None if there is none."""
        if self.scans or not self.recorded:
            return None
        return CandidateRule.of(self.metadata.get("candidates")).least_score or None

    def _summary(self, rows: list[dict], seconds: float) -> dict:
        metadata = self.metadata
        context = {
            "model": metadata.get("model", ""), "experiment": metadata.get("experiment", ""),
            "dataset": self.prepared.name, "protocol": self.data.protocol, "split": self.split,
            "threshold": self.threshold, "leak_audit": self.audit, "parameters": metadata.get("parameters"),
            "flops": metadata.get("flops"), "seconds": seconds, "versions": provenance.versions(),
            "command": provenance.command(), "seed": self.seed, "git": provenance.git(),
        }  # fmt: skip
        settings = {name: metadata[name] for name in SETTINGS if name in metadata}
        origin = {"data_sha256": self.prepared.digest, "machine": provenance.machine(), "settings": settings}
        origin |= {"images_seen": metadata["images_seen"]} if "images_seen" in metadata else {}
        origin |= {"of_other_sources": True} if self.is_foreign else {}
        origin |= {"postprocessing": self.postprocessing} if self.postprocessing != "none" else {}
        trivial = trivial_dice(masks(self.prepared, self.chosen), self._trivial_masks())
        return {**summarise(rows, trivial, context), **origin}

    def _trivial_masks(self) -> TrivialMasks:
        """Return the trivial masks of the model's training, else fit them on this data set's training split.

        Images of another context show masses of another size, so that masks of the training are no standard for them.
        They are fitted on training images that are not evaluated; without any, those of the training are kept.
        """
        if "trivial_masks" in self.metadata and _framing(dict(self.metadata.get("data") or {})) == (
                _framing(self.prepared.facts)):  # fmt: skip
            return TrivialMasks.from_dict(self.metadata["trivial_masks"])
        train = self.splits["train"] & ~self.chosen
        if train.any():
            return TrivialMasks.fit(masks(self.prepared, train))
        stored = self.metadata.get("trivial_masks")
        return TrivialMasks.from_dict(stored) if stored else TrivialMasks.fit([])

    def _predictions(self, findings: list) -> Iterator:
        """Yield reference (H, W) bool and probability (H, W) float32 of each example; films append to `findings`."""
        segment = self.exported.scan_images if self.scans else self.exported.predict_images
        bar, advance = progress("evaluating", int(self.chosen.sum()))
        with bar:
            for images, references in _batches(self.prepared, self.chosen, 8, self.data.second):
                for reference, probability in zip(references[..., 0] > 0, segment(images)[..., 0], strict=True):
                    advance()
                    _check_finite(probability)
                    if self.is_film:
                        findings.append(detection.find(reference, probability, self.rule))
                    yield reference, probability


def _check_finite(probability: np.ndarray) -> None:
    if not np.isfinite(probability).all():
        raise UserError("the model answers with NaN instead of a probability. Nothing was evaluated. Export it again "
                        "from its run: python -m tfrespam.export")


def masks(prepared: Prepared, chosen: np.ndarray) -> np.ndarray:
    """Read the reference masks (N, H, W) bool of the chosen examples, in the order of index.csv."""
    return np.concatenate([mask[..., 0] > 0 for _, mask in _batches(prepared, chosen, 64)])


def _batches(prepared: Prepared, chosen: np.ndarray, batch_size: int, second: str = "none") -> Iterator[tuple]:
    """Yield images and reference masks of the chosen examples."""
    from tfrespam.data.loading import pipeline

    with pipeline.corruption_as_user_error(prepared):
        yield from pipeline.evaluation(prepared, chosen, batch_size=batch_size, second=second).as_numpy_iterator()


def _view(metadata: dict) -> str:
    return dict(metadata.get("data") or {}).get("view", "roi")


def _framing(data: Mapping) -> tuple:
    """Return what determines the size and place of masses in an image: view, context, and proportions of films."""
    view, height = data.get("view", "roi"), data.get("image_size", 1)
    return view, data.get("context") if view == "roi" else (data.get("image_width") or height) / height


def say(summary: dict, output: Path) -> None:
    """Log the headline of a summary and its file."""
    for line in headline(summary):
        log.info(line)
    log.info(f"{output / 'summary.json'}")
