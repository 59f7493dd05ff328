"""Text and layout for TensorBoard: settings, data card, leak audit, HParams, and the layout of charts."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import yaml

from tfrespam.config import Experiment
from tfrespam.core import provenance
from tfrespam.data.loading import protocols
from tfrespam.evaluation.froc import RATES

METRICS = ("dice", "iou", "miou", "loss")
LAYOUT = {  # category -> chart title -> tags in that chart
    "Fit": {"Loss": ["epoch_loss"], "Dice": ["epoch_dice"], "IoU": ["epoch_iou"],
            "Mean IoU of mass and background": ["epoch_miou"]},
    "Optimisation": {"Learning rate": ["epoch_learning_rate"],
                     "Gradient norm, mean and largest": ["epoch_gradient_norm", "epoch_gradient_norm_max"]},
    "Calibration": {"Expected calibration error": ["calibration/expected_calibration_error"]},
}  # fmt: skip
FILM_LAYOUT = {
    "Whole films": {
        "Share of the masses found at 0.25, 0.5, 1 and 2 false positives per film": [f"detection/found_at_fp_{rate:g}"
                                                                                     for rate in RATES],
        "AP50 of masks and of boxes": ["detection/ap50_mask", "detection/ap50_box"],
        "Expected calibration error of the scores": ["detection/expected_calibration_error"]},
}  # fmt: skip


class RunNotes(keras.callbacks.Callback):
    """Write the texts before the first epoch, and the end of the HParams session after the last.

    Args:
        writer: Writer to TensorBoard's top folder: HParams finds the metrics in the folders below it.
        experiment, prepared, splits: As in `tfrespam.training.fit.fit`.
        folder: The run's folder, which names the HParams session.
    """

    def __init__(self, writer, experiment: Experiment, prepared, splits: dict[str, np.ndarray], folder: Path):
        super().__init__()
        self.writer, self.experiment, self.folder = writer, experiment, folder
        self.prepared, self.splits = prepared, splits

    def on_train_begin(self, logs=None):
        from tensorboard.plugins.custom_scalar.summary import pb
        from tensorboard.plugins.hparams import api

        with self.writer.as_default(0):
            for name, text in self._texts().items():
                tf.summary.text(name, text)
            layout = LAYOUT | (FILM_LAYOUT if self.experiment.data.view == "film" else {})
            tf.summary.experimental.write_raw_pb(pb(_charts(layout)).SerializeToString(), 0)
            metrics = [api.Metric(f"epoch_{name}", group="validation", display_name=f"validation {name}")
                       for name in METRICS]  # fmt: skip
            api.hparams_config(hparams=[api.HParam(name) for name in flat(self.experiment)], metrics=metrics)
            api.hparams(flat(self.experiment), trial_id=self.folder.name)
            self.writer.flush()

    def on_train_end(self, logs=None):
        from tensorboard.plugins.hparams import api_pb2, summary

        with self.writer.as_default(0):
            end = summary.session_end_pb(api_pb2.STATUS_SUCCESS)
            tf.summary.experimental.write_raw_pb(end.SerializeToString(), 0)
            self.writer.flush()

    def _texts(self) -> dict[str, str]:
        settings = json.loads(json.dumps(dataclasses.asdict(self.experiment)))  # tuples become lists
        return {
            "config": _code(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)),
            "data_card": _table(("fact", "value"), _data_card(self.prepared.facts)),
            "leak_audit": self._leak_audit(),
            "provenance": _table(("what", "value"), {"command": provenance.command(), "git": provenance.git(),
                                                     "machine": provenance.machine(), **provenance.versions()}),
        }  # fmt: skip

    def _leak_audit(self) -> str:
        table = self.prepared.table
        trained = protocols.identities(table, self.splits["train"])
        lines = ["Number of examples with a copy, the same film, breast or patient in the training split.",
                 "", "| split | examples | copy | film | breast | patient |", "|---|---|---|---|---|---|"]  # fmt: skip
        for split in ("validation", "test"):
            audit = protocols.leak_audit(table, self.splits[split], trained)
            lines.append(f"| {split} | {self.splits[split].sum()} | " + " | ".join(map(str, audit.values())) + " |")
        return "\n".join(lines)


def flat(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that affect the result, by dotted name; lists and dicts as text."""
    settings = {"seed": experiment.seed}
    for group in ("data", "augment", "model", "training"):
        for name, value in dataclasses.asdict(getattr(experiment, group)).items():
            if not name.startswith("tensorboard"):
                settings[f"{group}.{name}"] = value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
    return settings


def _data_card(facts: dict) -> dict[str, Any]:
    actions = ", ".join(f"{name} {count}" for name, count in facts.get("actions", {}).items())
    plain = {name: value for name, value in facts.items() if not isinstance(value, (dict, list))}
    return plain | {"lesions by action (ledger.csv)": actions}


def _code(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _table(header: tuple[str, str], rows: dict[str, Any]) -> str:
    cells = "\n".join(f"| {name} | {value} |".replace("\n", " ") for name, value in rows.items())
    return f"| {header[0]} | {header[1]} |\n|---|---|\n{cells}"


def _charts(layout: dict[str, dict[str, list[str]]]):
    from tensorboard.plugins.custom_scalar import layout_pb2

    categories = [
        layout_pb2.Category(title=title, chart=[
            layout_pb2.Chart(title=name, multiline=layout_pb2.MultilineChartContent(tag=[f"^{tag}$" for tag in tags]))
            for name, tags in charts.items()])
        for title, charts in layout.items()]  # fmt: skip
    return layout_pb2.Layout(category=categories)
