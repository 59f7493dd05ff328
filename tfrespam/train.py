"""Stage `train`, the main job: an experiment in, a trained, exported and judged network out.

Without arguments it is the newcomer's five minutes: a phantom data set is made, prepared, learnt and judged on
patients never seen.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tfrespam import cli
from tfrespam.config import LEAKING, Experiment, check, identity
from tfrespam.errors import UserError
from tfrespam.files import only_one
from tfrespam.workplace import workplace

# What `python -m tfrespam.train` does when no --config is named.
EMBEDDED = {
    "name": "phantom",
    "data.dataset": "phantom",
    "data.image_size": 96,
    "model.width": 0.125,
    "model.options": {"normalization": "standardize", "fusion": "add_and_restore"},
    "training.epochs": 14,
    "training.schedule": "cosine",
    "training.warmup_epochs": 1,
    "training.learning_rate": 2e-3,
    "training.ema": 0.98,
    "training.select": "last",
}
PHANTOM_PATIENTS = 90
EXAMPLES = "examples"  # folder of a run
ANEW = "Remove the run's folder to train anew"


def train(experiment: Experiment) -> None:
    """Trains, exports and evaluates a network; a killed run goes on where it was.

    Without options: makes a synthetic (phantom) data set and trains a small ResPAM U-Net on it, in minutes.
    `--verify RUN` in place of all options repeats a recorded run and compares, as the stage `verify` does.
    """
    check(experiment)
    place = workplace(experiment.strategy)
    prepared = prepared_data(experiment)
    folder = run_folder(experiment)
    if not place.chief:
        _help(experiment, prepared, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder / ".lock", "It trains the same experiment: wait for it, or change --name or --seed"):
        _same_data(experiment, prepared, folder)
        with _tensorboard(experiment, folder):
            _work(experiment, prepared, folder)


def _work(experiment: Experiment, prepared, folder: Path) -> None:
    if (folder / "summary.json").exists() and _exported(experiment, folder):
        cli.console.print(f"{folder}: done already; change a setting, --seed or --name to train again")
    else:
        _run(experiment, prepared, folder)
    _say(experiment, folder)


@contextlib.contextmanager
def _tensorboard(experiment: Experiment, folder: Path) -> Iterator[None]:
    """TensorBoard beside the work where it is asked for; whoever sits at a terminal may look on when that is done."""
    if not experiment.tensorboard:
        yield
        return
    from tfrespam.training.board_server import served

    with served(folder) as url:  # not its subfolder: HParams finds no scores beside a session named "."
        cli.console.print(f"TensorBoard: {url}")
        yield
        if sys.stdin.isatty():
            cli.console.print(f"\nTensorBoard: {url} until you press Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()


def _help(experiment: Experiment, prepared, folder: Path) -> None:
    """What every worker but the chief does: its share of the training, and nothing on disk."""
    if (folder / "last.keras").exists():
        cli.console.print(f"{folder}: trained already; the chief does the rest")
        return
    devices = _start(experiment)
    from tfrespam.training.fit import fit

    fit(experiment, prepared, _parts(experiment, prepared), folder, devices)


def run_folder(experiment: Experiment) -> Path:
    """runs/<experiment>/<protocol>-fold<k>-seed<s>-<hash of all settings>: equal settings go on, others start anew."""
    digest = hashlib.sha256(json.dumps(identity(experiment), sort_keys=True, default=str).encode()).hexdigest()[:8]
    data = experiment.data
    fold = "" if data.protocol in LEAKING else f"-fold{data.fold}"
    return Path(experiment.runs_dir) / experiment.name / f"{data.protocol}{fold}-seed{experiment.seed}-{digest}"


def digests(experiment: Experiment, prepared) -> dict[str, str]:
    """Which examples train and judge: digest of the data set's index, and of the wider crops' where those train."""
    from tfrespam.data.prepared import find_wider

    found = {"index_sha256": prepared.digest}
    if factor := experiment.augment.recrop:
        wider = find_wider(experiment.data_dir, experiment.data, factor, prepared)
        found["wider_index_sha256"] = wider.digest
    return found


def _same_data(experiment: Experiment, prepared, folder: Path) -> None:
    """A run that goes on with other examples than it began with would be neither the one nor the other."""
    from tfrespam.files import read_json, write_json

    known, now = folder / "data.json", digests(experiment, prepared)
    if not known.exists():
        write_json(known, now)
    elif now | read_json(known, ANEW) != now:
        raise UserError(f"the examples in {prepared.path} are no longer those that {folder} was begun with. "
                        "Choose another --name, or remove that folder to train anew")  # fmt: skip


def _exported(experiment: Experiment, folder: Path) -> Path | None:
    from tfrespam.export import exported_from

    weights = selected(experiment, folder)
    return exported_from(weights, experiment.models_dir, experiment.name) if weights.exists() else None


def prepared_data(experiment: Experiment):
    """The prepared data set; the phantom one and the paper's copies are made when they are missing."""
    from tfrespam.data.prepared import find, find_wider

    home, data = Path(experiment.data_dir), experiment.data
    if experiment.strategy == "multiworker":  # workers that start together must not all make it
        return find(home, data)
    if data.dataset == "phantom":
        _make_phantom(home, data)
    prepared = find(home, dataclasses.replace(data, protocol="official"))  # of which the paper's copies are made
    if experiment.augment.recrop:  # said now, not when training starts
        find_wider(home, data, experiment.augment.recrop, prepared)
    if data.protocol != "paper":
        return prepared
    from tfrespam.prepare import prepare_copies

    prepare_copies(prepared)
    return find(home, data)


def _make_phantom(home: Path, data) -> None:
    from tfrespam.data.phantom import write_phantom
    from tfrespam.prepare import prepare_source

    download = home / "phantom" / "download"
    if not download.exists():
        cli.console.print(f"making {PHANTOM_PATIENTS} phantom patients in {download}")
        write_phantom(download, patients=PHANTOM_PATIENTS)
    prepare_source(download, home, "phantom", data.view, data.context, data.image_size)


def _run(experiment: Experiment, prepared, folder: Path) -> None:
    _write_config(experiment, folder)
    finished = (folder / "last.keras").exists()  # what is left to do is the chief's alone
    devices = _start(dataclasses.replace(experiment, strategy="none", devices=0) if finished else experiment)
    from tfrespam.data import protocols

    data, parts = experiment.data, _parts(experiment, prepared)
    trained = protocols.identities(prepared.table, parts["train"])
    for split in ("validation", "test"):
        audit = protocols.leak_audit(prepared.table, parts[split], trained)
        protocols.refuse_leaks(audit, data.protocol, split)
        cli.console.print(f"{split}: {parts[split].sum()} of {len(parts[split])} examples; leak audit "
                          + ", ".join(f"{kind} {count}" for kind, count in audit.items()))  # fmt: skip
    model = _fit(experiment, prepared, parts, folder, devices)
    _publish(experiment, prepared, parts, trained, model, folder)


def _start(experiment: Experiment):
    """Starts TensorFlow; returns the devices that train."""
    from tfrespam import runtime

    training = experiment.training
    runtime.load_tensorflow()
    from tfrespam.training import devices

    started = devices.start(experiment)
    runtime.start(experiment.seed, deterministic=training.deterministic, precision=training.precision)
    return started


def _parts(experiment: Experiment, prepared) -> dict:
    """Which examples train, validate and test."""
    from tfrespam.data import protocols

    data = experiment.data
    parts = protocols.parts(prepared.table, data.protocol, data.fold, experiment.seed, data.exclude_films)
    for split in ("train", "validation"):
        if not parts[split].any():
            raise UserError(f"split {split!r} of protocol {data.protocol!r}, fold {data.fold}, holds no example in "
                            f"{prepared.path}. Choose another --data.fold or prepare more patients")
    if not prepared.table["mass_pixels"][parts["train"]].any():
        raise UserError(f"no training picture of {prepared.path} holds a pixel of a mass: there is nothing to learn. "
                        "Prepare with a larger --image_size")
    return parts


def _write_config(experiment: Experiment, folder: Path) -> None:
    import yaml

    from tfrespam import provenance
    from tfrespam.files import whole_file

    head = f"# {provenance.command()}\n# {provenance.machine()}; git {provenance.git() or 'unknown'}\n"
    settings = json.loads(json.dumps(dataclasses.asdict(experiment)))  # tuples become lists
    with whole_file(folder / "config.yaml") as temporary:
        temporary.write_text(head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _fit(experiment: Experiment, prepared, parts: dict, folder: Path, devices):
    """Trains, or goes on training; returns the model that the experiment selects."""
    from tfrespam.data.pipeline import damage_told
    from tfrespam.models.stored import load_network
    from tfrespam.training.fit import fit
    from tfrespam.training.recorder import save_model

    finished = folder / "last.keras"
    if not finished.exists():
        with damage_told(prepared):
            model = fit(experiment, prepared, parts, folder, devices)
        save_model(model, finished)
    return load_network(selected(experiment, folder))


def selected(experiment: Experiment, folder: Path) -> Path:
    """The run's file with the weights that are exported."""
    return folder / f"{experiment.training.select}.keras"


def _publish(experiment: Experiment, prepared, parts: dict, trained: dict, model, folder: Path) -> None:
    """Exports the model, judges the exported graph, draws the curve, and writes summary.json last of all."""
    from tfrespam import evaluate
    from tfrespam.evaluation.trivial import TrivialMasks
    from tfrespam.export import export_model, exported_from, record_scores
    from tfrespam.files import file_hash, read_json, write_json
    from tfrespam.serving import saved_model
    from tfrespam.training.pictures import loss_curve
    from tfrespam.training.runs import describe

    history = read_json(folder / "state" / "state.json", ANEW)["history"]
    loss_curve(history, folder / "loss_curve.png", f"{experiment.model.name}, {experiment.data.protocol}")
    weights = selected(experiment, folder)
    facts = folder / "facts.json"
    path = exported_from(weights, experiment.models_dir, experiment.name)
    if path is None or not facts.exists() or "trained_on" not in saved_model.read_metadata(path):  # by hand, before
        trivial = TrivialMasks.fit(evaluate.masks(prepared, parts["train"]))
        known = {**describe(dataclasses.asdict(experiment)), "run": str(folder), "trained_on": trained,
                 "trivial_masks": trivial.to_dict(), "dataset": prepared.facts}  # fmt: skip
        write_json(facts, known)
        path = export_model(model, experiment.models_dir, experiment.name, known | {"weights": [file_hash(weights)]})
    exported = saved_model.load(path)
    summaries = {split: evaluate.judge(exported, prepared, experiment.data, split, folder / split)
                 for split in ("validation", "test") if parts[split].any()}  # fmt: skip
    learnt = ("validation",) if experiment.data.protocol == "all" else ()  # what it has learnt by heart is no score
    record_scores(path, {split: found for split, found in summaries.items() if split not in learnt})
    _write_examples(prepared, parts["test" if "test" in summaries else "validation"], folder / EXAMPLES)
    write_json(folder / "summary.json", summaries.get("test", summaries["validation"]))


def _write_examples(prepared, judged, folder: Path, count: int = 12) -> None:
    """A few judged pictures as the network takes them, PNG files to try `predict` on."""
    import numpy as np

    from tfrespam.data.pipeline import encoded
    from tfrespam.files import whole_directory

    few = judged & (np.cumsum(judged) <= count)
    with whole_directory(folder) as new:
        for number, example in enumerate(encoded(prepared, few).as_numpy_iterator(), 1):
            (new / f"{number:02}.png").write_bytes(example["image"])


def _say(experiment: Experiment, folder: Path) -> None:
    from tfrespam import evaluate
    from tfrespam.files import read_json

    exported = _exported(experiment, folder)
    summary = read_json(folder / "summary.json", "Remove it, and the run is judged again")
    evaluate.say(summary, folder)
    run, model, data = map(cli.quoted, (folder, exported, experiment.data_dir))
    cli.console.print(f"""
run        {folder}  (history.csv, loss_curve.png, per-image results)
model      {exported}
next       tensorboard --logdir {run}
           python -m tfrespam.predict {cli.quoted(folder / EXAMPLES)} --model {model} --output predictions
           python -m tfrespam.evaluate --model {model} --data_dir {data} --split train --output evaluation""")


def main() -> None:
    option, _, run = (sys.argv[1:] or [""])[0].partition("=")
    if option == "--verify":  # the work of a stage above this one
        importlib.import_module("tfrespam.verify").main([*filter(None, [run]), *sys.argv[2:]])
        return
    cli.run(train_from_options, signature=Experiment, defaults=EMBEDDED)


def train_from_options(**options) -> None:
    experiment = Experiment(**options)
    try:
        train(experiment)
    except Exception as error:
        if experiment.strategy != "multiworker" or not _worker_gone(error):
            raise
        # TensorFlow's cluster cannot take a worker back: those that are left begin anew, after the last finished epoch.
        print("a worker has gone; waiting for its return", file=sys.stderr, flush=True)
        os.execv(sys.executable, sys.orig_argv)


def _worker_gone(error: Exception) -> bool:
    import tensorflow as tf

    errors = tf.errors
    return isinstance(error, errors.UnavailableError | errors.AbortedError | errors.CancelledError
                      | errors.DeadlineExceededError)  # fmt: skip


train_from_options.__doc__ = train.__doc__

if __name__ == "__main__":
    main()
