"""Export the network of a run, evaluate the exported graph, and write the files of a finished run."""

from pathlib import Path

import keras
import numpy as np

from tfrespam.core.files import file_hash, read_json, whole_directory, write_json
from tfrespam.data.loading.pipeline import encoded
from tfrespam.evaluation.trivial import TrivialMasks
from tfrespam.serving.inference import saved_model
from tfrespam.training.runs import EXAMPLES, TrainingRun, describe
from tfrespam.training.tensorboard.images import loss_curve
from tfrespam.workflows.evaluation import Evaluation, masks
from tfrespam.workflows.exporting import export_model, record_scores
from tfrespam.workflows.find_export import exported

ANEW = "Remove the run's folder to train anew"


def publish(run: TrainingRun, model: keras.Model) -> None:
    """Export the model, evaluate the exported graph, draw the curve, and write summary.json last of all.

    Raises UserError if the data set was prepared anew since the run was started, also during this call.
    """
    experiment, folder = run.experiment, run.folder
    run.check_data()
    history = read_json(folder / "state" / "state.json", ANEW)["history"]
    loss_curve(history, folder / "loss_curve.png", f"{experiment.model.name}, {experiment.data.protocol}")
    path = _export(run, model, len(history))
    summaries, learnt = {}, experiment.data.protocol == "all"  # its validation examples are trained on
    for split in ("validation", "test"):  # in this order: validation films give the operating point for the test films
        if run.splits[split].any():
            if not summaries or experiment.data.view == "film":  # films: again, with the operating point of validation
                graph = saved_model.load(path)
            judged = Evaluation(graph, run.prepared, experiment.data, split, recorded=split == "test")
            summaries[split] = judged.write(folder / split)
            record_scores(path, {name: found for name, found in summaries.items() if name == "test" or not learnt})
    _write_examples(run, "test" if "test" in summaries else "validation")
    run.check_data()
    write_json(folder / "summary.json", summaries.get("test", summaries["validation"]))


def _export(run: TrainingRun, model, epochs: int) -> Path:
    """Return the export of the run's weights; create it if it is missing."""
    noted, path = run.folder / "facts.json", exported(run)
    if path and noted.exists() and "trained_on" in saved_model.read_metadata(path):  # not by the stage export
        return path
    trivial = TrivialMasks.fit(masks(run.prepared, run.splits["train"]))
    facts = {**describe(run.experiment), "run": str(run.folder), "trained_on": run.trained_on,
             "trivial_masks": trivial.to_dict(), "dataset": run.prepared.facts,
             **_images_seen(run, epochs)}  # fmt: skip
    write_json(noted, facts)
    weights = {"weights": [file_hash(run.selected)]}
    return export_model(model, run.experiment.models_dir, run.experiment.name, facts | weights)


def _images_seen(run: TrainingRun, epochs: int) -> dict[str, int]:
    """Count the training images used, with repetitions; images of an incomplete last step of an epoch are unused.

    {} if the batch size is per device, because the number of devices is not recorded.
    """
    batch = run.experiment.training.batch_size
    if run.experiment.training.batch_per == "device":
        return {}
    return {"images_seen": epochs * (int(run.splits["train"].sum()) // batch) * batch}


def _write_examples(run: TrainingRun, split: str, count: int = 12) -> None:
    """Write a few input images of the network as PNG, to try `predict`."""
    chosen = run.splits[split]
    few = chosen & (np.cumsum(chosen) <= count)
    with whole_directory(run.folder / EXAMPLES) as new:
        for number, example in enumerate(encoded(run.prepared, few).as_numpy_iterator(), 1):
            (new / f"{number:02}.png").write_bytes(example["image"])
