"""Search settings of an experiment with KerasTuner, evaluated on a part of the training patients."""

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path

import yaml
from rich.table import Table

from tfrespam.config import LEAKING, Experiment
from tfrespam.config_checks import check
from tfrespam.core import provenance, runtime
from tfrespam.core.arguments import parse
from tfrespam.core.console import console, log, quoted
from tfrespam.core.errors import UserError, extra
from tfrespam.core.files import read_json, whole_file, write_csv, write_json
from tfrespam.core.locks import only_one
from tfrespam.training.runs import TrainingRun, check_same_data
from tfrespam.training.tuning import search_space
from tfrespam.workflows.training import prepare_data

MEMBERS = ("width", "reduction", "fusion", "loss_weight", "learning_rate", "augmentation")


def tune(experiment: str, method: str = "random", trials: int = 12, epochs: int | None = None,
         search: tuple[str, ...] = MEMBERS, split: str = "inner", output: str | None = None, apply: str | None = None,
         data_dir: str | None = None, seed: int | None = None) -> None:  # fmt: skip
    """Search better settings for an experiment; the arguments are those of the stage `tune`."""
    if epochs is not None and epochs < 1:
        raise UserError(f"`epochs` must be 1 or more. Received: {epochs}")
    own = _base(experiment, data_dir, seed)
    base = _shorter(own, epochs)
    searched = _searched(base, search)
    if split != "inner":
        raise UserError("`split` must be 'inner', a fifth of the training patients. If settings were chosen on the "
                        f"validation or test split, its scores would be biased. Received: {split!r}")
    if trials < 1:
        raise UserError(f"`trials` must be 1 or more. Received: {trials}")
    folder = Path(output or f"runs/tune/{base.name}-{method}")
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        _same_search(folder, base, method, searched)
        table = _search(base, method, trials, searched, folder)
        if table:
            _tell(table, searched, folder)
            if apply:
                _write_best(own, table, searched, Path(apply))


def _held(folder: Path) -> contextlib.AbstractContextManager:
    """Lock the folder for one process, except for processes that share a search."""
    if os.environ.get("KERASTUNER_TUNER_ID"):
        return contextlib.nullcontext()
    return only_one(folder, "That process runs the same search: wait for it, or choose another `output`")


def _base(file: str, data_dir: str | None, seed: int | None) -> Experiment:
    if not Path(file).is_file():
        raise UserError(f"`experiment` must be a YAML file of settings. Received: {file}")
    base = Experiment(**parse(Experiment, ["--config", file])[1])
    base = dataclasses.replace(base, data_dir=data_dir or base.data_dir, seed=base.seed if seed is None else seed)
    check(base)
    if base.data.protocol in LEAKING:
        raise UserError(f"protocol {base.data.protocol!r} trains on its validation examples, so that trials cannot be "
                        "evaluated on them. Use an experiment with protocol official or folds")  # fmt: skip
    return base


def _shorter(base: Experiment, epochs: int | None) -> Experiment:
    """Return the experiment with the epochs of a trial."""
    if epochs is None:
        return base
    trial = dataclasses.replace(base, training=dataclasses.replace(base.training, epochs=epochs))
    check(trial)
    return trial


def _searched(base: Experiment, asked: tuple[str, ...]) -> tuple[str, ...]:
    known = search_space.names(base)
    unknown = [name for name in asked if name not in MEMBERS]
    if unknown or not set(asked) & set(known):
        raise UserError(f"`search` must name some of {', '.join(known)}. Received: {', '.join(asked) or 'nothing'}")
    return tuple(name for name in asked if name in known)  # reduction and fusion apply to ResPAM U-Net only


def _same_search(folder: Path, base: Experiment, method: str, searched: tuple[str, ...]) -> None:
    """Check that the folder contains the same search; only the number of trials may grow."""
    settings = {**dataclasses.asdict(base), "data_dir": "", "method": method, "searched": searched}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    known = folder / "search.json"
    if not known.exists():
        write_json(known, {"settings": digest})
    elif read_json(known, "Remove the folder to search anew").get("settings") != digest:
        raise UserError(f"{folder} contains a search with other settings. Choose another `output`, or remove it")


def _search(base: Experiment, method: str, trials: int, searched: tuple[str, ...], folder: Path) -> list[dict]:
    """Run the rest of the search; return the table with the row of the default, or nothing for a worker."""
    tuner_id = os.environ.get("KERASTUNER_TUNER_ID", "")
    if not tuner_id:  # processes that start at the same time must not all create the data
        prepare_data(base)
    run = TrainingRun(base)
    check_same_data(folder, run.digests, "Choose another `output`, or remove it")
    runtime.start(base.seed, deterministic=base.training.deterministic, precision=base.training.precision)
    try:
        from tfrespam.training.tuning import search
    except ModuleNotFoundError as error:
        raise UserError(f"the stage tune needs {extra('tune')} ({error})") from None
    import keras

    trial = search.Trial(run, searched)
    if not trial.steps or not trial.splits["validation"].any():
        raise UserError(f"{trial.splits['train'].sum()} training and {trial.splits['validation'].sum()} validation "
                        "examples are too few to search on. Prepare more, or make the experiment's batch_size smaller")
    board = keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)
    tuner = search.tuner(method, trial, folder / "trials", trials)
    failed = search.run(tuner, callbacks=[board])
    if tuner_id and "chief" not in tuner_id:
        return []
    for line in failed:
        log.info(f"failed, not in the table: {line}")
    found = search.rows(tuner, base, searched)
    if not found:
        raise UserError(f"no trial finished; {folder / 'trials'} contains the reasons")
    return [*found, _default(folder, lambda: search.default_row(trial))]


def _default(folder: Path, train) -> dict:
    known = folder / "default.json"
    if not known.exists():
        write_json(known, train())
    return read_json(known, "Remove it, and the unchanged experiment will be trained again")


def _tell(table: list[dict], searched: tuple[str, ...], folder: Path) -> None:
    fields = ["trial", "val_dice", "epochs", *searched]
    write_csv(folder / "trials.csv", table, fields)
    shown = Table(title="validation Dice on patients of the training split")
    for field in fields:
        shown.add_column(field)
    for row in sorted(table, key=lambda row: -row["val_dice"]):
        shown.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value)
                        for value in (row.get(field, "") for field in fields)))  # fmt: skip
    console.print(shown)  # a table, which cannot be logged
    log.info(f"table  {folder / 'trials.csv'}\nboard  tensorboard --logdir {folder / 'tensorboard'} (HPARAMS)")


def _write_best(base: Experiment, table: list[dict], searched: tuple[str, ...], file: Path) -> None:
    best, default = table[0], table[-1]
    better = best["val_dice"] > default["val_dice"]
    found = search_space.apply(base, {name: best[name] for name in searched}) if better else base
    settings = json.loads(json.dumps(dataclasses.asdict(dataclasses.replace(found, name=file.stem))))
    for place in ("data_dir", "runs_dir", "models_dir"):
        settings.pop(place)
    head = (f"# The best of {len(table) - 1} trials: Dice {best['val_dice']:.4f} on a fifth of the training patients.\n"
            f"# {base.name} unchanged gives {default['val_dice']:.4f} there"
            f"{'' if better else '; no trial is better, so these are its settings'}.\n#\n"
            f"#   {provenance.command()}\n#   python -m tfrespam.train --config {quoted(file)}\n")  # fmt: skip
    with whole_file(file) as temporary:
        temporary.write_text(head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not better:
        log.info(f"No trial is better than {base.name}, so the file has its unchanged settings")
    log.info(f"best   {file}\nNext: python -m tfrespam.train --config {quoted(file)}")
