"""Train an experiment on an accelerator from a packed data set, into a run's folder that `export` can read."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfrespam.config import Experiment, identity
from tfrespam.core import provenance
from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_file, write_csv, write_json
from tfrespam.core.locks import only_one
from tfrespam.data.loading import protocols
from tfrespam.data.loading.packed import Packed
from tfrespam.evaluation.trivial import TrivialMasks
from tfrespam.metrics import default_metrics
from tfrespam.models import DISCRIMINATORS, build_model
from tfrespam.training.accelerator import in_memory_evaluation
from tfrespam.training.accelerator.learner import Examples, Learner, Objective
from tfrespam.training.accelerator.loop import Loop, Rows
from tfrespam.training.objectives.own_losses import make_loss
from tfrespam.training.objectives.side_outputs import MAIN, weights_by_name
from tfrespam.training.optimizer import optimizer
from tfrespam.training.runs import check_same_data, describe, removed_if_refused


def train(experiment: Experiment, packed: Packed, folder: Path, minutes: float,
          log: Callable[[str], None] = print) -> dict[str, Any]:  # fmt: skip
    """Train, or resume, for at most `minutes`, then evaluate; return the summary of the test or validation split.

    Args:
        experiment: Settings.
        packed: Packed data set of the experiment.
        folder: Folder of the run, with config.yaml, best.keras or last.keras, history.csv, facts.json, a folder for
            each evaluated split, summary.json, and checkpoints in `state/`.
        minutes: Time limit of the training; no epoch is started that would end later. The evaluation comes after it.
        log: Function that receives lines of text about the progress.

    Raises:
        UserError: The data are not those of the experiment, a split is empty, the experiment cannot be trained without
            TensorFlow, or the folder has a training with other settings or with more epochs.
    """
    advice = "It trains the same experiment: wait for it, or name another folder"
    with only_one(folder / ".lock", advice), removed_if_refused(folder):
        return _train(experiment, packed, folder, minutes, log)


def _train(experiment: Experiment, packed: Packed, folder: Path, minutes: float,
           log: Callable[[str], None]) -> dict[str, Any]:  # fmt: skip
    started = time.monotonic()
    check(experiment, packed)
    data, table = experiment.data, packed.table
    splits = _splits(experiment, table)
    trained = protocols.identities(table, splits["train"])
    evaluated = {split: chosen for split, chosen in splits.items() if split != "train" and chosen.any()}
    audits = {split: protocols.leak_audit(table, chosen, trained) for split, chosen in evaluated.items()}
    for split, audit in audits.items():
        protocols.refuse_leaks(audit, data.protocol, split)
    rows = {split: Rows(packed.image_index[chosen], packed.transforms[chosen]) for split, chosen in splits.items()}
    batch = experiment.training.batch_size
    steps = len(rows["train"].image_index) // batch
    if not steps:
        raise UserError(f"`training.batch_size` {batch} is more than the {len(rows['train'].image_index)} training "
                        "examples. Make it smaller or prepare more")  # fmt: skip
    learner = compiled(experiment, packed, steps)
    check_same_data(folder, packed.about["digests"] | _digests(experiment),
                    "Name another folder, or remove that one to train again", "examples or settings")  # fmt: skip
    augment = None if data.protocol == "paper" else experiment.augment
    loop = Loop(learner, rows["train"], rows["validation"], augment, experiment, folder / "state", log)
    _check_epochs(experiment.training.epochs, len(loop.history), folder)
    _write_config(experiment, folder)
    if loop.history:
        log(f"resumed after epoch {len(loop.history)}")
    if len(loop.history) < experiment.training.epochs:
        (folder / "summary.json").unlink(missing_ok=True)  # of a training with fewer epochs
    finished = loop.run(experiment.training.epochs, 60 * minutes, started)
    if not loop.history:
        raise UserError(f"no epoch was finished within {minutes:g} minutes. Raise the time limit")
    write_csv(folder / "history.csv", loop.history)
    log(f"{len(loop.history)} of {experiment.training.epochs} epochs are finished"
        + ("" if finished else "; the same command resumes the training"))  # fmt: skip
    facts = _facts(experiment, packed, splits, trained, len(loop.history) * steps * batch, learner)
    write_json(folder / "facts.json", facts)
    chosen = loop.best if experiment.training.select == "best" else None
    summaries = {}
    with loop.averaged(chosen) as network:
        with whole_file(folder / f"{experiment.training.select}.keras") as temporary:
            network.save(temporary)
        for split, mask in evaluated.items():
            context = {"protocol": data.protocol, "split": split, "leak_audit": audits[split],
                       "data_sha256": packed.about["digests"]["index_sha256"]}  # fmt: skip
            of_split = {name: values[mask] for name, values in table.items()}
            summaries[split] = in_memory_evaluation.evaluate(learner, rows[split], of_split, facts, context,
                                                             folder / split)  # fmt: skip
    summary = summaries.get("test", summaries["validation"])
    if finished:  # an unfinished run must not be compared with others
        write_json(folder / "summary.json", summary)
    return summary


def check(experiment: Experiment, packed: Packed) -> None:
    """Raise UserError if the data are not those of the experiment, or a setting needs TensorFlow."""
    data, facts, factor = experiment.data, packed.about["facts"], experiment.augment.recrop
    copies = len(set(packed.table["copy"].tolist())) > 1
    asked = {"dataset": data.dataset, "view": data.view, "shape": data.image_shape,
             **({"context": data.context} if data.view == "roi" else {})}  # fmt: skip
    found = {name: facts[name] for name in asked if name != "shape"} | {"shape": packed.images.shape[1:]}
    if asked != found or copies != (data.protocol == "paper"):
        raise UserError(f"the file contains other data than the experiment needs. Expected {asked}, copies "
                        f"{data.protocol == 'paper'}. Received: {found}, copies {copies}. Pack the data again with "
                        "experiments/pack_arrays.py")
    if bool(factor) != (packed.wider is not None) or (
            factor and packed.wider[0].shape[1] != round(factor * data.image_size)):  # fmt: skip
        held = packed.wider[0].shape[1] if packed.wider else 0
        raise UserError(f"the packed file does not fit `augment.recrop` {factor:g}. Expected wider crops of "
                        f"{round(factor * data.image_size)} pixels (0: none). Received: {held}. Pack the data again")
    special = experiment.model.name in DISCRIMINATORS or experiment.training.loss == "box" or data.second != "none"
    if special or experiment.augment.extra:
        raise UserError("adversarial networks, the loss \"box\", `data.second` and `augment.extra` can be trained only "
                        f"with: python -m tfrespam.train. Received: {experiment.model.name}, "
                        f"{experiment.training.loss}, {data.second}, {experiment.augment.extra}")
    if experiment.training.initial_weights:
        raise UserError("`training.initial_weights` can be used only with: python -m tfrespam.train. Received: "
                        f"{experiment.training.initial_weights}")


def _splits(experiment: Experiment, table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the splits of the experiment. Raises UserError if the one for training or validation is empty."""
    data = experiment.data
    splits = protocols.splits(table, data.protocol, data.fold, experiment.seed, data.exclude_films,
                            data.absent_films)  # fmt: skip
    for split in ("train", "validation"):
        if not splits[split].any():
            raise UserError(f"split {split!r} of protocol {data.protocol!r}, fold {data.fold}, contains no example of "
                            "the packed file. Choose another `data.fold` or pack more patients")
    return splits


def _check_epochs(asked: int, done: int, folder: Path) -> None:
    if done > asked:
        raise UserError(f"{folder} has a training of {done} epochs. Expected `training.epochs` of at least as many. "
                        f"Received: {asked}. Raise it, or name another folder")  # fmt: skip


def compiled(experiment: Experiment, packed: Packed, steps: int) -> Learner:
    """Create the experiment's learner, compiled with its optimizer."""
    training, shape = experiment.training, (*experiment.data.image_shape, 1)
    keras.utils.set_random_seed(experiment.seed)
    keras.config.set_dtype_policy(training.precision)
    try:
        network = build_model(experiment.model.name, shape, experiment.model.width, **experiment.model.options)
        objective = _objective(experiment, network, steps)
    except ValueError as error:
        raise UserError(str(error)) from None
    finally:
        keras.config.set_dtype_policy("float32")
    noise = 0.0 if experiment.data.protocol == "paper" else experiment.augment.noise  # its copies are augmented
    learner = Learner(network, objective, _examples(experiment, packed), default_metrics(), training.ema, noise,
                      experiment.seed)  # fmt: skip
    updates = optimizer(training, steps)
    if training.precision == "mixed_float16":
        updates = keras.optimizers.LossScaleOptimizer(updates)
    learner.compile(optimizer=updates, jit_compile="auto")
    updates.build(learner.trainable_variables)
    return learner


def _objective(experiment: Experiment, network: keras.Model, steps: int) -> Objective:
    training = experiment.training
    loss = make_loss(training.loss, training.loss_options)
    if not isinstance(network.output, dict):
        return Objective(loss)
    names = [name for name in network.output_names if name != MAIN]
    return Objective(loss, make_loss(training.side_loss, {}), weights_by_name(names, training.side_weights),
                     training.side_decay_epochs, steps)  # fmt: skip


def _examples(experiment: Experiment, packed: Packed) -> Examples:
    factor = experiment.augment.recrop
    return Examples(packed.images, packed.masks, packed.wider, factor * experiment.data.context, factor or 1.0)


def _facts(experiment: Experiment, packed: Packed, splits: dict, trained: dict, images_seen: int,
           learner: Learner) -> dict[str, Any]:  # fmt: skip
    """Create the content of facts.json, which `export` copies into the model's metadata."""
    rows = Rows(packed.image_index[splits["train"]], packed.transforms[splits["train"]])
    masks = (mask for mask, _ in in_memory_evaluation.predictions(learner, rows, masks_only=True))
    return {**describe(experiment), "trained_on": trained, "dataset": packed.about["facts"],
            "trivial_masks": TrivialMasks.fit(masks).to_dict(), "images_seen": images_seen, "flops": None,
            "machine": device(), "packed_as": packed.about["encoding"]}  # fmt: skip


def device() -> str:
    """Describe backend, device and processor."""
    if keras.backend.backend() == "jax":
        import jax

        found = ", ".join(f"{each.device_kind} ({each.platform})" for each in jax.devices())
        return f"jax on {found}; {provenance.machine()}"
    return f"{keras.backend.backend()}; {provenance.machine()}"


def on_accelerator() -> bool:
    """Return whether the backend computes on a GPU or TPU."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    return False


def _digests(experiment: Experiment) -> dict[str, str]:
    """Return a hash of all settings but the precision, which "auto" chooses by device, and the number of epochs.

    That number has an entry of its own unless the learning rate is constant: all others depend on it.
    """
    training = dataclasses.replace(experiment.training, precision="float32", epochs=1)
    same = dataclasses.replace(experiment, training=training)
    digest = hashlib.sha256(json.dumps(identity(same), sort_keys=True, default=str).encode()).hexdigest()
    epochs = {} if training.schedule == "constant" else {"epochs": str(experiment.training.epochs)}
    return {"settings_sha256": digest, **epochs}


def _write_config(experiment: Experiment, folder: Path) -> None:
    import yaml

    head = f"# {provenance.command()}\n# {device()}; git {provenance.git() or 'unknown'}\n"
    settings = json.loads(json.dumps(dataclasses.asdict(experiment)))  # tuples become lists
    with whole_file(folder / "config.yaml") as temporary:
        temporary.write_text(head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
