"""Stage `tune`: a search over an experiment's settings with KerasTuner, on patients that judge nothing else."""

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Literal

from tfrespam import cli
from tfrespam.config import LEAKING, Experiment, check
from tfrespam.errors import UserError
from tfrespam.files import only_one, read_json

MEMBERS = ("width", "reduction", "fusion", "loss_weight", "learning_rate", "augmentation")


def tune(
    experiment: str,
    method: Literal["random", "hyperband", "bayesian"] = "random",
    trials: int = 12,
    epochs: int | None = None,
    search: tuple[str, ...] = MEMBERS,
    split: str = "inner",
    output: str | None = None,
    apply: str | None = None,
    data_dir: str | None = None,
    seed: int | None = None,
) -> None:
    """Searches better settings for an experiment; a search that was killed goes on where it was.

    A fifth of the experiment's training patients judges the trials, never those of its validation and test split.
    Several processes search together with KERASTUNER_TUNER_ID ("chief", and another name for each worker),
    KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT.

    Args:
        experiment: YAML file of the experiment to start from, as for `train`.
        method: "random", "hyperband" (many short trainings, the better ones longer) or "bayesian".
        trials: Trials of random and bayesian search; hyperband has its own number.
        epochs: Passes over the training examples in a trial (default: the experiment's).
        search: What is searched: width, reduction, fusion (the reading of PAM), loss_weight (of Dice beside
            cross-entropy), learning_rate, augmentation (its strength).
        split: Which patients judge: "inner" is the only one that leaves the experiment's own scores honest.
        output: Folder of the search (default: runs/tune/<experiment>-<method>).
        apply: YAML file to write with the best settings found, ready for `train --config`: those of the experiment
            where no trial is better. It trains as many epochs as the experiment, however short the trials were.
        data_dir: Home of the prepared data sets (default: the experiment's).
        seed: Seed of the search and of its trainings (default: the experiment's).
    """
    own = _base(experiment, data_dir, seed)
    base = _shorter(own, epochs)
    searched = _searched(base, search)
    if split != "inner":
        raise UserError("--split must be 'inner', a fifth of the training patients. Settings chosen on the validation "
                        f"or test split would make the scores there worthless. Received: {split!r}")
    if trials < 1:
        raise UserError(f"--trials must be 1 or more. Received: {trials}")
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
    """For one process alone, but for those that search together."""
    if os.environ.get("KERASTUNER_TUNER_ID"):
        return contextlib.nullcontext()
    return only_one(folder, "It searches the same: wait for it, or choose another --output")


def _base(file: str, data_dir: str | None, seed: int | None) -> Experiment:
    if not Path(file).is_file():
        raise UserError(f"--experiment must be a YAML file of settings. Received: {file}")
    base = Experiment(**cli.parse(Experiment, ["--config", file])[1])
    base = dataclasses.replace(base, data_dir=data_dir or base.data_dir, seed=base.seed if seed is None else seed)
    check(base)
    if base.data.protocol in LEAKING:
        raise UserError(f"protocol {base.data.protocol!r} trains on what it looks at, so no split of it can judge. "
                        "Use an experiment with protocol official or folds")  # fmt: skip
    return base


def _shorter(base: Experiment, epochs: int | None) -> Experiment:
    """As a trial trains it, which may be shorter than the training that the settings are for."""
    if epochs is None:
        return base
    trial = dataclasses.replace(base, training=dataclasses.replace(base.training, epochs=epochs))
    check(trial)
    return trial


def _searched(base: Experiment, asked: tuple[str, ...]) -> tuple[str, ...]:
    from tfrespam.training import search_space

    known = search_space.names(base)
    unknown = [name for name in asked if name not in MEMBERS]
    if unknown or not set(asked) & set(known):
        raise UserError(f"--search must name some of {', '.join(known)}. Received: {', '.join(asked) or 'nothing'}")
    return tuple(name for name in asked if name in known)  # reduction and fusion are ResPAM U-Net's


def _same_search(folder: Path, base: Experiment, method: str, searched: tuple[str, ...]) -> None:
    """A folder holds one search; only the number of trials may grow."""
    from tfrespam.files import write_json

    settings = {**dataclasses.asdict(base), "data_dir": "", "method": method, "searched": searched}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    known = folder / "search.json"
    if not known.exists():
        write_json(known, {"settings": digest})
    elif read_json(known, "Remove the folder to search anew").get("settings") != digest:
        raise UserError(f"{folder} holds a search with other settings. Choose another --output, or remove it")


def _same_data(folder: Path, now: dict[str, str]) -> None:
    """Trials on other examples than those that the search was begun with could not be compared."""
    from tfrespam.files import write_json

    known = folder / "data.json"
    if not known.exists():
        write_json(known, now)
    elif read_json(known, "Remove the folder to search anew") != now:
        raise UserError(f"the examples are no longer those that the search in {folder} was begun with. Choose another "
                        "--output, or remove it")  # fmt: skip


def _search(base: Experiment, method: str, trials: int, searched: tuple[str, ...], folder: Path) -> list[dict]:
    """Runs what is left of the search; returns the table, the default's row included; nothing for a worker."""
    from tfrespam import runtime
    from tfrespam.data.prepared import find
    from tfrespam.train import digests, prepared_data

    tuner_id = os.environ.get("KERASTUNER_TUNER_ID", "")  # several that start together must not all make it
    prepared = find(base.data_dir, base.data) if tuner_id else prepared_data(base)
    _same_data(folder, digests(base, prepared))
    runtime.start(base.seed, deterministic=base.training.deterministic, precision=base.training.precision)
    try:
        from tfrespam.training import search
    except ModuleNotFoundError as error:
        raise UserError(f"the stage tune needs the extra [tune]: pip install 'tfrespam[tune]' ({error})") from None
    import keras

    trial = search.Trial(base, prepared, searched)
    if not trial.steps or not trial.parts["validation"].any():
        raise UserError(f"{trial.parts['train'].sum()} training and {trial.parts['validation'].sum()} judging examples "
                        "are too few to search on. Prepare more, or make the experiment's batch_size smaller")
    board = keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)
    tuner = search.tuner(method, trial, folder / "trials", trials)
    failed = search.run(tuner, callbacks=[board])
    if tuner_id and "chief" not in tuner_id:
        return []
    for line in failed:
        cli.console.print(f"failed, and not in the table: {line}", markup=False)
    found = search.rows(tuner, base, searched)
    if not found:
        raise UserError(f"no trial came to its end; {folder / 'trials'} holds the reasons")
    return [*found, _default(folder, lambda: search.default_row(trial))]


def _default(folder: Path, train) -> dict:
    from tfrespam.files import write_json

    known = folder / "default.json"
    if not known.exists():
        write_json(known, train())
    return read_json(known, "Remove it, and the experiment as it is is trained again")


def _tell(table: list[dict], searched: tuple[str, ...], folder: Path) -> None:
    from rich.table import Table

    from tfrespam.files import write_csv

    fields = ["trial", "val_dice", "epochs", *searched]
    write_csv(folder / "trials.csv", table, fields)
    shown = Table(title="validation Dice on patients of the training split")
    for field in fields:
        shown.add_column(field)
    for row in sorted(table, key=lambda row: -row["val_dice"]):
        shown.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value)
                        for value in (row.get(field, "") for field in fields)))  # fmt: skip
    cli.console.print(shown)
    cli.console.print(f"table  {folder / 'trials.csv'}\nboard  tensorboard --logdir {folder / 'tensorboard'} (HPARAMS)")


def _write_best(base: Experiment, table: list[dict], searched: tuple[str, ...], file: Path) -> None:
    import yaml

    from tfrespam import provenance
    from tfrespam.files import whole_file
    from tfrespam.training import search_space

    best, default = table[0], table[-1]
    better = best["val_dice"] > default["val_dice"]
    found = search_space.apply(base, {name: best[name] for name in searched}) if better else base
    settings = json.loads(json.dumps(dataclasses.asdict(dataclasses.replace(found, name=file.stem))))
    for place in ("data_dir", "runs_dir", "models_dir"):
        settings.pop(place)
    head = (f"# The best of {len(table) - 1} trials: Dice {best['val_dice']:.4f} on a fifth of the training patients.\n"
            f"# {base.name} as it was gives {default['val_dice']:.4f} there"
            f"{'' if better else '; no trial is better, so these are its settings'}.\n#\n"
            f"#   {provenance.command()}\n#   python -m tfrespam.train --config {cli.quoted(file)}\n")  # fmt: skip
    with whole_file(file) as temporary:
        temporary.write_text(head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not better:
        cli.console.print(f"No trial is better than {base.name} as it was, whose settings the file has therefore")
    cli.console.print(f"best   {file}\nNext: python -m tfrespam.train --config {cli.quoted(file)}")


def main() -> None:
    cli.run(tune)


if __name__ == "__main__":
    main()
